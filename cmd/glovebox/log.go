package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

func (a *app) logCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "log",
		Usage:     "prints what happened in the job of a project directory",
		ArgsUsage: "DIR",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "the events as JSON lines"}},
		Action:    a.logAction,
	})
}

func (a *app) logAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	dir, err := knownProject(args[0])
	if err != nil {
		return err
	}
	events, err := runner.ReadLedger(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a job that was never started has none
		return fail(runner.FailedRun, "", "read the ledger: %v", err)
	}
	for _, e := range events {
		if c.Bool("json") {
			err = a.printJSON(e, false)
		} else {
			_, err = fmt.Fprintln(a.stdout, ledger.Line(e))
		}
		if err != nil {
			return fmt.Errorf("print the ledger: %w", err)
		}
	}
	return nil
}
