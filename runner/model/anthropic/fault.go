package anthropic

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// answer is a failure as it came: 200 for an error inside an answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	key    string
}

// failure is the error object of the service.
type failure struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Details struct {
		Code string `json:"error_code"`
	} `json:"details"`
}

// classify says what kind of failure an answer is.
func classify(a answer) *model.Error {
	var outer struct {
		Error failure `json:"error"`
	}
	// A body in another form has no words for us; its status still counts.
	_ = json.Unmarshal(a.body, &outer)
	f := outer.Error
	e := &model.Error{Status: a.status, Message: f.text(a), RetryAfter: wire.RetryAfter(a.header.Get("Retry-After"), time.Now())}
	status := a.status
	if status/100 == 2 {
		status = f.status()
	}
	e.Fault = f.fault(status, e.RetryAfter)
	return e
}

// fault is by status first; words decide where one status means several things.
func (f failure) fault(status int, retryAfter time.Duration) model.Fault {
	switch {
	case status == 400:
		return f.invalid()
	case status == 401 || status == 403:
		return model.FaultKey
	case status == 402:
		return model.FaultCredits
	case status == 404:
		return model.FaultNotFound
	case status == 429 && f.Details.Code == "enforced_spend_limit_reached":
		return model.FaultCredits
	case status == 429 && retryAfter > wire.PerDay:
		return model.FaultDailyLimit
	case status == 429:
		return model.FaultRateLimit
	case status == 408 || status >= 500:
		return model.FaultServer
	case status >= 300:
		return model.FaultRequest
	default:
		return model.FaultServer
	}
}

// invalid tells the three meanings of a 400 apart, for which the service has
// one type and only words.
func (f failure) invalid() model.Fault {
	words := strings.ToLower(f.Message)
	switch {
	case strings.Contains(words, "prompt is too long") || strings.Contains(words, "exceed context limit"):
		return model.FaultContext
	case strings.Contains(words, "usage limits") || strings.Contains(words, "credit balance"):
		return model.FaultCredits
	default:
		return model.FaultRequest
	}
}

// status is the one that an error inside a 200 would have had.
func (f failure) status() int {
	switch f.Type {
	case "invalid_request_error":
		return http.StatusBadRequest
	case "authentication_error":
		return http.StatusUnauthorized
	case "billing_error":
		return http.StatusPaymentRequired
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error":
		return http.StatusNotFound
	case "conflict_error":
		return http.StatusConflict
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	case "rate_limit_error":
		return http.StatusTooManyRequests
	default:
		return http.StatusInternalServerError
	}
}

// text is the message for people, bounded and without keys.
func (f failure) text(a answer) string {
	message := f.Message
	if a.status/100 == 3 {
		message = "the server redirects to another address, which is not followed: " + a.header.Get("Location")
	}
	if message == "" && !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<")) {
		message = string(a.body)
	}
	if strings.TrimSpace(message) == "" {
		message = http.StatusText(a.status)
	}
	return wire.Clean(message, a.key)
}
