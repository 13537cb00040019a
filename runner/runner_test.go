package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

func TestMain(m *testing.M) {
	boxtest.AgentIfAsked()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(inventories())
		os.Exit(code)
	}))
}

// inventories is where all tests together remember what the host holds: asking it takes a second.
var inventories = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "glovebox-test-")
	if err != nil {
		panic(err)
	}
	return dir
})

// actor plays the model: it sees a request and says what the reply is. It is
// asked by the words of the conversation only, like a model, so that a job that
// was interrupted can go on with it.
type actor func(r model.Request) model.Reply

func (a actor) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if err := ctx.Err(); err != nil {
		return model.Reply{}, err
	}
	reply := a(r)
	if reply.Model == "" {
		reply.Model = "actor"
	}
	if reply.Finish == "" {
		reply.Finish = model.FinishCalls
	}
	if !reply.Usage.Known {
		reply.Usage = model.Usage{Known: true, Prompt: 100, Completion: 10}
	}
	return reply, nil
}

// call is one tool call with its arguments as key, value, key, value.
func call(name string, args ...string) model.Call {
	m := map[string]string{}
	for i := 0; i < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return model.Call{ID: fmt.Sprintf("c%d", len(raw)), Name: name, Arguments: string(raw)}
}

func bash(command string) model.Call        { return call("bash", "command", command) }
func write(path, content string) model.Call { return call("write", "path", path, "content", content) }
func finish(note string) model.Call         { return call("finish", "status", tool.StatusDone, "note", note) }
func blocked(note string) model.Call {
	return call("finish", "status", tool.StatusBlocked, "note", note)
}
func says(calls ...model.Call) model.Reply { return model.Reply{Calls: calls} }

// turnOf is the number of the reply that is asked for, from 0.
func turnOf(r model.Request) int {
	n := 0
	for _, m := range r.Messages {
		if m.Role == model.Assistant {
			n++
		}
	}
	return n
}

// task is the part of the conversation that says what the session is for.
func task(r model.Request) string { return r.Messages[1].Content }

func isPlan(r model.Request) bool { return strings.Contains(task(r), "Session: initializer") }

func isFor(r model.Request, id string) bool {
	return strings.Contains(task(r), "Session: coding, feature "+id+"\n")
}

// lastSaid is what the model was told last.
func lastSaid(r model.Request) string { return r.Messages[len(r.Messages)-1].Content }

// greeter plans two features that a shell can check, "hello" and "bye", and builds them.
func greeter(r model.Request) model.Reply {
	switch {
	case isPlan(r):
		return says(planCalls("hello", "bye")...)
	case isFor(r, "hello"):
		return says(write("hello.sh", "echo hello\n"), finish("hello says hello"))
	case isFor(r, "bye"):
		return says(bash("echo 'echo bye' > bye.sh"), finish("bye says bye"))
	}
	return model.Reply{Content: "?", Finish: model.FinishStop}
}

// planCalls write a good list with a frozen test for each id.
func planCalls(ids ...string) []model.Call {
	var list []map[string]any
	calls := []model.Call{write("README.md", "A greeter.\n")}
	for _, id := range ids {
		test := "tests/" + id + ".sh"
		list = append(list, map[string]any{"id": id, "category": "functional", "description": "Say " + id,
			"steps": []string{"sh " + id + ".sh prints " + id}, "verify": "sh " + test, "frozen": []string{test}})
		calls = append(calls, write(test, `[ "$(sh `+id+`.sh)" = `+id+" ]\n"))
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return append(calls, write("feature_list.json", string(raw)), finish("nothing is left out"))
}

// world is what a test's job lives in; run it as often as a user would.
type world struct {
	t      *testing.T
	o      Options
	engine *boxtest.Fake
	events []ledger.Event
	// on is told every event, before the job goes on.
	on func(ledger.Event)
}

// shortJobs are the tests with whole jobs that -short keeps. A job takes a
// second or more, and there are a hundred of them.
var shortJobs = []string{
	"TestJobEndsDone", "TestResumeAtEveryEvent", "TestVolumeJobIsTheSame", "TestRedFinishGoesBackAndIsMended", "TestBlockedIsHonest",
	"TestCutReplyIsNotExecuted", "TestI10TreeIsTheCommits", "TestI3KeyGoesNowhere", "TestI9BudgetEndsTheJob",
	"TestHandoverAtTheEnd", "TestHandoverDoubtsABroughtState", "TestDoneIsProvedInAClone", "TestRegressionNamesItsCommit",
	"TestMisbehaviour", "TestPredecessorsCase", "TestI8WrongModelExecutesNothing",
}

func newWorld(t *testing.T, a actor) *world {
	t.Helper()
	if name, _, _ := strings.Cut(t.Name(), "/"); testing.Short() && !slices.Contains(shortJobs, name) {
		t.Skip("-short tries a few whole jobs only")
	}
	w := &world{t: t, engine: boxtest.New(t)}
	w.o = Options{
		Spec: Spec{Name: "spec.txt", Text: "A greeter that says hello and bye.\n"}, Dir: t.TempDir(),
		Model: a, ModelName: "test/actor", ModelInfo: model.Info{ID: "actor", Accept: []string{"actor"}, PriceSource: "test"},
		Engine: w.engine, Image: Image{Ref: "host", ID: "host", Path: os.Getenv("PATH")},
		Limits: sandbox.DefaultLimits(), Scope: sandbox.ScopeSession, Budget: decimal.NewFromInt(5),
		Features: 2, CacheDir: inventories(), Version: "test",
		Observe: func(e ledger.Event) {
			w.events = append(w.events, e)
			if w.on != nil {
				w.on(e)
			}
		},
	}
	return w
}

func (w *world) run() (Status, error) {
	w.t.Helper()
	status, err := Run(context.Background(), w.o)
	if live := w.engine.Live(); live != 0 {
		w.t.Errorf("%d boxes still run after the job", live)
	}
	return status, err
}

// done runs the job and wants it to end well.
func (w *world) done() Status {
	w.t.Helper()
	status, err := w.run()
	if err != nil {
		w.t.Fatalf("the job did not end done: %v\n%s", err, w.history())
	}
	return status
}

// ends runs the job and wants it to end with an outcome.
func (w *world) ends(want Outcome) *Error {
	w.t.Helper()
	_, err := w.run()
	var e *Error
	if !errors.As(err, &e) || e.Outcome != want {
		w.t.Fatalf("ended with %v, want outcome %s\n%s", err, want, w.history())
	}
	return e
}

func (w *world) history() string {
	var b strings.Builder
	for _, e := range w.events {
		b.WriteString(ledger.Line(e) + "\n")
	}
	return b.String()
}

func (w *world) count(kind ledger.Kind) int {
	n := 0
	for _, e := range w.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func (w *world) path(name string) string { return filepath.Join(w.o.Dir, name) }

func (w *world) content(name string) string {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// git asks the project's history; tests may run git on the host, the runner never does.
func (w *world) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "safe.directory=*", "-C", w.o.Dir}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func price(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// told is everything that calls were answered with.
func (w *world) told() string {
	var b strings.Builder
	for _, e := range w.events {
		if e.Kind == ledger.CallEnd {
			b.WriteString(e.Result.Text + "\n")
		}
	}
	return b.String()
}
