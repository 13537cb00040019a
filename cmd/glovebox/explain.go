package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

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
		return explainModel(fault, err)
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

// explainFault is the outcome of a model's or a provider's failure, what
// happened where the provider's own words may not say it ("" where ours do
// already), and what to do about it.
func explainFault(f model.Fault) (o runner.Outcome, what, hint string) {
	const goesOn = "the same command goes on from here"
	switch f {
	case model.FaultMissingKey:
		return runner.Usage, "", "export the key in this shell; it stays on the host, no box ever sees it"
	case model.FaultUnknownName:
		return runner.Usage, "", "for example --model openrouter/vendor/model, openai/gpt-5-mini, ollama/qwen3 or scripted/todo"
	case model.FaultNoPrice:
		return runner.ModelRefused, "", "give what it costs with --price IN/OUT (USD per million tokens), 0/0 for your own server"
	case model.FaultPaid:
		return runner.ModelRefused, "", "choose a free model, or allow money with --budget USD"
	case model.FaultWrongModel:
		return runner.ModelRefused, "", "nothing of its reply was executed; ask for a model that the server really serves"
	case model.FaultBudget:
		return runner.OverBudget, "", "the same command with a higher --budget goes on from here"
	case model.FaultRateLimit:
		return runner.RateLimit, "the provider allows no more requests for now", "wait a few minutes; " + goesOn
	case model.FaultDailyLimit:
		return runner.RateLimit, "the provider allows no more requests today", "most providers begin a new day at midnight UTC; the same command goes on then"
	case model.FaultKey:
		return runner.FailedRun, "the provider refuses the key", "check that the key is complete and may use this model"
	case model.FaultCredits:
		return runner.FailedRun, "the provider wants credits", "buy credits from the provider, or choose a free model; " + goesOn
	case model.FaultNotFound:
		return runner.FailedRun, "the model was not found", "check the model's name in the provider's list"
	case model.FaultServer:
		return runner.FailedRun, "the provider's server failed", "it is the provider's trouble: try again later; " + goesOn
	case model.FaultUnreachable:
		return runner.FailedRun, "the provider's server can't be reached", "check the network and --base-url; is the server running?"
	case model.FaultRequest:
		return runner.FailedRun, "the provider's server refuses the request", "does this model support tools, and is its window large enough? `glovebox log DIR` shows what was asked"
	default:
		return runner.FailedRun, "", lastHint
	}
}

// explainModel words a model's or a provider's failure; err is the whole error
// around the fault.
func explainModel(fault *model.Error, err error) *runner.Error {
	o, what, hint := explainFault(fault.Fault)
	if what != "" && fault.Status != 0 {
		what = fmt.Sprintf("%s (HTTP %d)", what, fault.Status)
	}
	return &runner.Error{Outcome: o, Reason: what, Hint: hint, Err: err}
}
