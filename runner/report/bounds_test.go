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

// A long text is cut in its middle: how it began, how it ended, and how much
// lay between.
func TestLongTextsAreCut(t *testing.T) {
	events, s := night(t, asItIs)
	s.SpecText = "first words\n" + strings.Repeat("é\n", specMax) + "last words\n"
	for i, e := range events {
		if e.Kind == ledger.CallEnd {
			r := *e.Result
			r.Text = "exit 1\n" + strings.Repeat("noise\n", 2000) + "the error\n"
			events[i].Result = &r
		}
	}
	job := build(events, s, Options{})
	for what, text := range map[string]string{"spec": job.Spec.Text, "result": job.Sessions[0].Turns[0].Calls[0].Text} {
		if len(text) > specMax+100 || !strings.Contains(text, " bytes left out …]") || strings.ContainsRune(text, '\ufffd') {
			t.Errorf("%s: %d bytes: %.60q", what, len(text), text)
		}
	}
	if text := job.Sessions[0].Turns[0].Calls[0].Text; len(text) > textMax+100 || !strings.HasPrefix(text, "exit 1\n") || !strings.HasSuffix(text, "the error\n") {
		t.Errorf("a call's result: %d bytes: %.40q", len(text), text)
	}
	if text := job.Spec.Text; !strings.HasPrefix(text, "first words\n") || !strings.HasSuffix(text, "last words\n") {
		t.Errorf("the spec: %.40q", text)
	}
}
