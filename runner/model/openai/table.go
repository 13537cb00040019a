package openai

import (
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// rule is a line of the table that says what kind of failure an answer is.
// What is empty matches everything.
type rule struct {
	status int           // HTTP; 3, 4 and 5 stand for hundreds
	host   string        // of the server
	word   string        // a code, type, reason or source of the error; "*" at its end stands for the rest
	text   string        // a part of the message in small letters: only where services have no word for it
	wait   time.Duration // the server asks to wait at least that long

	fault model.Fault // what it is: model.Retry knows which faults are tried again
	once  bool        // it is tried once more, whatever the fault
}

const (
	anyWait = time.Nanosecond
	dayWait = wire.PerDay + time.Nanosecond
)

// rules is the table; the first line that matches holds. docs/models.md shows
// it for people, with what is done about each fault. The words are those of
// OpenRouter's and OpenAI's documentation and of servers' published answers.
func rules() []rule {
	return []rule{
		// The conversation is longer than the window.
		{word: "context_length_exceeded", fault: model.FaultContext},
		{word: "exceed_context_size_error", fault: model.FaultContext},             // llama.cpp
		{status: 4, text: "maximum context length", fault: model.FaultContext},     // vLLM and others
		{status: 4, text: "available context size", fault: model.FaultContext},     // llama.cpp, older
		{status: 4, text: "prompt is too long", fault: model.FaultContext},         // Anthropic behind a gateway
		{status: 404, text: "support tool use", fault: model.FaultTools},           // OpenRouter
		{status: 400, text: "does not support tools", fault: model.FaultTools},     // Ollama
		{status: 5, text: "tools param requires --jinja", fault: model.FaultTools}, // llama.cpp
		{status: 400, text: "function tools with reasoning_effort are not supported", fault: model.FaultTools},

		{status: 401, fault: model.FaultKey},

		// Money held for requests under way comes back; other money does not.
		{status: 402, word: "openrouter_in_flight_budget", wait: anyWait, fault: model.FaultRateLimit},
		{status: 402, fault: model.FaultCredits}, // weight_exceeds_budget too: this one request is too large

		{status: 403, word: "moderation", fault: model.FaultRequest},   // the text, not the key
		{status: 403, word: "openrouter_*", fault: model.FaultCredits}, // a budget that the key has there
		{status: 403, fault: model.FaultKey},

		{status: 404, host: "api.openai.com", fault: model.FaultNotFound, once: true}, // seen while it was in trouble
		{status: 404, fault: model.FaultNotFound},

		{status: 429, word: "insufficient_quota", fault: model.FaultCredits},
		{status: 429, word: "credit_balance_exhausted", fault: model.FaultCredits},
		{status: 429, word: "billing_hard_limit_reached", fault: model.FaultCredits},
		{status: 429, word: "enforced_spend_limit_reached", fault: model.FaultCredits},
		{status: 429, text: "per-day", fault: model.FaultDailyLimit}, // OpenRouter's free models
		{status: 429, text: "per day", fault: model.FaultDailyLimit},
		{status: 429, wait: dayWait, fault: model.FaultDailyLimit},
		{status: 429, fault: model.FaultRateLimit},
		{status: 503, word: "slow_down", fault: model.FaultRateLimit},

		{status: 408, fault: model.FaultServer},
		{status: 5, fault: model.FaultServer}, // server_is_overloaded, 529 and the timeouts 504 and 524 too

		{status: 400, text: "no models provided", fault: model.FaultRequest, once: true}, // seen for valid requests
		{status: 4, word: "model_not_found", fault: model.FaultNotFound},
		{status: 400, text: "is not a valid model id", fault: model.FaultNotFound},
		{status: 400, text: "reached your specified api usage limits", fault: model.FaultCredits}, // Anthropic
		{status: 3, fault: model.FaultRequest},                                                    // a redirect, which is not followed
		{status: 4, fault: model.FaultRequest},
		{fault: model.FaultServer},
	}
}

// statuses are what an error inside a 200 would have had as its status, by its
// words; what is not there is a fault of the server.
func statuses() map[string]int {
	return map[string]int{
		"rate_limit_exceeded": 429, "rate_limit_error": 429, "insufficient_quota": 429, "credit_balance_exhausted": 429,
		"enforced_spend_limit_reached": 429,
		"slow_down":                    503, "server_is_overloaded": 503, "provider_unavailable": 502,
		"provider_overloaded": 529, "overloaded_error": 529, "timeout": 504, "timeout_error": 504,
		"context_length_exceeded": 400, "invalid_request": 400, "invalid_request_error": 400, "invalid_prompt": 400,
		"max_tokens_exceeded": 400, "token_limit_exceeded": 400, "string_too_long": 400, "content_policy_violation": 400,
		"unprocessable": 422, "payload_too_large": 413, "request_too_large": 413,
		"authentication": 401, "authentication_error": 401, "permission_denied": 403, "permission_error": 403,
		"payment_required": 402, "billing_error": 402,
		"not_found": 404, "not_found_error": 404, "model_not_found": 404,
	}
}

// matches says whether the rule is about this failure.
func (r rule) matches(status int, host string, f failure, wait time.Duration) bool {
	return (r.status == 0 || r.status == status || r.status == status/100) &&
		(r.host == "" || r.host == host) &&
		(r.word == "" || f.says(r.word)) &&
		(r.text == "" || strings.Contains(strings.ToLower(f.Message), r.text)) &&
		wait >= r.wait
}
