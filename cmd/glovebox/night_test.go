//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model/scripted"
)

// greeting is the part of a script that builds the greeter; before says what
// its coding session does first.
func greeting(name, before string) string {
	return `name: ` + name + `
about: builds the greeter
sessions:
- kind: initializer
  turns:
  - say: One feature.
    calls:
    - write: {path: feature_list.json, content: '[{"id": "greet", "category": "functional", "description": "Greet by name", "steps": ["sh hello.sh Ada prints: Hello, Ada!"], "verify": "sh tests/greet.sh", "frozen": ["tests/greet.sh"]}]'}
    - write: {path: tests/greet.sh, content: "[ \"$(sh hello.sh Ada)\" = \"Hello, Ada!\" ]\n"}
    - write: {path: hello.sh, content: "# Says nothing yet.\n"}
    - write: {path: README.md, content: "# hello\n"}
    - write: {path: init.sh, content: "sh -n hello.sh\n"}
    - finish: {status: done, note: "Nothing is left out."}
- kind: coding
  feature: greet
  turns:
` + before + `
  - say: Now it greets.
    calls:
    - write: {path: hello.sh, content: "echo \"Hello, $1!\"\n"}
    - finish: {status: done, note: It greets.}
`
}

// does is a turn of a script with one command.
func does(command string) string {
	return fmt.Sprintf("  - say: First this.\n    calls:\n    - bash: {command: %q}", command)
}

// again is the same answer so many times.
func again(n int, answer http.HandlerFunc) []http.HandlerFunc {
	return slices.Repeat([]http.HandlerFunc{answer}, n)
}

// backend serves a script's model, and costs what its prices say; first are the
// answers to the first requests instead.
func backend(t *testing.T, script string, first ...http.HandlerFunc) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model.yaml")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := scripted.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	handler := s.Handler()
	var mu sync.Mutex
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		n := asked
		mu.Unlock()
		if n <= len(first) && first[n-1] != nil {
			first[n-1](w, r)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// repliesOf is one reply in a stream, with a usage and a cost.
func repliesOf(model, usage string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"id\":\"r\",\"model\":%q,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":%s}\n\ndata: [DONE]\n\n", model, usage)
	}
}

// nightly is one spec of the night and what must be said of it in the morning.
type nightly struct {
	name, set string // of the manifest
	want      runner.Outcome
	says      string
}

// night are 24 specs, a dozen of which go well.
func night(t *testing.T, dir string) (list []nightly) {
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := func(name, before string) string {
		write(name+".yaml", greeting(name, before))
		return "model: scripted/" + filepath.Join(dir, name+".yaml")
	}
	custom := func(url, more string) string { return "model: custom/m, price: 1/2, base-url: " + url + more }
	good := script("good", does("true"))
	for i := range 11 {
		list = append(list, nightly{fmt.Sprintf("good%02d", i+1), good, runner.Done, ""})
	}
	m := greeting("m", does("true"))
	write("wrong.yaml", strings.ReplaceAll(greeting("wrong", does("true")), "Hello, $1", "Hi, $1"))
	wrong := "model: scripted/" + filepath.Join(dir, "wrong.yaml")
	return append(list,
		nightly{"loops", script("loops", strings.TrimSuffix(strings.Repeat(does("cat README.md")+"\n", 40), "\n")) + ", max-iterations: 2", runner.Incomplete, "--max-iterations"},
		nightly{"overspends", custom(backend(t, m, repliesOf("m", `{"prompt_tokens":9,"completion_tokens":9,"cost":4}`)), ""), runner.ModelRefused, "more than the"},
		nightly{"broke", custom(backend(t, m), `, budget: 0.0001`), runner.OverBudget, "budget of 0.0001 USD"},
		nightly{"impostor", custom(backend(t, m, nil, repliesOf("m-large", `{"prompt_tokens":9,"completion_tokens":9}`)), ""), runner.ModelRefused, `"m-large" answered`},
		nightly{"minute", custom(backend(t, m, status(429, `{"error":{"message":"slow down"}}`, "Retry-After", "1")), ""), runner.Done, ""},
		nightly{"day", custom(backend(t, m, append([]http.HandlerFunc{nil}, again(50, status(429, `{"error":{"message":"free-models-per-day"}}`, "Retry-After", "7200"))...)...), ""), runner.RateLimit, "today"},
		nightly{"fork", script("fork", does("bomb() { bomb | bomb & }; bomb; sleep 1")) + ", pids: 64", runner.Done, ""},
		nightly{"full", script("full", does("head -c 300000000 /dev/zero > big; rm -f big")) + ", disk: 64m", runner.Done, ""},
		nightly{"engine", script("engine", does(": outlives the engine; sleep 100")), runner.Done, ""},
		nightly{"crash", script("crash", does(": outlives the process; sleep 20")), runner.Done, ""},
		nightly{"down", custom(backend(t, m, again(8, status(500, `{"error":{"message":"out of order"}}`))...), ""), runner.FailedRun, "server failed"},
		nightly{"wrong", wrong, runner.Incomplete, "blocked"},
		nightly{"gone", "model: custom/m, price: 1/2, base-url: http://127.0.0.1:9/v1", runner.FailedRun, "can't be reached"},
	)
}

// A night of 24 specs on two processors, with an engine that is restarted and a
// process that is killed in the middle. In the morning each has the end that it
// had, the sums are those of the ledgers, and nothing is left behind. make test
// has eight of the specs, GLOVEBOX_PROOF=full all.
func TestNight(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Docker engine; -short leaves it out")
	}
	own := ownEngine(t)
	dir := t.TempDir()
	list := night(t, dir)
	if len(list) != 24 {
		t.Fatalf("%d specs", len(list))
	}
	if os.Getenv("GLOVEBOX_PROOF") != "full" {
		short := strings.Fields("good01 good02 broke impostor day fork engine crash")
		list = slices.DeleteFunc(list, func(n nightly) bool { return !slices.Contains(short, n.name) })
	}
	var manifest strings.Builder
	manifest.WriteString("image: " + ownImage + "\nfeatures: 1\nspecs:\n")
	for _, n := range list {
		fmt.Fprintf(&manifest, "- {spec: spec.txt, name: %s, %s}\n", n.name, n.set)
	}
	for name, text := range map[string]string{"spec.txt": "A greeter.\n", "night.yaml": manifest.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "night")
	began := time.Now()
	first := batchProcess(t, dir)
	first.await(filepath.Join(out, "engine"), "outlives the engine")
	own.Stop()
	own.Start()
	first.await(filepath.Join(out, "crash"), "outlives the process")
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	second := batchProcess(t, dir)
	<-second.ended
	if code := second.cmd.ProcessState.ExitCode(); code != runner.OverBudget.ExitCode() {
		t.Errorf("the batch ended with %d:\n%s", code, &second.err)
	}
	checkMorning(t, out, list, second.out.String())
	if left := own.Containers(); len(left) > 0 {
		t.Errorf("%d boxes are left", len(left))
	}
	used := second.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	t.Logf("%d specs in %s, at most %d MB resident\n%s", len(list), time.Since(began).Round(time.Second), used.Maxrss>>10, &second.out)
}

// process is a batch that runs.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err bytes.Buffer
	ended    chan struct{}
}

// batchProcess starts the real program on the night's manifest.
func batchProcess(t *testing.T, dir string) *process {
	t.Helper()
	program := filepath.Join(t.TempDir(), "glovebox") // by this name the test program is the real one
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, program)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(program, "batch", "night.yaml", "--out", "night", "--yes", "--parallel", "4", "--total-budget", "20")
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.out, &p.err
	p.cmd.Env = append(os.Environ(), "HOME="+filepath.Join(dir, "home"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in its state
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	return p
}

// await waits until the job in dir runs a command that holds the words.
func (p *process) await(dir, words string) {
	p.t.Helper()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-tick.C:
			events, _ := runner.ReadLedger(dir) // none before the job has begun
			if slices.ContainsFunc(events, func(e ledger.Event) bool {
				return e.Kind == ledger.CallStart && strings.Contains(e.Call.Args, words)
			}) {
				return
			}
		case <-p.ended:
			p.t.Fatalf("%s never ran %q:\n%s%s", dir, words, &p.out, &p.err)
		}
	}
}

// checkMorning compares what is said with what happened.
func checkMorning(t *testing.T, out string, list []nightly, said string) {
	t.Helper()
	spent, done := decimal.Zero, 0
	for _, n := range list {
		s, err := runner.ReadStatus(filepath.Join(out, n.name))
		if err != nil && n.want != runner.FailedRun {
			t.Errorf("%s: %v", n.name, err)
			continue
		}
		spent = spent.Add(s.Spent)
		line := ""
		for l := range strings.Lines(said) {
			if fields := strings.Fields(l); len(fields) > 2 && (fields[1] == n.name || fields[2] == n.name) {
				line = l
			}
		}
		if !strings.Contains(line, string(n.want)) {
			t.Errorf("%s: %q, want %s", n.name, line, n.want)
		}
		if s.Outcome != n.want || !strings.Contains(s.Reason+s.Hint, n.says) {
			t.Errorf("%s: %s, %q, want %s, %q", n.name, s.Outcome, s.Reason, n.want, n.says)
		}
		if s.Outcome == runner.Done {
			done++
		}
	}
	if head := fmt.Sprintf("%d of %d jobs done, %s USD\n", done, len(list), spent); !strings.HasPrefix(said, head) {
		t.Errorf("the summary begins %.60q, the ledgers make %q", said, head)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{".glovebox-batch": true, "report.html": true, "report.json": true, "junit.xml": true}
	for _, n := range list {
		known[n.name] = true
	}
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}
