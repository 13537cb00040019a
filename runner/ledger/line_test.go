package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// The lines of `glovebox log`, as a person sees them.
func TestLine(t *testing.T) {
	at := time.Date(2026, 11, 2, 9, 5, 7, 0, time.Local)
	for _, c := range []struct {
		e    ledger.Event
		want string
	}{
		{ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{Spec: "app.txt", Model: "scripted/todo", Image: "python", Scope: "call", Budget: "5"}},
			"-      job-start      begins: app.txt with scripted/todo, image python, scope call, budget 5 USD"},
		{ledger.Event{Kind: ledger.Lent}, "-      lent"},
		{ledger.Event{Kind: ledger.BoxStart, Session: 1, Box: &ledger.BoxInfo{ID: "3f2a", Purpose: "call", Took: 236 * time.Millisecond}},
			"1      box            3f2a for call, started in 0.24 s"},
		{ledger.Event{Kind: ledger.SessionStart, Session: 2, Feature: "add", Started: &ledger.SessionInfo{Kind: "coding", Attempt: 2}},
			"2      session-start  coding of add, attempt 2"},
		{func() ledger.Event { e := reserve("0.0123"); e.Session, e.Turn = 2, 14; return e }(),
			"2.14   request        up to 0.0123 USD reserved"},
		{func() ledger.Event { e := paid("0.0001"); e.Session, e.Turn = 2, 14; return e }(),
			"2.14   reply          100 + 10 tokens, 0.0001 USD, 0 calls, 0.00 s"},
		{ledger.Event{Kind: ledger.Failed, Text: "cut off", Money: &ledger.Money{Spent: decimal.New(7, -1), Open: "gen-1"}},
			"-      request-failed 0.7 USD, the worst case until the provider's record is there; cut off"},
		{ledger.Event{Kind: ledger.Settled, Money: &ledger.Money{Spent: decimal.New(1, -1), Settles: 12}}, "-      settled        event 12 cost 0.1 USD"},
		{ledger.Event{Kind: ledger.Waiting, Text: "per day", Until: &at}, "-      waiting        until Nov 2 09:05; per day"},
		{ledger.Event{Kind: ledger.CallStart, Session: 2, Turn: 1, Call: &ledger.CallInfo{Number: 3, Summary: "bash ls"}},
			"2.1    call           3 bash ls"},
		{ledger.Event{Kind: ledger.CallEnd, Session: 2, Turn: 1, Result: &ledger.ResultInfo{Number: 3, Summary: "exit 1 · 0.41 s", Took: time.Second}},
			"2.1    result         3 failed: exit 1 · 0.41 s (1.00 s)"},
		{ledger.Event{Kind: ledger.VerifyEnd, Feature: "add", Verify: &ledger.VerifyInfo{Why: "finish", Exit: 1}},
			"-      verdict        add (finish): red, exit 1, 0.00 s"},
		{ledger.Event{Kind: ledger.Approved, List: &ledger.ListInfo{IDs: []string{"add", "list"}, How: "yes-flag"}},
			"-      approved       2 features: add, list; yes-flag"},
		{ledger.Event{Kind: ledger.CommitEnd, Commit: &ledger.CommitInfo{Hash: "0123456789abcdef", Message: "add: done"}},
			"-      committed      0123456789 add: done"},
		{ledger.Event{Kind: ledger.SessionEnd, Session: 2, Feature: "add", Ended: &ledger.SessionInfo{Kind: "coding", Ending: "finish", Status: "done", Note: "a\nb"}},
			"2      session-end    coding of add, ended by finish; done; a b"},
		{ledger.Event{Kind: ledger.Flaky, Feature: "add", Text: "green, red, green"}, "-      flaky          add green, red, green"},
		{ledger.Event{Kind: ledger.Unpassed, Feature: "add", Text: "broken by commit 0123456789", Commit: &ledger.CommitInfo{Hash: "0123456789abcdef"}},
			"-      unpassed       add broken by commit 0123456789"},
		{ledger.Event{Kind: ledger.Proved, Proof: &ledger.ProofInfo{Commit: "0123456789abcdef", Clone: true,
			Features: []ledger.ProofResult{{ID: "add", Passed: true}, {ID: "list"}}, Acceptance: &ledger.ProofResult{}}},
			"-      proved         1 of 2 features in a fresh clone of commit 0123456789, the acceptance test failed"},
		{ledger.Event{Kind: ledger.JobEnd, End: &ledger.EndInfo{Outcome: "done"}}, "-      job-end        done, exit code 0"},
		{ledger.Event{Kind: ledger.Blocked, Feature: "add", Text: "\x1b[2J\x1b]0;x\x07no \u202etool"}, "-      blocked        add no �tool"},
	} {
		c.e.Time = at
		if got, want := ledger.Line(c.e), "Nov  2 09:05:07  "+c.want; got != want {
			t.Errorf("\ngot  %s\nwant %s", got, want)
		}
	}
	long := ledger.Line(ledger.Event{Kind: ledger.Note, Text: strings.Repeat("word ", 1000)})
	if n := len([]rune(long)); n > 170 || !strings.HasSuffix(long, "…") {
		t.Errorf("a long text makes a line of %d runes", n)
	}
}
