package report

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// long gives the events of a job with many calls, one after the other, without
// keeping them.
func long(calls int, text string, add func(ledger.Event)) {
	at, seq := time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC), int64(0)
	put := func(e ledger.Event) {
		at, seq = at.Add(300*time.Millisecond), seq+1
		e.V, e.Time, e.Seq = ledger.Version, at, seq
		add(e)
	}
	put(ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{Budget: "100"}})
	for n := range calls {
		session, turn := n/100+1, n%100+1
		if turn == 1 {
			put(ledger.Event{Kind: ledger.SessionStart, Session: session, Feature: "f", Started: &ledger.SessionInfo{Kind: "coding"}})
		}
		put(ledger.Event{Kind: ledger.Request, Session: session, Turn: turn, Money: &ledger.Money{Reserved: usdOf("1")}})
		put(ledger.Event{Kind: ledger.Reply, Session: session, Turn: turn, Money: &ledger.Money{Spent: usdOf("0.0001")}, Answer: &ledger.ReplyInfo{Text: text, Prompt: 100}})
		put(ledger.Event{Kind: ledger.CallStart, Session: session, Turn: turn, Call: &ledger.CallInfo{Number: turn, Tool: "bash", Summary: fmt.Sprintf("call %d", n), Args: text}})
		put(ledger.Event{Kind: ledger.BoxStart, Session: session, Box: &ledger.BoxInfo{ID: "b", Purpose: "call", Took: 5 * time.Millisecond}})
		put(ledger.Event{Kind: ledger.CallEnd, Session: session, Turn: turn, Result: &ledger.ResultInfo{Number: turn, OK: true, Text: text}})
		put(ledger.Event{Kind: ledger.VerifyEnd, Session: session, Feature: "f", Verify: &ledger.VerifyInfo{Why: "regression", Passed: true, Output: text}})
		put(ledger.Event{Kind: ledger.Note, Session: session, Text: "n"})
	}
}

// Ten thousand calls with long results are a page that a browser opens, and the
// report says what it left out; the latest are there.
func TestLongJobIsBounded(t *testing.T) {
	b := NewBuilder(Options{})
	long(10_000, strings.Repeat("<b>&long</b> ", 600), b.Add)
	job := b.Job(State{})
	for _, form := range Forms() {
		text := written(t, func(w *bytes.Buffer) error { return form.Write(w, reportOf(job)) })
		t.Logf("%s: %d KB", form.File, len(text)>>10)
		if len(text) > 40<<20 {
			t.Errorf("%s has %d MB", form.File, len(text)>>20)
		}
		if form.File != JUnitFile && !bytes.Contains(text, []byte("call 9999")) {
			t.Errorf("%s lacks the last call", form.File)
		}
	}
	if job.LeftOut.Texts == 0 || job.LeftOut.Notes == 0 || job.Counts.Calls != 10_000 {
		t.Errorf("%+v", job.LeftOut)
	}
}

// What a report needs of memory does not grow with the job.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("adds 500,000 events")
	}
	text := strings.Repeat("x", 1<<10)
	held := func(calls int) int {
		b := NewBuilder(Options{Texts: 1 << 19})
		long(calls, text, b.Add)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		runtime.KeepAlive(b)
		return int(m.HeapAlloc)
	}
	held(100)
	short, long := held(25_000), held(50_000)
	t.Logf("%d KB after 25,000 calls, %d KB after 50,000", short>>10, long>>10)
	if long > 40<<20 || long > short+short/5 {
		t.Errorf("%d MB after 25,000 calls, %d MB after 50,000", short>>20, long>>20)
	}
}
