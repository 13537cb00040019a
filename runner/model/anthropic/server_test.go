package anthropic

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
const key = "sk-ant-0123456789abcdef"

// asked is what a test server was sent.
type asked struct {
	path   string
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
		last.path, last.header, last.body = r.URL.Path, r.Header, nil
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
	c.BaseURL, c.Key, c.Model = s.URL+"/v1", key, "claude-x"
	out := New(c)
	t.Cleanup(out.Close)
	return out
}

// stream answers 200 with these events.
func stream(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprint(w, strings.Join(events, ""))
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

// ev is one event of a stream, named by its type.
func ev(body string) string {
	var e struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		panic(err)
	}
	return "event: " + e.Type + "\ndata: " + body + "\n\n"
}

var (
	begun = ev(`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,` +
		`"usage":{"input_tokens":100,"cache_creation_input_tokens":50,"cache_read_input_tokens":850,"output_tokens":1}}}`)
	hello = ev(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
		ev(`{"type":"ping"}`) +
		ev(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello, "}}`) +
		ev(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"world"}}`) +
		ev(`{"type":"content_block_stop","index":0}`)
	stopped = ev(`{"type":"message_stop"}`)
)

// ends is how an answer ends.
func ends(reason string) string {
	return ev(`{"type":"message_delta","delta":{"stop_reason":"`+reason+`","stop_sequence":null},"usage":{"output_tokens":80,"output_tokens_details":{"thinking_tokens":20}}}`) + stopped
}

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
