package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// killAt names the variable with the number of the ledger event at which
// glovebox-killed ends: as by kill -9, right after the event is on disk and
// before anything else happens.
const killAt = "GLOVEBOX_TEST_KILL_AT"

// killedMain is main, but for its end.
func killedMain() {
	at, err := strconv.ParseInt(os.Getenv(killAt), 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, killAt+":", err)
		os.Exit(99)
	}
	ctx, cancel := signalContext()
	defer cancel()
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Environ())
	a.onEvent = func(e ledger.Event) {
		if e.Seq == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
	os.Exit(a.run(ctx, os.Args))
}
