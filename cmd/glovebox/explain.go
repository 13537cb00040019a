package main

import (
	"context"
	"errors"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
)

// explain turns any error into an ending: the outcome, what happened in one
// line, and what to do. An ending that has no hint yet gets that of its cause.
func explain(err error) *runner.Error {
	var known *runner.Error
	if errors.As(err, &known) {
		e := *known
		if e.Hint == "" && e.Err != nil {
			e.Hint = explainCause(e.Err).Hint
		}
		return &e
	}
	return explainCause(err)
}

func explainCause(err error) *runner.Error {
	var (
		fault *model.Error
		wall  *sandbox.WallError
	)
	e := &runner.Error{Outcome: runner.FailedRun, Err: err}
	switch {
	case errors.As(err, &fault):
		e.Outcome, e.Hint = explainFault(fault.Fault)
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

// explainFault is the outcome of a model's or a provider's failure, and what
// to do about it.
func explainFault(f model.Fault) (runner.Outcome, string) {
	switch f {
	case model.FaultMissingKey:
		return runner.Usage, "export the key in this shell; it stays on the host, no box ever sees it"
	case model.FaultUnknownName:
		return runner.Usage, "for example --model openrouter/vendor/model, openai/gpt-5-mini, ollama/qwen3 or scripted/todo"
	case model.FaultNoPrice:
		return runner.ModelRefused, "give what it costs with --price IN/OUT (USD per million tokens), 0/0 for your own server"
	case model.FaultPaid:
		return runner.ModelRefused, "choose a free model, or allow money with --budget USD"
	case model.FaultWrongModel:
		return runner.ModelRefused, "nothing of its reply was executed; ask for a model that the server really serves"
	case model.FaultBudget:
		return runner.OverBudget, "the same command with a higher --budget goes on from here"
	case model.FaultRateLimit:
		return runner.RateLimit, "wait a few minutes; the same command goes on from here"
	case model.FaultDailyLimit:
		return runner.RateLimit, "the limit is reset at midnight UTC with most providers; the same command goes on then"
	case model.FaultKey:
		return runner.FailedRun, "the provider refuses the key: check that it is complete and may use this model"
	case model.FaultCredits:
		return runner.FailedRun, "buy credits from the provider, or choose a free model; the same command goes on from here"
	case model.FaultNotFound:
		return runner.FailedRun, "check the model's name in the provider's list"
	case model.FaultServer:
		return runner.FailedRun, "the provider is in trouble; the same command goes on from here"
	case model.FaultUnreachable:
		return runner.FailedRun, "check the network and --base-url; is the server running?"
	case model.FaultRequest:
		return runner.FailedRun, "the server doesn't understand the request: does this model support tools? see --verbose"
	default:
		return runner.FailedRun, "the same command with --verbose tells more"
	}
}
