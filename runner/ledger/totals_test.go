package ledger_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// A reserve is spent until its answer says otherwise, and for ever if a crash
// kept the answer from being seen.
func TestSpent(t *testing.T) {
	start := ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{}}
	failed := func(s string) ledger.Event {
		return ledger.Event{Kind: ledger.Failed, Money: &ledger.Money{Spent: usd(s)}}
	}
	for _, c := range []struct {
		name            string
		events          []ledger.Event
		spent, reserved string
	}{
		{"nothing", nil, "0", "0"},
		{"under way", []ledger.Event{start, reserve("0.7")}, "0.7", "0.7"},
		{"settled", []ledger.Event{start, reserve("0.7"), paid("0.1")}, "0.1", "0"},
		{"failed for free", []ledger.Event{start, reserve("0.7"), failed("0")}, "0", "0"},
		{"failed and paid", []ledger.Event{start, reserve("0.7"), failed("0.2")}, "0.2", "0"},
		{"dearer than reserved", []ledger.Event{start, reserve("0.1"), paid("0.3")}, "0.3", "0"},
		{"no word on the cost", []ledger.Event{start, reserve("0.7"), {Kind: ledger.Reply}}, "0.7", "0"},
		{"crash", []ledger.Event{start, reserve("0.7"), start, reserve("0.2"), paid("0.1")}, "0.8", "0"},
		{"two crashes", []ledger.Event{start, reserve("0.7"), start, reserve("0.2"), start}, "0.9", "0"},
		{"exact", []ledger.Event{start, reserve("1"), paid("0.1"), reserve("1"), paid("0.2")}, "0.3", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ledger.Sums(c.events)
			if !got.Spent().Equal(usd(c.spent)) || !got.Reserved.Equal(usd(c.reserved)) {
				t.Errorf("spent %s reserved %s, want %s and %s", got.Spent(), got.Reserved, c.spent, c.reserved)
			}
		})
	}
}

// The numbers of the summary, over two processes with a crash and a night between them.
func TestCounts(t *testing.T) {
	at := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	var events []ledger.Event
	step := func(after time.Duration, e ledger.Event) {
		at = at.Add(after)
		e.Time, e.Seq = at, int64(len(events)+1)
		events = append(events, e)
	}
	kinds := func(kinds ...ledger.Kind) {
		for _, k := range kinds {
			step(time.Second, ledger.Event{Kind: k})
		}
	}
	step(0, ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{ID: "j"}})
	kinds(ledger.SessionStart, ledger.BoxStart)
	step(time.Second, reserve("1"))
	step(time.Second, paid("0.5"))
	kinds(ledger.CallStart, ledger.CallEnd, ledger.CommitStart)
	commit := ledger.Event{Kind: ledger.CommitEnd, Commit: &ledger.CommitInfo{Hash: "a"}}
	step(0, commit)
	step(time.Second, commit) // found made after a crash
	step(8*time.Hour, ledger.Event{Kind: ledger.Note, Text: "the last line was torn"})
	step(0, ledger.Event{Kind: ledger.GivenBack})
	step(0, ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{ID: "j", Resumed: true}})
	kinds(ledger.SessionStart, ledger.JobEnd)

	got := ledger.Sums(events)
	if got.Sessions != 2 || got.Boxes != 1 || got.Turns != 1 || got.Requests != 1 || got.Calls != 1 || got.Commits != 1 || got.Processes != 2 {
		t.Errorf("counts: %+v", got)
	}
	if got.Prompt != 100 || got.Completion != 10 || got.Cached != 60 {
		t.Errorf("tokens: %+v", got)
	}
	if got.Worked != 10*time.Second {
		t.Errorf("worked %s, want 10s: the night between the processes is no work", got.Worked)
	}
	if !got.Job.Resumed || got.Seq != int64(len(events)) || !got.LastEvent.Equal(at) {
		t.Errorf("last: %+v", got)
	}
}

// Wherever a crash cuts the file, every whole line stays, the job goes on, and
// no cent that a whole line speaks of is forgotten.
func TestTruncation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "ledger")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		l, err := ledger.Open(root, name, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rapid.SliceOfN(event(), 1, 8).Draw(t, "events") {
			if err := l.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		whole, err := root.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cut := whole[:rapid.IntRange(0, len(whole)).Draw(t, "cut")]
		if err := root.WriteFile(name, cut, 0o600); err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(cut, []byte("\n"))
		before, err := ledger.Read(root, name)
		if err != nil || len(before) != lines {
			t.Fatalf("%d events of %d whole lines, %v", len(before), lines, err)
		}
		l, err = ledger.Open(root, name, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if spent, want := l.Totals().Spent(), ledger.Sums(before).Spent(); !spent.Equal(want) {
			t.Fatalf("spent %s after opening, %s before", spent, want)
		}
		if err := l.Append(ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{}}); err != nil {
			t.Fatal(err)
		}
		after, err := ledger.Read(root, name)
		if err != nil {
			t.Fatal(err)
		}
		if spent, want := ledger.Sums(after).Spent(), floor(before); spent.LessThan(want) {
			t.Fatalf("spent %s, and the whole lines speak of %s", spent, want)
		}
	})
}

// floor is what was certainly spent, counted in another way than Totals does:
// every answer's cost, and the last reserve if no answer follows it.
func floor(events []ledger.Event) decimal.Decimal {
	sum, open := decimal.Zero, decimal.Zero
	for _, e := range events {
		switch {
		case e.Kind == ledger.Request:
			open = e.Money.Reserved
		case e.Money != nil:
			sum, open = sum.Add(e.Money.Spent), decimal.Zero
		}
	}
	return sum.Add(open)
}

func event() *rapid.Generator[ledger.Event] {
	return rapid.Custom(func(t *rapid.T) ledger.Event {
		amount := decimal.New(rapid.Int64Range(0, 1e9).Draw(t, "amount"), -9)
		kind := rapid.SampledFrom([]ledger.Kind{ledger.Request, ledger.Reply, ledger.Failed, ledger.Note, ledger.JobStart}).Draw(t, "kind")
		e := ledger.Event{Kind: kind, Text: rapid.String().Draw(t, "text")}
		switch kind {
		case ledger.Request:
			e.Money = &ledger.Money{Reserved: amount}
		case ledger.Reply, ledger.Failed:
			e.Money = &ledger.Money{Spent: amount}
		case ledger.JobStart:
			e.Job = &ledger.JobInfo{}
		}
		return e
	})
}
