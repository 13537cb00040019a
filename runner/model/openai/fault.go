package openai

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// answer is a failure as it came: 200 for an error inside an answer.
type answer struct {
	status int
	host   string // of the server
	header http.Header
	body   []byte
	key    string
}

// failure is the error object of all the forms of it that are known: OpenAI's,
// OpenRouter's with its metadata, and the flat ones of local servers.
type failure struct {
	Code    json.RawMessage `json:"code"` // a number, or a word
	Message string          `json:"message"`
	Type    string          `json:"type"`
	Details struct {
		Code string `json:"error_code"`
	} `json:"details"`
	Metadata struct {
		Limit     string            `json:"limit_source"`
		Reason    string            `json:"reason"`
		ErrorType string            `json:"error_type"`
		Provider  string            `json:"provider_name"`
		Raw       json.RawMessage   `json:"raw"`
		Reasons   []string          `json:"reasons"` // of moderation
		Headers   map[string]string `json:"headers"`
	} `json:"metadata"`
}

// classify says what kind of failure an answer is.
func classify(a answer) *model.Error {
	f := parseFailure(a.body)
	e := &model.Error{Status: a.status, Message: f.text(a), RetryAfter: f.retryAfter(a.header, time.Now()), ID: replyID(a.header)}
	status := a.status
	if status/100 == 2 {
		status = f.status()
	}
	for _, r := range rules() {
		if r.matches(status, a.host, f, e.RetryAfter) {
			e.Fault, e.Once = r.fault, r.once
			return e
		}
	}
	e.Fault = model.FaultServer
	return e
}

// testified adds to a failure what stands beside it in its document: who was
// asked, and what it cost.
func testified(e *model.Error, document []byte) *model.Error {
	var beside chunk
	// What can be read of it counts, whatever else is in there.
	_ = json.Unmarshal(document, &beside)
	e.Model, e.Provider = beside.Model, beside.Provider
	if wire.Present(beside.Routing) {
		e.Routing = routing(beside.Routing)
	}
	if beside.Usage != nil {
		e.Usage.Cost = beside.Usage.model().Cost
	}
	return e
}

// words are all that stands in a failure to be read by programs.
func (f failure) words() []string {
	words := []string{f.code(), f.Metadata.ErrorType, f.Type, f.Details.Code, f.Metadata.Reason, f.Metadata.Limit}
	if len(f.Metadata.Reasons) > 0 {
		words = append(words, "moderation")
	}
	return words
}

// says reports whether one of the words is word, whose end may be a "*".
func (f failure) says(word string) bool {
	start, open := strings.CutSuffix(word, "*")
	return slices.ContainsFunc(f.words(), func(w string) bool {
		return w == word || open && strings.HasPrefix(w, start)
	})
}

// status is the one that an error inside a 200 would have had.
func (f failure) status() int {
	if n, err := strconv.Atoi(f.code()); err == nil && n >= 400 && n < 600 {
		return n
	}
	for _, word := range f.words() {
		if n, ok := statuses()[word]; ok {
			return n
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
	if wire.Present(outer.Error) && json.Unmarshal(outer.Error, &f) == nil {
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
	if f.Message == "" && wire.Present(outer.Detail) {
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
	return wire.Clean(message, a.key)
}

// retryAfter is how long the server asks to wait: Retry-After in seconds or as
// a date, else OpenRouter's X-RateLimit-Reset in milliseconds since 1970.
func (f failure) retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		value = f.Metadata.Headers["Retry-After"]
	}
	if wait := wire.RetryAfter(value, now); wait > 0 {
		return wait
	}
	reset := h.Get("X-RateLimit-Reset")
	if reset == "" {
		reset = f.Metadata.Headers["X-RateLimit-Reset"]
	}
	if ms, err := strconv.ParseInt(reset, 10, 64); err == nil && ms > 1e12 {
		return min(max(time.UnixMilli(ms).Sub(now), 0), wire.LongestWait)
	}
	return 0
}

// idForm is what a reply's id looks like where it can be asked for again.
var idForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// replyID is OpenRouter's id of a reply, which is known before the reply has
// begun; "" where there is none.
func replyID(h http.Header) string {
	if id := h.Get("X-Generation-Id"); idForm.MatchString(id) {
		return id
	}
	return ""
}
