package runner

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
)

// ModelError is how a job ends when the model or its provider fails for good:
// the outcome, what happened, and what to do about it. Any other error comes
// back as one of ours.
func ModelError(err error) *Error {
	var fault *model.Error
	if !errors.As(err, &fault) {
		return &Error{Outcome: FailedRun, Err: err}
	}
	outcome, what, hint := explainFault(fault.Fault)
	if fault.Fault == model.FaultDailyLimit {
		hint = "the same command goes on after " + fault.Reset(time.Now()).UTC().Format("2006-01-02 15:04 UTC") + hint
	}
	if fault.Status == http.StatusOK { // a reply came, and cost what it should not
		switch fault.Fault {
		case model.FaultNoPrice:
			hint = "the job ends so that no more is spent: look at the provider's price list; custom/ and openai/ take another price with --price IN/OUT"
		case model.FaultPaid:
			hint = "the job ends so that no more is spent: choose another model (`glovebox models --free`)"
		}
	}
	if what != "" && fault.Status != 0 {
		what = fmt.Sprintf("%s (HTTP %d)", what, fault.Status)
	}
	return &Error{Outcome: outcome, Reason: what, Hint: hint, Err: err}
}

// explainFault is the outcome of a model's or a provider's failure, what
// happened where the provider's own words may not say it ("" where ours do
// already), and what to do about it.
func explainFault(f model.Fault) (o Outcome, what, hint string) {
	const goesOn = "the same command goes on from here"
	switch f {
	case model.FaultMissingKey:
		return Usage, "", "export the key in this shell; it stays on the host, no box ever sees it"
	case model.FaultUnknownName:
		return Usage, "", "for example --model openrouter/vendor/model, openai/gpt-5-mini, ollama/qwen3 or scripted/todo"
	case model.FaultOption:
		return Usage, "", "leave the flag out, or choose another model (`glovebox models`)"
	case model.FaultNoPrice:
		return ModelRefused, "", "give what it costs with --price IN/OUT (USD per million tokens), 0/0 for your own server"
	case model.FaultPaid:
		return ModelRefused, "", "choose a free model (`glovebox models --free`), or lift what forbids money: --budget 0, --block-paid, GLOVEBOX_BLOCK_PAID"
	case model.FaultNotAllowed:
		return ModelRefused, "", "choose another model, or allow this one: --allow-models and GLOVEBOX_ALLOW_MODELS must both name it where they are set"
	case model.FaultWrongModel:
		return ModelRefused, "", "the provider did not serve what was asked for: choose another model (`glovebox models`), or name its upstream with --provider"
	case model.FaultBudget:
		return OverBudget, "", "the same command with a higher --budget goes on from here"
	case model.FaultTotal:
		return OverBudget, "", "the same command with a higher --total-budget goes on from here"
	case model.FaultRateLimit:
		return RateLimit, "the provider allows no more requests for now", "wait a few minutes, or give --wait; " + goesOn
	case model.FaultDailyLimit: // ModelError says when before it
		return RateLimit, "the provider allows no more requests today", "; with --wait it sleeps until then by itself"
	case model.FaultKey:
		return FailedRun, "the provider refuses the key", "check that the key is complete and may use this model"
	case model.FaultCredits:
		return FailedRun, "the provider wants credits", "buy credits from the provider, lower --max-tokens, or choose a free model; " + goesOn
	case model.FaultNotFound:
		return FailedRun, "the model was not found", "check the model's name in the provider's list; at OpenRouter its endpoints, a price that has risen or your privacy settings may rule it out, too"
	case model.FaultServer:
		return FailedRun, "the provider's server failed", "it is the provider's trouble: try again later; " + goesOn
	case model.FaultUnreachable:
		return FailedRun, "the provider's server can't be reached", "check the network and --base-url; is the server running?"
	case model.FaultContext:
		return FailedRun, "the conversation is longer than the model's window", "choose a model with a larger window, or give the server's model more context"
	case model.FaultTools:
		return FailedRun, "the model can't call tools", "--tools text asks it for commands in words; `auto` finds that out by itself"
	case model.FaultRequest:
		return FailedRun, "the provider's server refuses the request", "does this model support tools, and is its window large enough? `glovebox log DIR` shows what was asked"
	default:
		return FailedRun, "", ""
	}
}

// passing says that a provider's error may be gone in the next session: it is
// about this conversation or this moment, not about the key, the money or the model.
func passing(err error) bool {
	var fault *model.Error
	if !errors.As(err, &fault) {
		return false
	}
	switch fault.Fault {
	case model.FaultServer, model.FaultRequest, model.FaultUnreachable:
		return true
	default:
		return false
	}
}
