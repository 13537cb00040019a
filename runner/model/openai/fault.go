package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner/model"
)

// answer is a failure as it came: 200 for an error inside an answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	key    string
}

// failure is the error object of all the forms of it that are known: OpenAI's,
// OpenRouter's with its metadata, and the flat ones of local servers.
type failure struct {
	Code     json.RawMessage `json:"code"` // a number, or a word
	Message  string          `json:"message"`
	Type     string          `json:"type"`
	Metadata struct {
		Limit     string            `json:"limit_source"`
		ErrorType string            `json:"error_type"`
		Provider  string            `json:"provider_name"`
		Raw       json.RawMessage   `json:"raw"`
		Reasons   []string          `json:"reasons"`
		Headers   map[string]string `json:"headers"`
	} `json:"metadata"`
}

// classify says what kind of failure an answer is.
func classify(a answer) *model.Error {
	f := parseFailure(a.body)
	e := &model.Error{Status: a.status, Message: f.text(a), RetryAfter: f.retryAfter(a.header, time.Now())}
	status := a.status
	if status/100 == 2 {
		status = f.status()
	}
	e.Fault = f.fault(status, e.RetryAfter)
	return e
}

// fault is by status first; words decide where one status means two things.
func (f failure) fault(status int, retryAfter time.Duration) model.Fault {
	switch {
	case status == 401:
		return model.FaultKey
	case status == 403:
		return f.forbidden()
	case status == 402 && f.Metadata.Limit == "openrouter_in_flight_budget" && retryAfter > 0:
		return model.FaultRateLimit // money held for requests under way; it comes back
	case status == 402:
		return model.FaultCredits
	case status == 404:
		return model.FaultNotFound
	case status == 429:
		return f.limited(retryAfter)
	case status == 408 || status >= 500:
		return model.FaultServer
	case f.code() == "model_not_found":
		return model.FaultNotFound
	case status >= 300:
		return model.FaultRequest
	default:
		return model.FaultServer
	}
}

func (f failure) forbidden() model.Fault {
	switch {
	case len(f.Metadata.Reasons) > 0:
		return model.FaultRequest // moderation: the text, not the key
	case strings.HasPrefix(f.Metadata.Limit, "openrouter_"):
		return model.FaultCredits // a budget that the key has at the provider
	default:
		return model.FaultKey
	}
}

// perDay is a wait that is no limit per minute any more.
const perDay = 10 * time.Minute

func (f failure) limited(retryAfter time.Duration) model.Fault {
	switch f.code() {
	case "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "enforced_spend_limit_reached":
		return model.FaultCredits
	}
	// OpenRouter's limit of free models names itself only in words.
	words := strings.ToLower(f.Message)
	if retryAfter > perDay || strings.Contains(words, "per-day") || strings.Contains(words, "per day") {
		return model.FaultDailyLimit
	}
	return model.FaultRateLimit
}

// status is the one that an error inside a 200 would have had.
func (f failure) status() int {
	code := f.code()
	if n, err := strconv.Atoi(code); err == nil && n >= 400 && n < 600 {
		return n
	}
	for _, word := range []string{code, f.Metadata.ErrorType, f.Type} {
		switch word {
		case "rate_limit_exceeded", "rate_limit_error", "slow_down", "insufficient_quota", "credit_balance_exhausted":
			return http.StatusTooManyRequests
		case "context_length_exceeded", "invalid_request", "invalid_request_error", "invalid_prompt", "max_tokens_exceeded",
			"token_limit_exceeded", "content_policy_violation", "unprocessable", "payload_too_large":
			return http.StatusBadRequest
		case "authentication", "authentication_error":
			return http.StatusUnauthorized
		case "payment_required":
			return http.StatusPaymentRequired
		case "not_found", "model_not_found":
			return http.StatusNotFound
		}
	}
	return http.StatusInternalServerError
}

func (f failure) code() string {
	return strings.Trim(string(f.Code), `"`)
}

// parseFailure finds the error object in a body; the message may be all of it.
func parseFailure(body []byte) failure {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
		Type    string          `json:"type"`
		Code    json.RawMessage `json:"code"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return failure{}
	}
	var f failure
	if present(outer.Error) && json.Unmarshal(outer.Error, &f) == nil {
		return f
	}
	f = failure{Message: text(outer.Error), Type: outer.Type, Code: outer.Code}
	if f.Message == "" {
		// A message of another type than text spoils the whole object: take what can be had.
		var loose struct {
			Code    json.RawMessage `json:"code"`
			Message json.RawMessage `json:"message"`
		}
		if json.Unmarshal(outer.Error, &loose) == nil {
			f.Code, f.Message = loose.Code, string(loose.Message)
		}
	}
	if f.Message == "" {
		f.Message = outer.Message
	}
	if f.Message == "" && present(outer.Detail) {
		f.Message = string(outer.Detail)
	}
	return f
}

// text is the message for people, bounded and without keys. What an upstream
// said is added where the server only says that there was something.
func (f failure) text(a answer) string {
	message := f.Message
	if raw := text(f.Metadata.Raw); raw != "" && raw != message {
		message += ": " + raw
	}
	if f.Metadata.Provider != "" {
		message += " (" + f.Metadata.Provider + ")"
	}
	if a.status/100 == 3 {
		message = "the server redirects to another address, which is not followed: " + a.header.Get("Location")
	}
	if message == "" && !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<")) {
		message = string(a.body)
	}
	if strings.TrimSpace(message) == "" {
		message = http.StatusText(a.status)
	}
	return clean(message, a.key)
}

// retryAfter is how long the server asks to wait: Retry-After in seconds or as
// a date, else OpenRouter's X-RateLimit-Reset in milliseconds since 1970.
func (f failure) retryAfter(h http.Header, now time.Time) time.Duration {
	const longest = 48 * time.Hour
	value := h.Get("Retry-After")
	if value == "" {
		value = f.Metadata.Headers["Retry-After"]
	}
	if s, err := strconv.ParseFloat(value, 64); err == nil && s > 0 {
		return time.Duration(min(s, longest.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), longest)
	}
	reset := h.Get("X-RateLimit-Reset")
	if reset == "" {
		reset = f.Metadata.Headers["X-RateLimit-Reset"]
	}
	if ms, err := strconv.ParseInt(reset, 10, 64); err == nil && ms > 1e12 {
		return min(max(time.UnixMilli(ms).Sub(now), 0), longest)
	}
	return 0
}

// keyLike is what keys of the known providers look like, also when a server
// quotes one half hidden.
var keyLike = regexp.MustCompile(`\bsk-[A-Za-z0-9_*.-]{6,}`)

// shortestKey is a length below which a key is no secret, and removing it
// would only take letters out of words.
const shortestKey = 6

// clean makes text of a server fit for people: without keys, on one line,
// without control characters, at most 500 bytes.
func clean(s, key string) string {
	if len(key) >= shortestKey {
		s = strings.ReplaceAll(s, key, "[key]")
	}
	s = keyLike.ReplaceAllString(s, "[key]")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return first(strings.Join(strings.Fields(s), " "), 500)
}

// first is at most the first n bytes of s, on a whole character.
func first(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
