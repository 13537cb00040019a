package anthropic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
)

// failed is an error's body.
func failed(kind, message string) string {
	return fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q},"request_id":"req_1"}`, kind, message)
}

// Every failure has its kind, the server's words, and how long to wait; and
// each is one request, for retries are somebody else's.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		fault  model.Fault
		wait   time.Duration
	}{
		"400":                {status(400, failed("invalid_request_error", "max_tokens: too large")), model.FaultRequest, 0},
		"400 too long":       {status(400, failed("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")), model.FaultContext, 0},
		"400 with the reply": {status(400, failed("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2")), model.FaultContext, 0},
		"400 spend limit":    {status(400, failed("invalid_request_error", "You have reached your specified API usage limits. You will regain access on 2026-12-01.")), model.FaultCredits, 0},
		"400 no credits":     {status(400, failed("invalid_request_error", "Your credit balance is too low to access the Anthropic API.")), model.FaultCredits, 0},
		"401":                {status(401, failed("authentication_error", "invalid x-api-key "+key)), model.FaultKey, 0},
		"402":                {status(402, failed("billing_error", "pay")), model.FaultCredits, 0},
		"403":                {status(403, failed("permission_error", "no")), model.FaultKey, 0},
		"404":                {status(404, failed("not_found_error", "model: x")), model.FaultNotFound, 0},
		"409":                {status(409, failed("conflict_error", "x")), model.FaultRequest, 0},
		"413":                {status(413, failed("request_too_large", "x")), model.FaultRequest, 0},
		"429":                {status(429, failed("rate_limit_error", "slow"), "Retry-After", "17"), model.FaultRateLimit, 17 * time.Second},
		"429 for long":       {status(429, failed("rate_limit_error", "slow"), "Retry-After", "7200"), model.FaultDailyLimit, 2 * time.Hour},
		"429 spend cap": {status(429, `{"type":"error","error":{"type":"rate_limit_error","message":"cap","details":{"error_code":"enforced_spend_limit_reached"}}}`),
			model.FaultCredits, 0},
		"500":                 {status(500, failed("api_error", "x"), "x-should-retry", "true"), model.FaultServer, 0},
		"504":                 {status(504, failed("timeout_error", "x")), model.FaultServer, 0},
		"529":                 {status(529, failed("overloaded_error", "Overloaded"), "Retry-After", "3"), model.FaultServer, 3 * time.Second},
		"502 HTML":            {status(502, "<html>bad gateway</html>"), model.FaultServer, 0},
		"a redirect":          {status(307, "", "Location", "http://elsewhere.example/"), model.FaultRequest, 0},
		"overloaded midway":   {stream(begun, hello, ev(failed("overloaded_error", "Overloaded"))), model.FaultServer, 0},
		"limited midway":      {stream(begun, "event: error\ndata: {\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n"), model.FaultRateLimit, 0},
		"an error with 200":   {status(200, failed("api_error", "x"), "Content-Type", "application/json"), model.FaultServer, 0},
		"cut at once":         {stream(), model.FaultServer, 0},
		"cut in the middle":   {stream(begun, hello), model.FaultServer, 0},
		"cut before its end":  {stream(begun, hello, strings.TrimSuffix(ends("end_turn"), stopped)), model.FaultServer, 0},
		"cut in an event":     {stream(begun, "event: ping\ndata: {\"typ"), model.FaultServer, 0},
		"no JSON":             {stream(begun, "data: hello\n\n"), model.FaultServer, 0},
		"a page":              {status(200, "<html>log in</html>", "Content-Type", "text/html"), model.FaultServer, 0},
		"two beginnings":      {stream(begun, begun, hello, ends("end_turn")), model.FaultServer, 0},
		"no beginning":        {stream(ends("end_turn")), model.FaultServer, 0},
		"a block too far":     {stream(begun, ev(`{"type":"content_block_start","index":2000000000,"content_block":{"type":"text"}}`)), model.FaultServer, 0},
		"a piece of nothing":  {stream(begun, ev(`{"type":"content_block_delta","index":3,"delta":{"text":"x"}}`)), model.FaultServer, 0},
		"a piece before zero": {stream(begun, hello, ev(`{"type":"content_block_delta","index":-1,"delta":{"text":"x"}}`)), model.FaultServer, 0},
		"a block of nothing":  {stream(begun, ev(`{"type":"content_block_start","index":0,"content_block":null}`)), model.FaultServer, 0},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			s, _ := server(t, func(w http.ResponseWriter, r *http.Request) { requests++; c.handle(w, r) })
			_, err := client(t, s, Config{}).Reply(context.Background(), hi())
			e := asError(t, err)
			if e.Fault != c.fault || e.RetryAfter != c.wait || e.Message == "" || requests != 1 {
				t.Errorf("%v after %d requests: %+v", e.Fault, requests, e)
			}
			if e.Usage.Known {
				t.Errorf("a failure that pretends to know what it used: %+v", e.Usage)
			}
		})
	}
}

// A server that falls silent, before or in its answer, is given up.
func TestSilence(t *testing.T) {
	for name, start := range map[string]string{"at once": "", "in the middle": begun + hello} {
		t.Run(name, func(t *testing.T) {
			s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				stream(start)(w, r)
				if start != "" {
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			})
			_, err := client(t, s, Config{FirstByte: 50 * time.Millisecond, Idle: 50 * time.Millisecond}).Reply(context.Background(), hi())
			if e := asError(t, err); e.Fault != model.FaultServer {
				t.Errorf("%+v", e)
			}
		})
	}
}

// The caller ends a request at once, and it looks like nothing else.
func TestCancel(t *testing.T) {
	began := make(chan struct{})
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		stream(begun)(w, r)
		w.(http.Flusher).Flush()
		close(began)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-began; cancel() }()
	start := time.Now()
	_, err := client(t, s, Config{}).Reply(ctx, hi())
	if !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

// An answer without end is cut.
func TestEndlessAnswer(t *testing.T) {
	piece := ev(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + strings.Repeat("x", 1<<16) + `"}}`)
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		stream(begun, hello)(w, r)
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(piece)); err != nil {
				return
			}
		}
	})
	c := client(t, s, Config{})
	c.watched.Limit = 1 << 20
	_, err := c.Reply(context.Background(), hi())
	if e := asError(t, err); e.Fault != model.FaultServer || !strings.Contains(e.Message, "longer than") {
		t.Errorf("%+v", e)
	}
}

// A key is sent to nobody else.
func TestNoRedirectWithKey(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	if _, err := ask(t, status(308, "", "Location", other.URL+"/v1/messages")); asError(t, err).Fault != model.FaultRequest {
		t.Error(err)
	}
}

// Nobody there.
func TestUnreachable(t *testing.T) {
	c := New(Config{BaseURL: "http://127.0.0.1:1/v1", Key: key, Model: "m"})
	defer c.Close()
	if _, err := c.Reply(context.Background(), hi()); asError(t, err).Fault != model.FaultUnreachable {
		t.Error(err)
	}
}
