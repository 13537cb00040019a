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
