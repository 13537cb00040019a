package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
)

// explain turns any error into an ending: the outcome, what happened in one
// line, and what to do. An ending that lacks words or a hint gets those of its cause.
func explain(err error) *runner.Error {
	var known *runner.Error
	if errors.As(err, &known) {
		e := *known
		if e.Err != nil {
			of := explainCause(e.Err)
			e.Hint, e.Reason = cmp.Or(e.Hint, of.Hint), cmp.Or(e.Reason, of.Reason)
		}
		if e.Hint == "" {
			e.Hint = lastHint
		}
		return &e
	}
	return explainCause(err)
}

// lastHint is for what nobody has foreseen.
const lastHint = "the same command with --verbose tells more; `glovebox doctor` checks this machine"

func explainCause(err error) *runner.Error {
	var (
		fault *model.Error
		wall  *sandbox.WallError
	)
	e := &runner.Error{Outcome: runner.FailedRun, Err: err, Hint: lastHint}
	switch {
	case errors.As(err, &fault):
		return runner.ModelError(err)
	case errors.As(err, &wall):
		e.Outcome, e.Hint = runner.NoSandbox, wallHint
	case errors.Is(err, images.ErrNotFound):
		e.Outcome, e.Hint = runner.Usage, imageHint
	case errors.Is(err, images.ErrNoRegistry):
		e.Hint = imageHint
	case errors.Is(err, context.Canceled):
		e.Outcome, e.Reason, e.Err, e.Hint = runner.Interrupted, "interrupted", nil, "the same command goes on from here"
	}
	return e
}

const (
	engineHint = "start Docker (systemctl start docker, or dockerd), or run `make setup`; `glovebox doctor` shows what is there"
	wallHint   = "nothing is run without it; `glovebox doctor` shows what the engine can do"
	imageHint  = "`glovebox image list` shows the images that are here; the built-in ones are base, python, node and go"
)
