package main

import (
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// observer is what is told every event of a job: the progress on stderr, and
// with --json stdout, which gets the events and nothing else.
func (a *app) observer(o order, p *progress) func(ledger.Event) {
	return func(e ledger.Event) {
		if o.json {
			// Whoever reads the events may have gone; the job goes on, its truth
			// is in the ledger.
			_ = a.printJSON(e, false)
		}
		p.Observe(e)
		if a.onEvent != nil {
			a.onEvent(e)
		}
	}
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
	if dir := a.env("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "glovebox")
	}
	if home := a.env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".cache", "glovebox")
	}
	return ""
}
