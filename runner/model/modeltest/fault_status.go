package modeltest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Status answers with an error status and a body of one's own.
func Status(status int, body string) Fault {
	return Fault{Name: fmt.Sprintf("%d %s", status, http.StatusText(status)), do: func(a *answer) {
		a.replaced, a.status, a.body = true, status, body
	}}
}

// failing is an error status in the format's own form.
func failing(name string, status int, kind, message string) Fault {
	return Fault{Name: name, do: func(a *answer) { a.refuse(status, kind, message) }}
}

// Unauthorized is a key that is wrong or disabled.
func Unauthorized() Fault {
	return failing("401", http.StatusUnauthorized, "authentication_error", "No auth credentials found")
}

// Forbidden is a key that may not use this model.
func Forbidden() Fault {
	return failing("403", http.StatusForbidden, "permission_error", "this model is not in the key's allow list")
}

// Moderated is a prompt that was flagged.
func Moderated() Fault {
	return openAIOnly("403 moderation", func(a *answer) {
		a.refuseWith(http.StatusForbidden, map[string]any{"message": "input was flagged",
			"metadata": map[string]any{"reasons": []string{"violence"}, "provider_name": "P", "flagged_input": "…"}})
	})
}

// KeyBudget is a cap that the key has at OpenRouter.
func KeyBudget() Fault {
	return openAIOnly("403 budget of the key", func(a *answer) {
		a.refuseWith(http.StatusForbidden, map[string]any{"message": "Key limit exceeded",
			"metadata": map[string]any{"limit_source": "openrouter_key_limit", "limit_usd": 1, "spend_usd": 1}})
	})
}

// CreditsGone is an empty account.
func CreditsGone() Fault {
	return Fault{Name: "402 credits", do: func(a *answer) {
		switch a.server.wire {
		case OpenRouter:
			a.refuseWith(http.StatusPaymentRequired, map[string]any{"message": "Insufficient credits",
				"metadata": map[string]any{"limit_source": "openrouter_credits"}})
		case Anthropic:
			a.refuse(http.StatusPaymentRequired, "billing_error", "Your credit balance is too low")
		default:
			a.refuse(http.StatusPaymentRequired, "insufficient_quota", "Insufficient credits")
		}
	}}
}

// CreditsInFlight is money that is held for requests under way. With after it
// says when to come back, without it is final.
func CreditsInFlight(after time.Duration) Fault {
	name := "402 in flight"
	if after == 0 {
		name = "402 in flight without a time"
	}
	return openAIOnly(name, func(a *answer) {
		a.refuseWith(http.StatusPaymentRequired, map[string]any{
			"message":  "This request would exceed your available credits given your current in-flight requests.",
			"metadata": map[string]any{"reason": "in_flight_budget_exhausted", "limit_source": "openrouter_in_flight_budget"}})
		a.retryAfter(after)
	})
}

// CreditsTooSmall is an account that can't pay for this one request.
func CreditsTooSmall() Fault {
	return openAIOnly("402 request too large", func(a *answer) {
		a.refuseWith(http.StatusPaymentRequired, map[string]any{
			"message":  "This request requires more credits, or fewer max_tokens. You requested up to 8192 tokens, but can only afford 12",
			"metadata": map[string]any{"reason": "weight_exceeds_budget", "limit_source": "openrouter_credits"}})
	})
}

func (a *answer) retryAfter(after time.Duration) {
	if after > 0 {
		a.header.Set("Retry-After", strconv.Itoa(int(after/time.Second)))
	}
}

// Busy is a limit per minute; after is how long to wait, 0 is not said.
func Busy(after time.Duration) Fault {
	return Fault{Name: "429 per minute", do: func(a *answer) {
		a.refuse(http.StatusTooManyRequests, "rate_limit_error", "Rate limit exceeded: free-models-per-min")
		a.retryAfter(after)
	}}
}

// NoMoreToday is a limit per day. OpenRouter names it in words and says the
// time in milliseconds since 1970; others have a long Retry-After.
func NoMoreToday(reset time.Time) Fault {
	return Fault{Name: "429 per day", do: func(a *answer) {
		if a.server.wire != OpenRouter {
			a.refuse(http.StatusTooManyRequests, "rate_limit_error", "Rate limit reached for requests per day (RPD)")
			a.retryAfter(time.Until(reset))
			return
		}
		ms := strconv.FormatInt(reset.UnixMilli(), 10)
		a.refuseWith(http.StatusTooManyRequests, map[string]any{"message": "Rate limit exceeded: free-models-per-day",
			"metadata": map[string]any{"headers": map[string]string{"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ms}}})
		a.header.Set("X-RateLimit-Reset", ms)
	}}
}

// BusyUpstream is OpenRouter passing on an upstream's limit.
func BusyUpstream() Fault {
	return openAIOnly("429 upstream", func(a *answer) {
		a.refuseWith(http.StatusTooManyRequests, map[string]any{"message": "Provider returned error",
			"metadata": map[string]any{"raw": "the model is busy", "provider_name": "P", "error_type": "rate_limit_exceeded"}})
	})
}

// QuotaGone is a 429 that no waiting helps against: OpenAI's empty account, or
// Anthropic's cap of spending.
func QuotaGone() Fault {
	return Fault{Name: "429 no money", do: func(a *answer) {
		if a.server.wire == Anthropic {
			a.refuseWith(http.StatusTooManyRequests, map[string]any{"type": "rate_limit_error", "message": "You have reached your spend limit",
				"details": map[string]any{"error_code": "enforced_spend_limit_reached"}})
			return
		}
		a.refuseWith(http.StatusTooManyRequests, map[string]any{"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"})
	}}
}

// NoEndpoint is a model that nobody serves as it was pinned.
func NoEndpoint() Fault {
	return failing("404 no endpoint", http.StatusNotFound, "not_found_error", "No endpoints found that match your price and parameters")
}

// NoTools is a model, or a server, that takes no tools.
func NoTools() Fault {
	return Fault{Name: "tools refused", do: func(a *answer) {
		if a.server.wire == OpenRouter {
			a.refuse(http.StatusNotFound, "not_found_error", "No endpoints found that support tool use")
			return
		}
		a.refuse(http.StatusBadRequest, "invalid_request_error", a.asked.Model+" does not support tools")
	}}
}

// TooLong is a conversation that is longer than the model's window.
func TooLong() Fault {
	return Fault{Name: "400 window full", do: func(a *answer) {
		if a.server.wire == Anthropic {
			a.refuse(http.StatusBadRequest, "invalid_request_error", "prompt is too long: 201000 tokens > 200000 maximum")
			return
		}
		a.refuseWith(http.StatusBadRequest, map[string]any{"message": "This model's maximum context length is 200000 tokens",
			"type": "invalid_request_error", "code": "context_length_exceeded", "metadata": map[string]any{"error_type": "context_length_exceeded"}})
	}}
}

// BadRequest is a request that sending again does not mend.
func BadRequest() Fault {
	return failing("400", http.StatusBadRequest, "invalid_request_error", "temperature is not supported by this model")
}

// Down is a server that fails with this status: 500, 502, 503, 529, …
func Down(status int) Fault {
	kinds := map[int]string{504: "timeout_error", 529: "overloaded_error"}
	return failing(strconv.Itoa(status), status, orElse(kinds[status], "api_error"), "the model is not available now")
}

// ComeBack adds to an error how long to wait.
func ComeBack(after time.Duration) Fault {
	return Fault{Name: fmt.Sprintf("Retry-After %s", after), do: func(a *answer) { a.retryAfter(after) }}
}

// HTMLPage answers with a web page and this status: a proxy's, a login's.
func HTMLPage(status int) Fault {
	return Fault{Name: fmt.Sprintf("an HTML page with %d", status), do: func(a *answer) {
		a.replaced, a.status, a.body, a.mediaType = true, status, "<html><h1>please log in</h1></html>", "text/html"
		if status == http.StatusOK {
			a.bill200()
		}
	}}
}

// bill200 bills the reply although something else is sent with status 200.
func (a *answer) bill200() {
	amount := a.price.of(a.usage)
	a.billed = &amount
}

// ErrorIn200 is an error as the only body of a success.
func ErrorIn200(status int) Fault {
	return Fault{Name: fmt.Sprintf("error %d in a 200", status), do: func(a *answer) {
		a.refuse(status, "api_error", "Provider returned error")
		a.status = http.StatusOK
		a.bill200()
	}}
}

// Redirect sends the client, with its key, to a server that nobody should ask.
func Redirect(status int) Fault {
	return Fault{Name: fmt.Sprintf("%d to elsewhere", status), do: func(a *answer) {
		a.replaced, a.status, a.body = true, status, ""
		a.header.Set("Location", a.server.elsewhere.URL+"/v1/chat/completions")
	}}
}
