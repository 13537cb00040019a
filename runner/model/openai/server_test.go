package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/runner/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// key is what no error may contain.
const key = "sk-or-v1-0123456789abcdef"

// asked is what a test server was sent.
type asked struct {
	header http.Header
	body   map[string]any
}

// server answers every request with handle and remembers the last request.
func server(t *testing.T, handle http.HandlerFunc) (*httptest.Server, *asked) {
	t.Helper()
	last := &asked{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		last.header, last.body = r.Header, nil
		if len(b) > 0 {
			if err := json.Unmarshal(b, &last.body); err != nil {
				t.Errorf("the request is no JSON: %v", err)
			}
		}
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s, last
}

// client is a client of s with a key and the fields of c.
func client(t *testing.T, s *httptest.Server, c Config) *Client {
	t.Helper()
	c.BaseURL, c.Key = s.URL+"/v1", key
	if c.Model == "" {
		c.Model = "a/b"
	}
	out := New(c)
	t.Cleanup(out.Close)
	return out
}

// stream answers 200 with these lines of a stream.
func stream(lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, strings.Join(lines, "\n")+"\n")
	}
}

// status answers with an error.
func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func data(json string) string { return "data: " + json + "\n" }

// said is a chunk with text, stopped the chunk that ends an answer, used its usage.
func said(text string) string {
	return data(fmt.Sprintf(`{"id":"gen-1","model":"a/b","provider":"P","choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`, text))
}

const done1 = "data: [DONE]\n"

var (
	stopped = data(`{"id":"gen-1","model":"a/b","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	used    = data(`{"id":"gen-1","model":"a/b","choices":[],"usage":{"prompt_tokens":1200,"completion_tokens":80,"cost":0.0032,"prompt_tokens_details":{"cached_tokens":900,"cache_write_tokens":100},"completion_tokens_details":{"reasoning_tokens":20}}}`)
)

// hi is a small request.
func hi() model.Request {
	return model.Request{Messages: []model.Message{{Role: model.User, Content: "hi"}}, MaxTokens: 100}
}

func ask(t *testing.T, handle http.HandlerFunc) (model.Reply, error) {
	t.Helper()
	s, _ := server(t, handle)
	return client(t, s, Config{}).Reply(context.Background(), hi())
}

func asError(t *testing.T, err error) *model.Error {
	t.Helper()
	var e *model.Error
	if !errors.As(err, &e) {
		t.Fatalf("no *model.Error: %v", err)
	}
	if strings.Contains(e.Error(), key) || strings.Contains(fmt.Sprintf("%+v", *e), key) {
		t.Errorf("the key is in the error: %v", e)
	}
	return e
}
