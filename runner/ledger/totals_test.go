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

// The worst case of a reply that did not say what it cost is replaced by what
// the provider's record says, once, up or down, in this process or a later one.
func TestSettled(t *testing.T) {
	start := ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{}}
	cut := func(s, id string) ledger.Event {
		return ledger.Event{Kind: ledger.Failed, Money: &ledger.Money{Spent: usd(s), Open: id}}
	}
	settled := func(of int64, s string) ledger.Event {
		return ledger.Event{Kind: ledger.Settled, Money: &ledger.Money{Spent: usd(s), Settles: of}}
	}
	for _, c := range []struct {
		name        string
		events      []ledger.Event // the cut reply is the third
		spent, open string
	}{
		{"not yet", []ledger.Event{start, reserve("0.7"), cut("0.7", "gen-1")}, "0.7", "0.7"},
		{"down", []ledger.Event{start, reserve("0.7"), cut("0.7", "gen-1"), settled(3, "0.1")}, "0.1", "0"},
		{"up", []ledger.Event{start, reserve("0.7"), cut("0.7", "gen-1"), settled(3, "0.9")}, "0.9", "0"},
		{"after a restart", []ledger.Event{start, reserve("0.7"), cut("0.7", "gen-1"), start, settled(3, "0.1")}, "0.1", "0"},
		{"twice", []ledger.Event{start, reserve("0.7"), cut("0.7", "gen-1"), settled(3, "0.1"), settled(3, "0")}, "0.1", "0"},
		{"what is not open", []ledger.Event{start, reserve("0.7"), paid("0.7"), settled(3, "0")}, "0.7", "0"},
		{"one of two", []ledger.Event{start, reserve("0.7"), cut("0.7", "gen-1"), reserve("0.2"), cut("0.2", "gen-2"), settled(3, "0")}, "0.2", "0.2"},
		{"a reserve that is under way stays", []ledger.Event{start, reserve("0.7"), cut("0.7", "gen-1"), reserve("0.2"), settled(3, "0")}, "0.2", "0"},
	} {
		for i := range c.events {
			c.events[i].Seq = int64(i + 1)
		}
		if got := ledger.Sums(c.events); !got.Spent().Equal(usd(c.spent)) || !got.Unsettled().Equal(usd(c.open)) {
			t.Errorf("%s: spent %s, open %s, want %s and %s", c.name, got.Spent(), got.Unsettled(), c.spent, c.open)
		}
	}
}

// What the provider reports and what its tokens cost may differ a little, and
// by next to nothing; more than that stays noted.
func TestDeviates(t *testing.T) {
	both := func(reported, computed string) ledger.Event {
		e := paid(reported)
		e.Money.Reported, e.Money.Computed = decimal.NewNullDecimal(usd(reported)), decimal.NewNullDecimal(usd(computed))
		return e
	}
	for _, c := range []struct {
		name   string
		events []ledger.Event
		want   bool
	}{
		{"nothing to compare", []ledger.Event{paid("1")}, false},
		{"5 % more", []ledger.Event{both("1.05", "1")}, false},
		{"above 5 % more", []ledger.Event{both("1.0501", "1")}, true},
		{"above 5 % less", []ledger.Event{both("0.9499", "1")}, true},
		{"a tenth of a cent", []ledger.Event{both("0.001", "0")}, false},
		{"above a tenth of a cent", []ledger.Event{both("0.0011", "0")}, true},
		{"it stays noted", []ledger.Event{both("2", "1"), both("100", "101")}, true},
		{"it adds up", []ledger.Event{both("0.0006", "0"), both("0.0006", "0")}, true},
	} {
		if got := ledger.Sums(c.events); got.Deviates != c.want {
			t.Errorf("%s: %v (%s, %s)", c.name, got.Deviates, got.Reported, got.Computed)
		}
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
	step(time.Hour, ledger.Event{Kind: ledger.Proved, Proof: &ledger.ProofInfo{Tree: "t"}}) // by a person, later
	step(0, ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{ID: "j", Resumed: true}})
	step(0, ledger.Event{Kind: ledger.Waiting})
	step(9*time.Hour, ledger.Event{Kind: ledger.Note}) // a limit was waited for: no work either
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
	if got.Proof == nil || got.Proof.Tree != "t" {
		t.Errorf("the last proof is %+v", got.Proof)
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
