package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// Error statuses, as the providers send them.
func TestStatus(t *testing.T) {
	reset := fmt.Sprint(time.Now().Add(7 * time.Hour).UnixMilli())
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		fault  model.Fault
		words  string
	}{
		"401":          {status(401, `{"error":{"code":401,"message":"No auth credentials found"}}`), model.FaultKey, "No auth credentials found"},
		"401 with key": {status(401, `{"error":{"message":"Incorrect API key provided: `+key+`"}}`), model.FaultKey, "Incorrect API key provided: [key]"},
		"401 half a key": {status(401, `{"error":{"message":"Incorrect API key provided: sk-or-v1*****cdef."}}`), model.FaultKey,
			"Incorrect API key provided: [key]"},
		"403":            {status(403, `{"error":{"message":"not in the key's allow list"}}`), model.FaultKey, ""},
		"403 moderation": {status(403, `{"error":{"message":"flagged","metadata":{"reasons":["x"]}}}`), model.FaultRequest, ""},
		"403 budget":     {status(403, `{"error":{"message":"spent","metadata":{"limit_source":"openrouter_key_limit"}}}`), model.FaultCredits, ""},
		"402":            {status(402, `{"error":{"code":402,"message":"Insufficient credits"}}`), model.FaultCredits, "Insufficient credits"},
		"402 in flight": {status(402, `{"error":{"message":"x","metadata":{"limit_source":"openrouter_in_flight_budget"}}}`, "Retry-After", "3"),
			model.FaultRateLimit, ""},
		"402 in flight, without a time": {status(402, `{"error":{"message":"x","metadata":{"limit_source":"openrouter_in_flight_budget"}}}`), model.FaultCredits, ""},
		"404":                           {status(404, `{"error":{"message":"No endpoints found"}}`), model.FaultNotFound, "No endpoints found"},
		"400":                           {status(400, `{"error":{"message":"context too long","code":"context_length_exceeded"}}`), model.FaultContext, ""},
		"400 window of llama.cpp":       {status(400, `{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}`), model.FaultContext, ""},
		"400 window of vLLM":            {status(400, `{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}`), model.FaultContext, ""},
		"400 window of OpenRouter":      {status(400, `{"error":{"code":400,"message":"x","metadata":{"error_type":"context_length_exceeded"}}}`), model.FaultContext, ""},
		"400 tools of Ollama":           {status(400, `{"error":{"message":"registry.ollama.ai/library/gemma:2b does not support tools","type":"api_error"}}`), model.FaultTools, ""},
		"400 tools and effort":          {status(400, `{"error":{"message":"Function tools with reasoning_effort are not supported for gpt-6-astra in /v1/chat/completions."}}`), model.FaultTools, ""},
		"404 tools of OpenRouter":       {status(404, `{"error":{"code":404,"message":"No endpoints found that support tool use. To learn more, see"}}`), model.FaultTools, ""},
		"500 tools of llama.cpp":        {status(500, `{"error":{"code":500,"message":"tools param requires --jinja flag","type":"server_error"}}`), model.FaultTools, ""},
		"400 no valid id":               {status(400, `{"error":{"code":400,"message":"a/b is not a valid model ID"}}`), model.FaultNotFound, ""},
		"400 spend limit of Anthropic":  {status(400, `{"error":{"message":"You have reached your specified API usage limits."}}`), model.FaultCredits, ""},
		"402 too large":                 {status(402, `{"error":{"code":402,"message":"x","metadata":{"reason":"weight_exceeds_budget","limit_source":"openrouter_credits"}}}`, "Retry-After", "3"), model.FaultCredits, ""},
		"429 spend cap of Anthropic":    {status(429, `{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}`), model.FaultCredits, ""},
		"503 slow down":                 {status(503, `{"error":{"message":"x","code":"slow_down"}}`), model.FaultRateLimit, ""},
		"503 overloaded":                {status(503, `{"error":{"message":"x","code":"server_is_overloaded"}}`), model.FaultServer, ""},
		"524":                           {status(524, ``), model.FaultServer, ""},
		"400 no such model":             {status(400, `{"error":{"message":"x","code":"model_not_found"}}`), model.FaultNotFound, ""},
		"413":                           {status(413, ``), model.FaultRequest, "Request Entity Too Large"},
		"422":                           {status(422, `{"detail":[{"msg":"bad"}]}`), model.FaultRequest, `[{"msg":"bad"}]`},
		"429":                           {status(429, `{"error":{"message":"slow down"}}`, "Retry-After", "17"), model.FaultRateLimit, "slow down"},
		"429 per minute":                {status(429, `{"error":{"message":"Rate limit exceeded: free-models-per-min"}}`), model.FaultRateLimit, ""},
		"429 per day":                   {status(429, `{"error":{"message":"Rate limit exceeded: free-models-per-day","metadata":{"headers":{"X-RateLimit-Reset":"`+reset+`"}}}}`), model.FaultDailyLimit, ""},
		"429 by its reset":              {status(429, `{"error":{"message":"enough"}}`, "X-RateLimit-Reset", reset), model.FaultDailyLimit, ""},
		"429 no money":                  {status(429, `{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}`), model.FaultCredits, ""},
		"429 upstream": {status(429, `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"a/b is busy","provider_name":"BaseTen"}}}`),
			model.FaultRateLimit, "Provider returned error: a/b is busy (BaseTen)"},
		"408":             {status(408, ``), model.FaultServer, "Request Timeout"},
		"500":             {status(500, `{"error":"model crashed"}`), model.FaultServer, "model crashed"},
		"502 in HTML":     {status(502, `<html><h1>Bad Gateway</h1>`), model.FaultServer, "Bad Gateway"},
		"503":             {status(503, `{"message":"starting"}`), model.FaultServer, "starting"},
		"529":             {status(529, `{"error":{"message":"overloaded"}}`), model.FaultServer, "overloaded"},
		"plain text":      {status(500, "out of memory\n\x1b[31m"), model.FaultServer, "out of memory [31m"},
		"a long message":  {status(500, strings.Repeat("x", 100<<10)), model.FaultServer, "xxxx"},
		"a strange error": {status(400, `{"error":{"message":["a","b"],"code":7}}`), model.FaultRequest, `["a","b"]`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, c.handle)
			e := asError(t, err)
			if e.Fault != c.fault || e.Status < 300 || !strings.Contains(e.Message, c.words) || len(e.Message) > 600 {
				t.Errorf("got %s, %d: %.700s", e.Fault, e.Status, e.Message)
			}
		})
	}
}

// Two answers have been seen that were slips of the server: they are worth one
// more attempt, and only there.
func TestOnce(t *testing.T) {
	none := `{"error":{"code":400,"message":"No models provided"}}`
	gone := `{"error":{"message":"The model does not exist","type":"invalid_request_error","code":"model_not_found"}}`
	for name, c := range map[string]struct {
		host   string
		handle http.HandlerFunc
		fault  model.Fault
		once   bool
	}{
		"no models":        {"openrouter.ai", status(400, none), model.FaultRequest, true},
		"OpenAI's 404":     {"api.openai.com", status(404, gone), model.FaultNotFound, true},
		"everybody's 404":  {"openrouter.ai", status(404, gone), model.FaultNotFound, false},
		"a hostile cousin": {"api.openai.com.evil.example", status(404, gone), model.FaultNotFound, false},
		"another 400":      {"api.openai.com", status(400, `{"error":{"message":"bad"}}`), model.FaultRequest, false},
	} {
		s, _ := server(t, c.handle)
		client := New(Config{BaseURL: "http://" + c.host + "/v1", Model: "a/b", HTTP: redirected(s.Listener.Addr().String())})
		_, err := client.Reply(context.Background(), hi())
		client.Close()
		if e := asError(t, err); e.Fault != c.fault || e.Once != c.once {
			t.Errorf("%s: %s, once %v", name, e.Fault, e.Once)
		}
	}
}

// redirected is a transport that finds every host at addr.
func redirected(addr string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
}

// What a failed answer was called is kept, so that its cost can be looked up:
// the header's id comes before the first byte of the answer.
func TestFailedReplyHasItsID(t *testing.T) {
	withHeader := func(lines ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Generation-Id", "gen-header")
			stream(lines...)(w, r)
		}
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"cut before the first chunk": {withHeader(": OPENROUTER PROCESSING\n"), "gen-header"},
		"cut after text":             {withHeader(said("Hello")), "gen-header"},
		"cut, no header":             {stream(said("Hello")), "gen-1"},
		"an error inside":            {withHeader(said("He"), data(`{"error":{"message":"boom"}}`)), "gen-header"},
		"a status":                   {status(504, ``, "X-Generation-Id", "gen-late"), "gen-late"},
		"a hostile id":               {status(504, ``, "X-Generation-Id", "../../keys?x="), ""},
		"no choices":                 {withHeader(done1), "gen-header"},
	} {
		_, err := ask(t, c.handle)
		if e := asError(t, err); e.ID != c.want {
			t.Errorf("%s: %q, want %q", name, e.ID, c.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	_, err := ask(t, status(429, `{}`, "Retry-After", "17"))
	if e := asError(t, err); e.RetryAfter != 17*time.Second {
		t.Errorf("seconds: %v", e.RetryAfter)
	}
	_, err = ask(t, status(503, `{}`, "Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)))
	if e := asError(t, err); e.RetryAfter < 50*time.Second || e.RetryAfter > time.Minute {
		t.Errorf("a date: %v", e.RetryAfter)
	}
	_, err = ask(t, status(429, `{}`, "Retry-After", "1e300"))
	if e := asError(t, err); e.RetryAfter != 48*time.Hour {
		t.Errorf("for ever: %v", e.RetryAfter)
	}
}

// A 200 that is none: errors in every place where they were seen, streams
// that end in the middle, answers without an answer. None may look complete.
func TestFalse200(t *testing.T) {
	object := `{"code":502,"message":"Provider disconnected","metadata":{"error_type":"provider_unavailable"}}`
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		fault  model.Fault
		words  string
	}{
		"error as the only body":   {status(200, `{"error":`+object+`}`, "Content-Type", "application/json"), model.FaultServer, "Provider disconnected"},
		"error in the stream":      {stream(said("He"), data(`{"id":"gen-1","model":"a/b","error":`+object+`,"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`), done1), model.FaultServer, "Provider disconnected"},
		"error as the first event": {stream(": OPENROUTER PROCESSING\n", data(`{"error":`+object+`}`), done1), model.FaultServer, "Provider disconnected"},
		"error in the choice":      {stream(said("He"), data(`{"choices":[{"index":0,"error":`+object+`,"delta":{}}]}`), stopped, used, done1), model.FaultServer, "Provider disconnected"},
		"error, then usage, DONE":  {stream(said("He"), data(`{"error":`+object+`,"choices":[{"delta":{},"finish_reason":null}]}`), used, done1), model.FaultServer, "Provider disconnected"},
		"finish error":             {stream(said("He"), data(`{"choices":[{"delta":{},"finish_reason":"error"}]}`), done1), model.FaultServer, ""},
		"event error":              {stream(said("He"), "event: error\n"+data(`{"message":"boom"}`), done1), model.FaultServer, "boom"},
		"error as text":            {stream(data(`{"error":"boom"}`)), model.FaultServer, "boom"},
		"error of 429":             {stream(data(`{"error":{"code":429,"message":"slow"}}`)), model.FaultRateLimit, "slow"},
		"error of a word":          {stream(data(`{"error":{"code":"server_error","message":"oops"}}`)), model.FaultServer, "oops"},
		"error of a full window":   {stream(data(`{"error":{"message":"too long","code":"context_length_exceeded"}}`)), model.FaultContext, "too long"},
		"error of overload":        {stream(data(`{"error":{"message":"busy","code":"provider_overloaded"}}`)), model.FaultServer, "busy"},
		"error of slowness":        {stream(data(`{"error":{"message":"busy","code":"slow_down"}}`)), model.FaultRateLimit, "busy"},
		"error of an empty purse":  {stream(data(`{"error":{"message":"busy","code":"insufficient_quota"}}`)), model.FaultCredits, "busy"},
		"error of 401":             {stream(data(`{"error":{"code":401,"message":"` + key + `"}}`)), model.FaultKey, "[key]"},
		"cut after text":           {stream(said("Hello")), model.FaultServer, "cut off"},
		"cut in an event":          {stream(said("Hello"), `data: {"choices":[{"del`), model.FaultServer, "cut off"},
		"nothing at all":           {stream(""), model.FaultServer, "cut off"},
		"no choices":               {stream(used, done1), model.FaultServer, "without an answer"},
		"no choices, one document": {status(200, `{"model":"a/b","choices":[]}`, "Content-Type", "application/json"), model.FaultServer, "without an answer"},
		"no JSON":                  {stream("data: hello\n", done1), model.FaultServer, "no chunk"},
		"a login page":             {status(200, `<html>please log in</html>`, "Content-Type", "text/html"), model.FaultServer, "no chunk"},
		"an empty page":            {status(200, ``), model.FaultServer, ""},
		"wrong types":              {stream(data(`{"model":7,"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}`), done1), model.FaultServer, "can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, c.handle)
			e := asError(t, err)
			if e.Fault != c.fault || !strings.Contains(e.Message, c.words) || e.Message == "" {
				t.Errorf("got %s, %d: %s", e.Fault, e.Status, e.Message)
			}
			if got.Content != "" {
				t.Errorf("a part of the answer came through: %+v", got)
			}
			if e.Status/100 != 2 {
				t.Errorf("status %d: the budget would think that nothing was billed", e.Status)
			}
		})
	}
}

// A server that never stops must not fill the memory. Chunks are bounded at
// less here, because reading 32 MiB of them takes its time.
func TestEndlessAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		line  string
		limit int
	}{
		"one line":       {strings.Repeat("x", 1<<16), wire.MaxBody},
		"chunks":         {said(strings.Repeat("x", 1<<16)), 2 << 20},
		"comments":       {": " + strings.Repeat("x", 1<<16) + "\n", wire.MaxBody},
		"short lines":    {"data: [\n" + strings.Repeat("data: 1,\n", 8<<10), 2 << 20},
		"one long event": {"data: \"" + strings.Repeat("x", 1<<16) + "\n", wire.MaxBody},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for range 2000 { // 128 MiB
					n, err := io.WriteString(w, c.line)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			})
			limited := client(t, s, Config{})
			limited.watched.Limit = c.limit
			_, err := limited.Reply(context.Background(), hi())
			if e := asError(t, err); e.Fault != model.FaultServer || !strings.Contains(e.Message, "longer than") {
				t.Errorf("got %v", e)
			}
			if got := int(sent.Load()); got > c.limit+(16<<20) {
				t.Errorf("%d MiB were read", got>>20)
			}
		})
	}
}

// A key must not follow a redirect, not even to the same machine.
func TestRedirect(t *testing.T) {
	visited := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited = true }))
	defer other.Close()
	for _, code := range []int{301, 302, 307, 308} {
		s, _ := server(t, status(code, "", "Location", other.URL))
		c := client(t, s, Config{})
		_, err := c.Reply(context.Background(), hi())
		if e := asError(t, err); e.Status != code || e.Fault != model.FaultRequest || !strings.Contains(e.Message, "redirect") {
			t.Errorf("%d: %v", code, e)
		}
		_, err = c.Get(context.Background(), "/models", 1000)
		if e := asError(t, err); e.Status != code {
			t.Errorf("%d: %v", code, e)
		}
	}
	if visited {
		t.Error("the redirect was followed")
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there now
	for _, url := range []string{"http://" + l.Addr().String() + "/v1", "http://no-such-host.invalid/v1"} {
		_, err = New(Config{BaseURL: url, Key: key, Model: "m"}).Reply(context.Background(), hi())
		if e := asError(t, err); e.Fault != model.FaultUnreachable || e.Status != 0 || e.Message == "" {
			t.Errorf("%s: %+v", url, e)
		}
	}
}

// A connection that breaks after the request has left may have been billed:
// that is not "unreachable".
func TestBrokenConnection(t *testing.T) {
	_, err := ask(t, func(w http.ResponseWriter, _ *http.Request) { hangUp(t, w) })
	if e := asError(t, err); e.Fault != model.FaultServer || e.Status != 0 {
		t.Errorf("before the answer: %+v", e)
	}
	_, err = ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, said("Hello"))
		_ = http.NewResponseController(w).Flush()
		hangUp(t, w)
	})
	if e := asError(t, err); e.Fault != model.FaultServer || e.Status != 200 {
		t.Errorf("in the answer: %+v", e)
	}
}

func hangUp(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	conn.Close()
}

// Ctrl-C ends a request within a second, whether the server has begun to
// answer or not.
func TestCancel(t *testing.T) {
	for name, begin := range map[string]bool{"before the answer": false, "in the answer": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				if begin {
					w.Header().Set("Content-Type", "text/event-stream")
					fmt.Fprint(w, said("Hel"))
					_ = http.NewResponseController(w).Flush()
				}
				cancel()
				<-r.Context().Done() // and the server notices
			})
			start := time.Now()
			_, err := client(t, s, Config{}).Reply(ctx, hi())
			if !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	}
}

// cancels ends a request when its answer has begun to arrive.
type cancels struct{ cancel func() }

func (c cancels) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		c.cancel()
	}
	return resp, err
}

// An answer that was cancelled may be billed: its id is kept.
func TestCancelledReplyHasItsID(t *testing.T) {
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Generation-Id", "gen-7")
		stream(said("Hel"))(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, err := client(t, s, Config{HTTP: cancels{cancel}}).Reply(ctx, hi())
	if e := asError(t, err); e.Fault != model.FaultCancelled || e.ID != "gen-7" || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v", e)
	}
}

// silence is a server that speaks now and then, on the test's clock.
type silence struct {
	first time.Duration   // until the answer begins
	gaps  []time.Duration // between the lines then
	lines []string
}

func (s silence) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body.Close()
	select {
	case <-time.After(s.first):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	pr, pw := io.Pipe()
	go func() {
		for i, line := range s.lines {
			select {
			case <-time.After(s.gaps[i]):
				_, _ = io.WriteString(pw, line+"\n")
			case <-r.Context().Done():
				pw.CloseWithError(r.Context().Err())
				return
			}
		}
		pw.Close()
	}()
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: pr}, nil
}

// A long answer is no fault, a silent server is one; a comment is a sign of life.
func TestSilence(t *testing.T) {
	m := time.Minute
	for name, c := range map[string]struct {
		server silence
		words  string // "" is success
	}{
		"an hour of comments": {silence{4 * m, []time.Duration{m, 4 * m, 4 * m, 4 * m, m}, []string{": wait", ": wait", said("hi"), ": wait", stopped}}, ""},
		"never begins":        {silence{6 * m, nil, nil}, "did not begin"},
		"headers, no more":    {silence{m, []time.Duration{6 * m}, []string{said("hi")}}, "did not begin"},
		"falls silent":        {silence{m, []time.Duration{m, 6 * m}, []string{said("hi"), stopped}}, "fell silent"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := New(Config{BaseURL: "http://test/v1", Model: "a/b", HTTP: c.server}).Reply(t.Context(), hi())
				if c.words == "" {
					if err != nil || got.Content != "hi" {
						t.Errorf("got %+v, %v", got, err)
					}
					return
				}
				if e := asError(t, err); e.Fault != model.FaultServer || !strings.Contains(e.Message, c.words) {
					t.Errorf("got %v", e)
				}
			})
		})
	}
}

// Catalogues are read with the same care.
func TestGet(t *testing.T) {
	s, last := server(t, status(200, "0123456789"))
	c := client(t, s, Config{})
	if b, err := c.Get(context.Background(), "/models", 10); err != nil || string(b) != "0123456789" || last.header.Get("Authorization") == "" {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := c.Get(context.Background(), "/models", 9); asError(t, err).Fault != model.FaultServer {
		t.Errorf("too long: %v", err)
	}
}
