package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// killAt names the variable that says at which event of the ledger
// glovebox-killed ends, as KIND:N, the Nth of that kind in this process. It
// ends as by kill -9, right after the event is on disk and before anything
// else happens.
const killAt = "GLOVEBOX_TEST_KILL_AT"

// killedMain is main, but for its end.
func killedMain() {
	kind, number, _ := strings.Cut(os.Getenv(killAt), ":")
	left, err := strconv.Atoi(number)
	if err != nil {
		fmt.Fprintln(os.Stderr, killAt+":", err)
		os.Exit(99)
	}
	ctx, cancel := signalContext()
	defer cancel()
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Environ())
	a.onEvent = func(e ledger.Event) {
		if string(e.Kind) != kind {
			return
		}
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
	os.Exit(a.run(ctx, os.Args))
}
