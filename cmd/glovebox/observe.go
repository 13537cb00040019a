package main

import (
	"encoding/json"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// observer is what is told every event of a job: the progress on stderr, and
// with --json stdout, which gets the events and nothing else.
func (a *app) observer(o order, p *progress) func(ledger.Event) {
	return func(e ledger.Event) {
		if o.json {
			a.printEvent(e)
		}
		p.Observe(e)
		if a.onEvent != nil {
			a.onEvent(e)
		}
	}
}

// printEvent writes an event as one line. Whoever reads it may have gone; the
// job goes on, for its truth is in the ledger.
func (a *app) printEvent(e ledger.Event) {
	line, err := json.Marshal(e)
	if err != nil {
		return // an event that could be written to the ledger can be written here
	}
	_, _ = a.stdout.Write(append(line, '\n'))
}

// logger is the operator's log: everything with --verbose, else what is wrong.
// It goes to stderr, above the live line.
func (a *app) logger(verbose bool) hclog.Logger {
	level := hclog.Error
	if verbose {
		level = hclog.Debug
	}
	return hclog.New(&hclog.LoggerOptions{
		Name: "glovebox", Level: level, Output: a.screen.lines(""), Color: hclog.ColorOff,
	})
}

// cacheDir is where glovebox remembers what can be found out again, as the XDG
// base directory specification says; "" if the environment names no place.
func (a *app) cacheDir() string {
	if dir := a.env("XDG_CACHE_HOME"); dir != "" {
		return dir + string(os.PathSeparator) + "glovebox"
	}
	if home := a.env("HOME"); home != "" {
		return home + "/.cache/glovebox"
	}
	return ""
}
