package runner

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/anthropic"
	"github.com/glovebox-run/glovebox/runner/model/modeltest"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/scripted"
)

// wireTurns is how long the session is that is measured.
const wireTurns = 30

// wireScript plans one feature and builds it in 30 turns as builders do: it
// reads, writes a file of a hundred lines, mends it, runs tests that print a page.
func wireScript() *scripted.Script {
	asCalls := func(calls []model.Call) (out []scripted.Call) {
		for _, c := range calls {
			out = append(out, scripted.Call{Name: c.Name, Arguments: c.Arguments})
		}
		return out
	}
	code := strings.Repeat("    print(\"a line of a program, as long as most\")\n", 100)
	var turns []scripted.Turn
	for n := range wireTurns - 1 {
		c := bash(fmt.Sprintf("echo run %d; seq -f 'tests/test_todo.py::test_%%g PASSED' 1 40; exit 1", n))
		switch n % 5 {
		case 1:
			c = write(fmt.Sprintf("part%d.py", n), code)
		case 3:
			c = call("read", "path", fmt.Sprintf("part%d.py", n-2))
		}
		turns = append(turns, scripted.Turn{Say: "I see what is missing and go on with it.", Calls: asCalls([]model.Call{c})})
	}
	turns = append(turns, scripted.Turn{Say: "Done.", Calls: asCalls([]model.Call{write("hello.sh", "echo hello\n"), finish("hello")})})
	return &scripted.Script{Name: "wire", Sessions: []scripted.Session{
		{Kind: initializer, Turns: []scripted.Turn{{Say: "The plan.", Calls: asCalls(planCalls("hello"))}}},
		{Kind: coding, Feature: "hello", Turns: turns},
	}}
}

// What goes over the wire in a session of 30 turns: every request is the one
// before it with something added in one place, so a provider that caches
// prompts reads only that anew. The table is in docs/models.md.
func TestBytesOnTheWire(t *testing.T) {
	t.Parallel()
	for _, mode := range []ToolMode{ToolsNative, ToolsText} {
		t.Run(string(mode), func(t *testing.T) {
			var bodies [][]byte
			script := wireScript().Handler()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				if bytes.Contains(body, []byte("Session: coding")) {
					bodies = append(bodies, body)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				script.ServeHTTP(w, r)
			}))
			defer server.Close()
			c := openai.New(openai.Config{BaseURL: server.URL + "/v1", Model: "wire"})
			defer c.Close()
			w := newWorld(t, nil)
			w.o.Model, w.o.Tools, w.o.Features = c, mode, 1
			w.o.ModelInfo = model.Info{ID: "wire", Accept: []string{"wire"}, PriceSource: "test"}
			w.done()
			if len(bodies) < wireTurns {
				t.Fatalf("%d turns", len(bodies))
			}
			sent, fresh := 0, 0
			var before []byte
			for i, body := range bodies[:wireTurns] {
				added := len(body) - common(before, body)
				sent, fresh = sent+len(body), fresh+added
				if i > 0 && len(body)-len(before) != added {
					t.Errorf("turn %d changes what was sent before: %d bytes are new, it grew by %d", i+1, added, len(body)-len(before))
				}
				if n := i + 1; n == 1 || n == 2 || n%5 == 0 {
					t.Logf("turn %2d: %6d bytes, %5d new; sum %7d, %6d new", n, len(body), added, sent, fresh)
				}
				before = body
			}
			if fresh*8 > sent {
				t.Errorf("of %d bytes %d are new: a cache saves too little", sent, fresh)
			}
		})
	}
}

// The same of Anthropic's format: but for the marks of where its cache ends,
// every request is the one before it and more, and it has marks at the end of
// what is the same.
func TestBytesOnAnthropicsWire(t *testing.T) {
	t.Parallel()
	plan, coding := wireScript().Sessions[0].Turns, wireScript().Sessions[1].Turns
	server := modeltest.New(t, modeltest.Anthropic, func(r modeltest.Request) modeltest.Turn {
		turns := plan
		if bytes.Contains(r.Body, []byte("Session: coding")) {
			turns = coding
		}
		turn := turns[r.Turn()-1]
		out := modeltest.Turn{Say: turn.Say, Reasoning: "so be it"}
		for _, c := range turn.Calls {
			out.Calls = append(out.Calls, modeltest.Call{Name: c.Name, Arguments: c.Arguments})
		}
		return out
	}, modeltest.Model{ID: "wire"})
	c := anthropic.New(anthropic.Config{BaseURL: server.URL, Key: modeltest.Key, Model: "wire"})
	t.Cleanup(c.Close)
	w := newWorld(t, nil)
	w.o.Model, w.o.Features = c, 1
	w.o.ModelInfo = model.Info{ID: "wire", Accept: []string{"wire"}, PriceSource: "test"}
	w.done()
	var before []byte
	for _, e := range server.Exchanges() {
		if !bytes.Contains(e.Body, []byte("Session: coding")) {
			continue
		}
		if marks := bytes.Count(e.Body, []byte(cacheMark)); marks < 2 || marks > 4 { // more than 4 are refused
			t.Errorf("request %d has %d marks", e.Number, marks)
		}
		body := bytes.ReplaceAll(bytes.ReplaceAll(e.Body, []byte(","+cacheMark), nil), []byte(cacheMark+","), nil)
		if added := len(body) - common(before, body); before != nil && len(body)-len(before) != added {
			t.Errorf("request %d changes what was sent before: %d bytes are new, it grew by %d", e.Number, added, len(body)-len(before))
		}
		before = body
	}
	if n := len(server.Exchanges()); n < wireTurns {
		t.Errorf("%d requests", n)
	}
}

// cacheMark says where a provider's cache may end.
const cacheMark = `"cache_control":{"type":"ephemeral"}`

// common is how many bytes b shares with a at its beginning and its end.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	end := 0
	for end < len(a)-n && end < len(b)-n && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return n + end
}
