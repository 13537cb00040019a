// Command glovebox builds software from a specification with a language model
// that it does not trust.
//
// This package is flags, environment, signals, exit codes and messages, and
// nothing else: what a job is and does lives in package runner, what a box is
// in package sandbox. main is signals and the exit code, [Run] is the wiring,
// every subcommand is one file.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, cancel := signalContext()
	code := Run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr, os.Environ())
	cancel()
	os.Exit(code)
}

// signalContext is cancelled by the first SIGINT or SIGTERM, so that the job
// ends cleanly. The second one ends the process at once: boxes live on the
// stream to this process and die with it, and the next run goes on from the
// ledger.
func signalContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		first := time.Now()
		cancel()
		// A terminal and a wrapper such as timeout may both pass on one key press.
		for range signals {
			if time.Since(first) > sameSignal {
				break
			}
		}
		fmt.Fprintln(os.Stderr, "\nglovebox: stopped at once; the same command goes on from here")
		os.Exit(interruptedCode)
	}()
	return ctx, cancel
}

// sameSignal is how soon after the first a signal counts as the same one.
const sameSignal = 300 * time.Millisecond

// outliveReaders keeps a job from ending in the middle when whoever reads its
// output goes away (`glovebox run ... | head`): writing fails then, and what
// it would have said stands in the ledger.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }
