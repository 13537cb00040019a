package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
	"github.com/glovebox-run/glovebox/runner/holder"
)

// stopTime is how long a process that was asked to end is waited for.
const stopTime = time.Minute

func (a *app) stopCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "stop",
		Usage:     "ends what works on a job or a batch; the same command goes on",
		ArgsUsage: "DIR",
		Description: `It asks the process that works on DIR to end cleanly, as Ctrl-C does, and waits
for it, a minute at most. A second time ends it at once. Nothing is lost: the
same command goes on with the job or the batch.`,
		Action: a.stopAction,
	})
}

func (a *app) stopAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	dir, isBatch, err := knownDir(args[0])
	if err != nil {
		return err
	}
	found, err := workers(dir, isBatch)
	for _, p := range found {
		defer p.Close()
	}
	switch {
	case errors.Is(err, holder.ErrUnsure):
		return fail(runner.FailedRun, "end it yourself, where it was started: Ctrl-C, or kill -TERM", "a process works on %s, but %v", args[0], err)
	case err != nil:
		return err
	case len(found) == 0:
		a.print("nothing works on %s", plain(args[0]))
	}
	for _, p := range found {
		if !isBatch && batch.Owns(dir, p.ID) {
			return usage("glovebox stop with the batch's directory ends all of it", "%s is one of a batch's jobs, all in one process (%d)", args[0], p.ID)
		}
	}
	for _, p := range found {
		if err := a.stop(c.Context, p); err != nil {
			return err
		}
	}
	return nil
}

// workers are the processes that work on a job or a batch.
func workers(dir string, isBatch bool) ([]*holder.Process, error) {
	if isBatch {
		return batch.Processes(dir)
	}
	p, err := runner.Holder(dir)
	if p == nil {
		return nil, err
	}
	return []*holder.Process{p}, err
}

func (a *app) stop(ctx context.Context, p *holder.Process) error {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	err := p.Stop(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fail(runner.FailedRun, "the same command once more ends it at once; what it was doing is done again", "process %d has not ended within %s", p.ID, stopTime)
	case err != nil:
		return err
	}
	a.print("stopped process %d; the same command goes on", p.ID)
	return nil
}
