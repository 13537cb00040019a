package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// events are one of every kind, with the texts that models, boxes and
// providers decide.
func events(text string) []ledger.Event {
	spent := &ledger.Money{Spent: decimal.RequireFromString("0.000125")}
	list := []ledger.Event{
		{Kind: ledger.JobStart, Job: &ledger.JobInfo{ID: text, Resumed: true}},
		{Kind: ledger.Lent, Text: text},
		{Kind: ledger.BoxStart, Box: &ledger.BoxInfo{ID: text, Purpose: text}},
		{Kind: ledger.SessionStart, Session: 1, Started: &ledger.SessionInfo{Kind: "initializer", Attempt: 2}},
		{Kind: ledger.Request, Session: 1, Turn: 1, Money: &ledger.Money{Reserved: decimal.NewFromInt(1)}},
		{Kind: ledger.Reply, Session: 1, Turn: 1, Money: spent, Answer: &ledger.ReplyInfo{Text: text, Model: text}},
		{Kind: ledger.Failed, Session: 1, Turn: 1, Text: text, Money: &ledger.Money{}},
		{Kind: ledger.CallStart, Session: 1, Turn: 1, Call: &ledger.CallInfo{Number: 1, Tool: "bash", Summary: text, Args: text}},
		{Kind: ledger.CallEnd, Session: 1, Turn: 1, Result: &ledger.ResultInfo{Number: 1, Summary: text, Text: text}},
		{Kind: ledger.VerifyStart, Feature: "add", Verify: &ledger.VerifyInfo{Command: text, Why: "finish"}},
		{Kind: ledger.VerifyEnd, Feature: "add", Verify: &ledger.VerifyInfo{Why: "finish", Exit: 1, Output: text}},
		{Kind: ledger.VerifyEnd, Feature: "add", Verify: &ledger.VerifyInfo{Why: "red-check", Exit: 1, Output: text}},
		{Kind: ledger.VerifyEnd, Feature: "add", Verify: &ledger.VerifyInfo{Why: "regression", Exit: 1, Output: text}},
		{Kind: ledger.Listed, List: &ledger.ListInfo{IDs: []string{text}, Note: text}},
		{Kind: ledger.Approved, List: &ledger.ListInfo{How: text}},
		{Kind: ledger.CommitStart, Commit: &ledger.CommitInfo{Message: text}},
		{Kind: ledger.CommitEnd, Commit: &ledger.CommitInfo{Hash: text, Message: text}},
		{Kind: ledger.Passed, Feature: text},
		{Kind: ledger.Blocked, Feature: text, Text: text},
		{Kind: ledger.Unpassed, Feature: text, Text: text},
		{Kind: ledger.Note, Text: text},
		{Kind: ledger.SessionEnd, Session: 1, Ended: &ledger.SessionInfo{Ending: text, Note: text, Limit: text}},
		{Kind: ledger.SessionEnd, Session: 1, Ended: &ledger.SessionInfo{Ending: "finish", Status: "blocked", Note: text}},
		{Kind: ledger.JobEnd, End: &ledger.EndInfo{Reason: text, Hint: text}},
		{Kind: ledger.Settled, Money: spent},
		{Kind: ledger.Waiting, Text: text, Until: &midnight},
		{Kind: ledger.Flaky, Feature: text, Text: text},
		{Kind: ledger.Unblocked, Feature: text, Text: text},
		{Kind: ledger.VerifyStart, Verify: &ledger.VerifyInfo{Command: text, Why: "acceptance"}},
		{Kind: ledger.VerifyEnd, Text: text, Verify: &ledger.VerifyInfo{Why: "acceptance", Output: text}},
		{Kind: ledger.VerifyEnd, Verify: &ledger.VerifyInfo{Why: "acceptance", Passed: true}},
		{Kind: ledger.Proved, Proof: &ledger.ProofInfo{Commit: text, Clone: true, Features: []ledger.ProofResult{{ID: text}}}},
		{Kind: ledger.Proved, Proof: &ledger.ProofInfo{Why: text, Features: []ledger.ProofResult{{ID: text, Passed: true}}}},
		{Kind: ledger.Proved, Proof: &ledger.ProofInfo{Reason: text}},
	}
	for i := range list {
		list[i].Time = start.Add(time.Duration(i) * time.Second)
	}
	return list
}

var midnight = time.Date(2026, 11, 24, 0, 1, 0, 0, time.Local)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return start.Add(65 * time.Second) }

// show observes events on a screen.
func show(s *screen, list []ledger.Event) *progress {
	p := newProgress(s, clock)
	p.start = start
	for _, e := range list {
		p.Observe(e)
	}
	return p
}

// A build log shows one plain line a milestone and a call, in a form that
// stays the same.
func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	show(&screen{w: &out}, events("words"))
	want := `   0:00  resumed  job words goes on where it stopped
   0:03  session  1 initializer, attempt 2
   0:06  model    words
   0:07  call 1   bash words
   0:10  red      add: exit 1: words
   0:11  red      add: as it must be before it is built: words
   0:12  red      add: it passed before: words
   0:13  planned  words
   0:14  accepted words
   0:16  commit   words words
   0:17  passed   words
   0:18  blocked  words: words
   0:19  broken   words: words
   0:20  note     words
   0:21  session  1 ended: words: words: words
   0:22  session  1: the model is blocked: words
   0:25  waiting  until Tue 24 Nov 00:01: words
   0:26  flaky    words: words
   0:27  again    words: words
   0:29  red      your acceptance test words: words
   0:30  accepted by your acceptance test
   0:31  unproved 0 of 1 feature proved in a fresh clone of commit words
   0:32  proved   1 of 1 feature proved in a copy of the workspace (words)
   0:33  unproved nothing was proved: words
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// No event can do anything to a terminal but show letters, and none makes a
// line that is out of bounds.
func TestProgressOfHostileText(t *testing.T) {
	for _, live := range []bool{false, true} {
		var out bytes.Buffer
		s := &screen{w: &out, live: live, size: func() int { return 60 }}
		show(s, events(hostile+strings.Repeat("long ", 1000)))
		s.Clear()
		text := out.String()
		for _, ours := range []string{wrapOff, wrapOn, clearRest, clearBelow, "\r"} {
			text = strings.ReplaceAll(text, ours, "\n")
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\u202e' }); i >= 0 {
			t.Errorf("live %v: a control character in %q", live, text[max(0, i-40):i+10])
		}
		for line := range strings.SplitSeq(text, "\n") {
			if width(line) > fileColumns {
				t.Errorf("live %v: a line of %d columns: %q", live, width(line), line)
			}
		}
	}
}

// Events that lack their payload come from a ledger that somebody changed.
func TestProgressOfEmptyEvents(t *testing.T) {
	var list []ledger.Event
	for _, e := range events("x") {
		list = append(list, ledger.Event{Kind: e.Kind})
	}
	show(&screen{w: discard{}}, append(list, ledger.Event{}))
}

// The live line says where the job stands: session, turn, call, money, and
// what is under way; the request's reserve is not money spent.
func TestProgressLive(t *testing.T) {
	term := &terminal{columns: 80}
	s := &screen{w: term, live: true, size: func() int { return term.columns }}
	p := show(s, events("words")[3:10])
	if got, want := p.live(), "   1:05  session 1 add  turn 1  call 1  $0.000125  verifying add: words"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.HasSuffix(term.text(), strings.TrimSpace(p.live())) {
		t.Errorf("the live line is not the last: %q", term.text())
	}
}

// What waits for a provider's day says until when, as long as it waits.
func TestProgressWaits(t *testing.T) {
	list := events("words")
	waits := slices.IndexFunc(list, func(e ledger.Event) bool { return e.Kind == ledger.Waiting })
	p := show(&screen{w: discard{}, live: true, size: func() int { return 80 }}, append(list[3:6:6], list[waits]))
	if want := "waiting for the provider's limit until Tue 24 Nov 00:01"; !strings.HasSuffix(p.live(), want) {
		t.Errorf("got %q", p.live())
	}
	p.Observe(list[4])
	if !strings.HasSuffix(p.live(), "the model is asked") {
		t.Errorf("afterwards: %q", p.live())
	}
}

// What of the cost is no bill yet, and where the bill may differ, is said.
func TestReportOfMoney(t *testing.T) {
	usd := decimal.RequireFromString
	s := runner.Status{Prompt: 12000, Cached: 9000, Output: 10, Budget: usd("5"), Spent: usd("1.5"), Unsettled: usd("0.3"), Lost: usd("0.2"),
		Deviates: true, Reported: usd("1.1200001"), Computed: usd("1")}
	var out bytes.Buffer
	report{w: &out, columns: 200, dir: "app"}.write(s)
	for _, want := range []string{
		"tokens    12,000 in (9,000 of them from a cache), 10 out\n",
		"cost      1.5 USD of at most 5; 0.3 of it is the worst case of replies that did not say what they cost; " +
			"0.2 of it is the worst case of requests that were under way when a process died\n",
		"          the provider reports 1.12 USD where the known price makes 1 (+12 %): compare with its bill\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0:00", 7 * time.Second: "0:07", 754 * time.Second: "12:34", 3723 * time.Second: "1:02:03",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// The summary is read by tired people: what works, what doesn't, what it cost,
// where it lies.
func TestReport(t *testing.T) {
	s := runner.Status{
		Dir: "/home/ada/app", Model: "openrouter/v/m", Outcome: runner.Incomplete,
		Features: []feature.Feature{
			{ID: "add", Description: "Add a task", Passes: true},
			{ID: "search", Description: "Find a task by a word" + hostile, Blocked: true},
			{ID: "sync", Description: "Exchange tasks with another machine, which takes more than one line can hold"},
		},
		Flaky: map[string]string{"sync": "run three times it was green, red, green", "add": "earlier"},
		Proof: &ledger.ProofInfo{Commit: "0123456789abcdef", Clone: true, Features: []ledger.ProofResult{{ID: "add", Passed: true}},
			Acceptance: &ledger.ProofResult{ID: "acceptance test", How: "exited 1"}},
		Sessions: 1, Turns: 1234, Calls: 2, Boxes: 1, Seconds: 12.34, Prompt: 1234567, Output: 89,
		Spent: decimal.RequireFromString("0.0123450"), Budget: decimal.NewFromInt(5), Lent: true,
		Note: "Colours are not covered.",
	}
	var out bytes.Buffer
	r := report{w: &out, columns: 60, dir: "app"}
	r.write(s)
	r.nextSteps(s)
	want := `incomplete: 1 of 3 features verified, 1 blocked, 1 flaky
  [x] add     Add a task
  [!] search  Find a task by a wordab c` + "\ufffd31m\ufffddrow\ufffd\ufffd\ufffd\ufffd" + ` end
  [~] sync    Exchange tasks with another machine, which...

work      1 session, 1,234 turns, 2 calls, 1 box, 0 commits,
          12.3 s
model     openrouter/v/m
tokens    1,234,567 in, 89 out
cost      0.012345 USD of at most 5
uncovered in the planner's words: Colours are not covered.
proof     1 of 1 feature proved in a fresh clone of commit
          0123456789, the acceptance test exited 1
flaky     sync: run three times it was green, red, green
project   /home/ada/app
          it is lent to the boxes' user; the next run gives
          it back
look      glovebox status app; glovebox log app
report    glovebox report app
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a person decides about is shown whole, and harmless.
func TestFeatureTable(t *testing.T) {
	got := featureTable([]feature.Feature{
		{ID: "add", Description: "Add a task", Verify: "pytest -q tests/test_add.py", Frozen: []string{"tests/test_add.py"}},
		{ID: "list", Description: "List " + hostile, Verify: "make\ncheck"},
	}, "Colours.", map[string]string{"add": "1 failed"}, 40)
	want := []string{
		"  1  add   Add a task",
		"           proof   pytest -q",
		"                   tests/test_add.py",
		"           now     1 failed",
		"  2  list  List ab c\ufffd31m\ufffddrow\ufffd\ufffd\ufffd\ufffd end",
		"           proof   make check",
		"           frozen  nothing",
		"",
		"  Not covered, in the planner's words:",
		"  Colours.",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
