package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// What the variables name is an event of the ledger as KIND:N, the Nth of that
// kind in this process.
const (
	// killAt is where glovebox-killed ends as by kill -9, right after the event
	// is on disk and before anything else happens.
	killAt = "GLOVEBOX_TEST_KILL_AT"
	// stuckAt is where glovebox-stuck gets both signals, and stays stuck.
	stuckAt = "GLOVEBOX_TEST_STUCK_AT"
)

// killedMain is main, but for its end.
func killedMain() {
	mainUntil(killAt, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
}

// stuckMain is main with a job that does not end when it is asked to.
func stuckMain() {
	mainUntil(stuckAt, func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
		for { // somebody who presses again and again; what comes too soon counts as once
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			time.Sleep(sameSignal / 3)
		}
	})
}

// mainUntil is main up to an event of the ledger; there it acts and does
// nothing more.
func mainUntil(variable string, act func()) {
	kind, number, _ := strings.Cut(os.Getenv(variable), ":")
	left, err := strconv.Atoi(number)
	if err != nil {
		fmt.Fprintln(os.Stderr, variable+":", err)
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
			act()
			select {}
		}
	}
	os.Exit(a.run(ctx, os.Args))
}
