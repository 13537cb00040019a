package report

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// tape is a real ledger of a job that is made up, with a clock of its own.
type tape struct {
	t      *testing.T
	ledger *ledger.Ledger
	events []ledger.Event
	now    time.Time
}

func newTape(t *testing.T) *tape {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &tape{t: t, now: time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)}
	p.ledger, err = ledger.Open(root, "ledger.jsonl", ledger.Options{
		Now:     func() time.Time { return p.now },
		Observe: func(e ledger.Event) { p.events = append(p.events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.ledger.Close(); root.Close() })
	return p
}

// add writes an event after some seconds.
func (p *tape) add(after float64, e ledger.Event) {
	p.t.Helper()
	p.now = p.now.Add(time.Duration(after * float64(time.Second)))
	if err := p.ledger.Append(e); err != nil {
		p.t.Fatal(err)
	}
}

func usdOf(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// words is what a text is in a made-up job: itself, or something hostile.
type words func(string) string

func asItIs(s string) string { return s }

// night is a job that had a bad night: one feature is proved, one broke again,
// one is blocked, one was never begun; one process was killed with a request
// under way, and the second one ran into its limit.
func night(t *testing.T, w words) ([]ledger.Event, State) {
	p := newTape(t)
	info := ledger.JobInfo{ID: w("j1"), Spec: w("shop.txt"), SpecHash: w("5bec"), Model: w("openrouter/vendor/model"), Image: w("python"),
		ImageID: w("sha256:ead1"), Scope: w("call"), Budget: "5", Version: w("v1.2"), Features: 4,
		Isolation: &ledger.IsolationInfo{Engine: w("Docker 27"), System: w("Debian"), Runtime: w("runsc"), Kernel: w("4.4"), Workspace: w("auto"),
			Memory: 2 << 30, CPUs: 1.5, PIDs: 2048, Disk: 4 << 30, Files: 400000, Timeout: 2 * time.Minute, Flags: []string{w("--network=none"), w("--memory=2147483648")}}}
	p.add(0, ledger.Event{Kind: ledger.JobStart, Job: &info})
	p.add(0, ledger.Event{Kind: ledger.Branched, Branch: &ledger.BranchInfo{Name: w("glovebox/j1"), From: w("main"), Base: w("77d5")}})
	p.add(0.1, ledger.Event{Kind: ledger.Lent, Text: w("lent to user 10001")})
	p.box("probe", 300)
	p.add(0.3, ledger.Event{Kind: ledger.SessionStart, Session: 1, Started: &ledger.SessionInfo{Kind: w("initializer"), Attempt: 1}})
	p.turn(w, 1, 1, "0.0123456789", 5, 1)
	p.red(w, 1, "cart")
	p.red(w, 1, "pay")
	p.add(1, ledger.Event{Kind: ledger.Listed, Session: 1, List: &ledger.ListInfo{Hash: w("8c77"), IDs: []string{w("cart"), w("pay")}, Note: w("no load tests")}})
	p.end(w, 1, "", "finish", "done")
	p.add(0.5, ledger.Event{Kind: ledger.Approved, List: &ledger.ListInfo{Hash: w("8c77"), How: w("yes-flag")}})
	p.coding(w, 2, "cart", true)
	p.add(1, ledger.Event{Kind: ledger.SessionStart, Session: 3, Feature: w("pay"), Started: &ledger.SessionInfo{Kind: w("coding"), Attempt: 1}})
	p.turn(w, 3, 1, "0.25", 3, 2)
	p.add(2, ledger.Event{Kind: ledger.Request, Session: 3, Turn: 2, Money: &ledger.Money{Reserved: usdOf("0.3333")}})
	// Here it was killed.
	p.add(600, ledger.Event{Kind: ledger.Note, Text: w("the last line of the ledger was torn")})
	info.Resumed = true
	p.add(1, ledger.Event{Kind: ledger.JobStart, Job: &info})
	until := p.now.Add(time.Minute)
	p.add(1, ledger.Event{Kind: ledger.Waiting, Text: w("HTTP 429: slow down"), Until: &until})
	p.coding(w, 4, "pay", false)
	p.add(1, ledger.Event{Kind: ledger.Blocked, Session: 4, Feature: w("pay"), Text: w("2 sessions did not make it pass")})
	p.coding(w, 5, "ship", true)
	p.verify(w, 5, "cart", "regression", false)
	p.add(0.1, ledger.Event{Kind: ledger.Unpassed, Session: 5, Feature: w("cart"), Text: w("broken by the session for ship")})
	p.add(0.1, ledger.Event{Kind: "flaky", Session: 5, Feature: w("ship"), Text: w("green, then red on the same files")})
	p.ending(w)
	p.add(1, ledger.Event{Kind: ledger.JobEnd, End: &ledger.EndInfo{Outcome: w("incomplete"), Code: 3, Reason: w("30m of this run are over (--max-time)"), Hint: w("the same command goes on")}})

	return p.events, State{ID: w("j1"), Dir: w("/srv/shop"), Spec: w("shop.txt"), SpecHash: w("5bec"), SpecText: w("A shop.\nIt sells <things> & more.\n"),
		List: feature.State{Hash: w("8c77"), Approved: w("yes-flag"), By: w("ada (1000)"), Note: w("no load tests"), Red: map[string]string{w("cart"): w("no such file")}, Features: []feature.Feature{
			{ID: w("cart"), Category: w("functional"), Description: w("A cart"), Steps: []string{w("put in"), w("take out")}, Verify: w("pytest tests/test_cart.py"), Frozen: []string{w("tests/test_cart.py")}},
			{ID: w("pay"), Category: w("functional"), Description: w("Pay"), Verify: w("pytest tests/test_pay.py"), Blocked: true},
			{ID: w("ship"), Category: w("style"), Description: w("Ship"), Steps: []string{w("send")}, Verify: w("sh tests/ship.sh"), Passes: true},
			{ID: w("track"), Category: w("style"), Description: w("Track"), Verify: w("sh tests/track.sh")},
		}}}
}

// ending is what a process does last: it proves what it can, and looks over the project.
func (p *tape) ending(w words) {
	p.verify(w, 5, "ship", "without-work", false)
	p.add(0.1, ledger.Event{Kind: ledger.Proved, Proof: &ledger.ProofInfo{Commit: w("5c188fd5c188fd5c188f"), Tree: w("9daeafb9864c"), Clone: true, Dirty: true,
		Features:   []ledger.ProofResult{{ID: w("ship"), Passed: true, How: w("exited 0"), Took: time.Second}, {ID: w("cart"), How: w("exited 1"), Output: w("1 failed")}},
		Acceptance: &ledger.ProofResult{ID: w("acceptance test"), How: w("exited 7"), Output: w("no prices")}}})
	p.add(0.1, ledger.Event{Kind: ledger.HandedOver, Text: w("2 made harmless"), Handover: &ledger.HandoverInfo{Mended: 2, Left: map[string]int{"enter": 1}, More: 3,
		Findings: []ledger.FindingInfo{{Severity: "enter", Kind: w("envrc"), Path: w(".envrc"), Detail: w("echo hi")},
			{Severity: "enter", Kind: w("hook"), Path: w(".git/hooks/post-checkout"), Detail: w("runs"), Aside: w(".glovebox/handover/1")}}}})
}

func (p *tape) box(purpose string, ms int) {
	p.add(0.01, ledger.Event{Kind: ledger.BoxStart, Box: &ledger.BoxInfo{ID: "abcdef012345", Purpose: purpose, Took: time.Duration(ms) * time.Millisecond}})
}

// argsOf are a call's arguments as a model writes them.
func argsOf(w words) string {
	text, err := json.Marshal(map[string]string{"command": w("cat src/main.py"), "cwd": w("src")})
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return string(text)
}

// turn is a request, its reply and its calls; every third call fails.
func (p *tape) turn(w words, session, turn int, cost string, thought float64, calls int) {
	at := ledger.Event{Session: session, Turn: turn}
	e := at
	e.Kind, e.Money = ledger.Request, &ledger.Money{Reserved: usdOf("0.5")}
	p.add(0.1, e)
	e = at
	e.Kind, e.Money = ledger.Reply, &ledger.Money{Spent: usdOf(cost), Reported: decimal.NewNullDecimal(usdOf(cost)), Computed: decimal.NewNullDecimal(usdOf(cost))}
	e.Answer = &ledger.ReplyInfo{ID: w("gen-1"), Model: w("vendor/model"), Finish: w("tool_calls"), Prompt: 5000, Completion: 300, Cached: 2000, Calls: calls,
		Text: w("I will look first."), Took: time.Duration(thought * float64(time.Second))}
	p.add(thought, e)
	for n := range calls {
		number := turn*100 + n
		e = at
		e.Kind, e.Call = ledger.CallStart, &ledger.CallInfo{Number: number, Tool: w("bash"), Summary: w("cat src/main.py"), Args: argsOf(w)}
		p.add(0.1, e)
		p.box("call", 5+n)
		e = at
		e.Kind, e.Result = ledger.CallEnd, &ledger.ResultInfo{Number: number, Box: w("abcdef012345"), Summary: w("exit 0"), Text: w("exit 0\nimport os\n"), OK: n%3 != 2, Took: time.Second,
			Limits: []ledger.LimitInfo{{Name: w("memory"), Words: w("memory: 2 GB")}}}
		p.add(1, e)
	}
}

func (p *tape) red(w words, session int, id string) { p.verify(w, session, id, "red-check", false) }

func (p *tape) verify(w words, session int, id, why string, passed bool) {
	v := ledger.VerifyInfo{Command: w("pytest " + id), Why: why, Tree: w("9daeafb9864c")}
	p.add(0.1, ledger.Event{Kind: ledger.VerifyStart, Session: session, Feature: w(id), Verify: &v})
	v.Passed, v.Output, v.Box, v.Took = passed, w("1 failed\n"), w("abcdef012345"), 1500*time.Millisecond
	if v.Exit = 1; passed {
		v.Exit, v.Output = 0, w("1 passed\n")
	}
	p.add(1.5, ledger.Event{Kind: ledger.VerifyEnd, Session: session, Feature: w(id), Text: w("exited"), Verify: &v})
}

func (p *tape) end(w words, session int, id, ending, status string) {
	if id != "" {
		id = w(id)
	}
	p.add(0.2, ledger.Event{Kind: ledger.SessionEnd, Session: session, Feature: id, Text: w("HTTP 500 from the provider"),
		Ended: &ledger.SessionInfo{Kind: w("coding"), Ending: w(ending), Status: w(status), Note: w("It works now."), Limit: w("40 turns")}})
}

// coding is a session for a feature, which passes at its end or does not.
func (p *tape) coding(w words, session int, id string, passes bool) {
	p.verify(w, session-1, id, "before-session", false)
	p.add(0.1, ledger.Event{Kind: ledger.SessionStart, Session: session, Feature: w(id), Started: &ledger.SessionInfo{Kind: w("coding"), Attempt: 2}})
	p.turn(w, session, 1, "0.1", 4, 2)
	p.add(0.5, ledger.Event{Kind: ledger.Request, Session: session, Turn: 2, Money: &ledger.Money{Reserved: usdOf("0.2")}})
	p.add(0.5, ledger.Event{Kind: ledger.Failed, Session: session, Turn: 2, Text: w("HTTP 502: bad gateway"), Money: &ledger.Money{}})
	p.turn(w, session, 3, "0.000001", 6, 4)
	p.verify(w, session, id, "finish", passes)
	if passes {
		p.add(0.1, ledger.Event{Kind: ledger.CommitEnd, Session: session, Commit: &ledger.CommitInfo{Hash: w("5c188fd5c188fd5c188f"), Tree: w("9daeafb9864c"), Message: w("cart: A cart")}})
		p.add(0.1, ledger.Event{Kind: ledger.Passed, Session: session, Feature: w(id), Commit: &ledger.CommitInfo{Hash: w("5c188fd5c188fd5c188f"), Tree: w("9daeafb9864c")}})
	}
	p.end(w, session, id, "finish", "done")
}

func build(events []ledger.Event, s State, o Options) *Job {
	b := NewBuilder(o)
	for _, e := range events {
		b.Add(e)
	}
	return b.Job(s)
}

func reportOf(jobs ...*Job) *Report {
	return New(time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC), "v1.3", jobs...)
}

func written(t *testing.T, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
