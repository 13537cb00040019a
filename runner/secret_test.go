package runner

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
)

const secret = "sk-canary-0123456789abcdef"

// wire serves an actor over HTTP in pieces of three bytes, so that no piece
// holds a key, and keeps what it was sent.
type wire struct {
	actor actor
	mu    sync.Mutex
	sent  strings.Builder
}

func (s *wire) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	body, _ := io.ReadAll(hr.Body)
	s.mu.Lock()
	s.sent.Write(body)
	s.mu.Unlock()
	var in struct {
		Messages []struct {
			Role    model.Role `json:"role"`
			Content string     `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var r model.Request
	for _, m := range in.Messages {
		r.Messages = append(r.Messages, model.Message{Role: m.Role, Content: m.Content})
	}
	reply := s.actor(r)
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(delta any, finish string) {
		choice := map[string]any{"index": 0, "delta": delta}
		if finish != "" {
			choice["finish_reason"] = finish
		}
		text, _ := json.Marshal(map[string]any{"model": "actor", "choices": []any{choice}})
		fmt.Fprintf(w, "data: %s\n\n", text)
	}
	for piece := range pieces(reply.Content) {
		chunk(map[string]any{"content": piece}, "")
	}
	for i, c := range reply.Calls {
		function := map[string]any{"name": c.Name}
		for piece := range pieces(c.Arguments) {
			function["arguments"] = piece
			chunk(map[string]any{"tool_calls": []any{map[string]any{"index": i, "id": fmt.Sprint("c", i), "function": function}}}, "")
			function = map[string]any{}
		}
	}
	chunk(map[string]any{}, "tool_calls")
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func pieces(s string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			n := min(3, len(s))
			if !yield(s[:n]) {
				return
			}
			s = s[n:]
		}
	}
}

// I3: a key that stands in the spec, and that the model says in every form and
// in pieces, reaches no box, no file of the project or its state, and not the
// model.
func TestI3KeyGoesNowhere(t *testing.T) {
	t.Parallel()
	server := &wire{actor: func(r model.Request) model.Reply {
		switch {
		case isFor(r, "hello") && turnOf(r) == 0:
			escaped := model.Call{ID: "e", Name: "write", Arguments: `{"path":"escaped","content":"` + "\\u0073" + secret[1:] + `"}`}
			return model.Reply{Content: "the key is " + secret, Calls: []model.Call{
				bash("echo " + secret + " > said"), write("written", secret), write(secret, "x"), escaped,
				call("edit", "path", "written", "old_string", "redacted", "new_string", secret), call("read", "path", secret),
				{ID: "o", Name: secret, Arguments: secret},
			}}
		case isFor(r, "hello"):
			return says(write("hello.sh", "echo hello\n"), finish("the key is "+secret))
		default:
			return greeter(r)
		}
	}}
	s := httptest.NewServer(server)
	defer s.Close()
	client := openai.New(openai.Config{BaseURL: s.URL + "/v1", Model: "actor"})
	defer client.Close()
	w := newWorld(t, nil)
	w.o.Model = client
	w.o.Spec.Text += "The key is " + secret + ".\n"
	w.o.Redact = func(text string) string { return strings.ReplaceAll(text, secret, "[redacted]") }
	w.done()
	if err := filepath.WalkDir(w.o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.Contains(path, secret) {
			t.Errorf("%s: %v", path, err)
			return err
		}
		if !d.Type().IsRegular() || path == w.path(".glovebox/spec.txt") { // the user's own text, which no box sees
			return nil
		}
		if data, err := os.ReadFile(path); err != nil || strings.Contains(string(data), secret) {
			t.Errorf("%s has the key, %v", path, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if got := w.content("said") + w.content("written"); strings.Count(got, "[redacted]") < 2 {
		t.Errorf("the calls were not executed without the key: %q", got)
	}
	for _, e := range w.events {
		if text, err := json.Marshal(e); err != nil || strings.Contains(string(text)+ledger.Line(e), secret) {
			t.Errorf("event %d has the key, %v", e.Seq, err)
		}
	}
	for _, part := range strings.SplitAfter(server.sent.String(), `"role":`) {
		if strings.Contains(part, secret) && !strings.HasPrefix(part, `"assistant"`) {
			t.Errorf("the model was told the key: %.300s", part)
		}
	}
}
