package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

const name = "ledger.jsonl"

func openRoot(t testing.TB) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, filepath.Join(dir, name)
}

func open(t testing.TB, root *os.Root, o ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(root, name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func add(t testing.TB, l *ledger.Ledger, events ...ledger.Event) {
	t.Helper()
	for _, e := range events {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func usd(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func reserve(s string) ledger.Event {
	return ledger.Event{Kind: ledger.Request, Money: &ledger.Money{Reserved: usd(s)}}
}

func paid(s string) ledger.Event {
	return ledger.Event{Kind: ledger.Reply, Money: &ledger.Money{Spent: usd(s)},
		Answer: &ledger.ReplyInfo{Model: "m", Prompt: 100, Completion: 10, Cached: 60}}
}

// What was appended is read back, numbered and timed, also after the process
// ended and another one went on.
func TestAppendAndGoOn(t *testing.T) {
	root, _ := openRoot(t)
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.FixedZone("x", 3600))
	l := open(t, root, ledger.Options{Now: func() time.Time { return now }})
	add(t, l, ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{ID: "j"}}, reserve("0.5"))
	l.Close()
	l = open(t, root, ledger.Options{})
	add(t, l, paid("0.1"))

	events, err := ledger.Read(root, name)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 3 {
		t.Fatalf("%d events, want 3", len(events))
	}
	for i, e := range events {
		if e.Seq != int64(i+1) || e.V != ledger.Version || e.Time.Location() != time.UTC {
			t.Errorf("event %d: seq %d, v %d, time %s", i, e.Seq, e.V, e.Time)
		}
	}
	if !events[0].Time.Equal(now) {
		t.Errorf("time %s, want %s", events[0].Time, now)
	}
	if spent := l.Totals().Spent(); !spent.Equal(usd("0.1")) {
		t.Errorf("spent %s, want 0.1", spent)
	}
}

// An event is on disk before anybody is told of it: acting upon it is safe then.
func TestObserveAfterDisk(t *testing.T) {
	root, _ := openRoot(t)
	var seen []int64
	l := open(t, root, ledger.Options{Observe: func(e ledger.Event) {
		events, err := ledger.Read(root, name)
		if err != nil || len(events) == 0 || events[len(events)-1].Seq != e.Seq {
			t.Errorf("event %d was observed before it could be read (%v)", e.Seq, err)
		}
		seen = append(seen, e.Seq)
	}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 4 {
				if err := l.Append(ledger.Event{Kind: ledger.Note, Text: "x"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, seq := range seen {
		if seq != int64(i+1) {
			t.Fatalf("observed out of order: %v", seen)
		}
	}
	if len(seen) != 32 {
		t.Fatalf("observed %d events, want 32", len(seen))
	}
}

// A key must not get into the ledger through any field of any payload.
func TestRedactsEveryText(t *testing.T) {
	root, path := openRoot(t)
	const key = "sk-very-secret"
	var observed ledger.Event
	l := open(t, root, ledger.Options{
		Redact:  func(s string) string { return strings.ReplaceAll(s, key, "[key]") },
		Observe: func(e ledger.Event) { observed = e },
	})
	ids := []string{"a", key}
	e := ledger.Event{
		Kind: ledger.Note, Feature: key, Text: "x " + key,
		Job:     &ledger.JobInfo{Spec: key, Model: key, Image: key},
		Started: &ledger.SessionInfo{Note: key}, Ended: &ledger.SessionInfo{Note: key},
		Answer: &ledger.ReplyInfo{Text: key}, Call: &ledger.CallInfo{Summary: key, Args: `{"command":"` + key + `"}`},
		Result: &ledger.ResultInfo{Summary: key, Text: key}, Verify: &ledger.VerifyInfo{Command: key, Output: key},
		List: &ledger.ListInfo{IDs: ids, Note: key}, Commit: &ledger.CommitInfo{Message: key},
		End: &ledger.EndInfo{Reason: key, Hint: key},
	}
	add(t, l, e)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), key) {
		t.Errorf("the key is in the ledger: %s", data)
	}
	if strings.Count(string(data), "[key]") < 18 {
		t.Errorf("texts were lost: %s", data)
	}
	if observed.Result.Text != "[key]" || observed.List.IDs[1] != "[key]" {
		t.Error("the observer was told the key")
	}
	if ids[1] != key || e.Result.Text != key {
		t.Error("the caller's event was changed")
	}
}

// A crash in the middle of a line loses that line, says so, and nothing else.
func TestTornLine(t *testing.T) {
	root, path := openRoot(t)
	l := open(t, root, ledger.Options{})
	add(t, l, reserve("1"), paid("0.25"))
	l.Close()
	appendTo(t, path, `{"v":1,"seq":3,"ki`)

	if events, err := ledger.Read(root, name); err != nil || len(events) != 2 {
		t.Errorf("a reader sees %d events (%v), want 2", len(events), err)
	}
	l = open(t, root, ledger.Options{})
	add(t, l, reserve("2"))
	events, err := ledger.Read(root, name)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 4 || events[2].Kind != ledger.Note || !strings.Contains(events[2].Text, "torn (18 bytes)") {
		t.Errorf("events after the cut: %+v", events)
	}
}

// Any other damage stops the job instead of forgetting money.
func TestDamage(t *testing.T) {
	good := `{"v":1,"seq":1,"time":"2026-11-22T10:00:00Z","kind":"note"}` + "\n"
	for _, c := range []struct{ name, add, want string }{
		{"no JSON", "hello\n", "line 2: no JSON object"},
		{"empty line", "\n", "line 2: no JSON object"},
		{"hole", strings.Replace(good, `"seq":1`, `"seq":3`, 1), "line 2: event 3 follows event 1"},
		{"twice", good, "line 2: event 1 follows event 1"},
		{"other version", strings.Replace(good, `"v":1`, `"v":2`, 1), "line 2: format 2, and this glovebox reads format 1"},
		{"negative money", `{"v":1,"seq":2,"kind":"reply","money":{"reserved":"0","spent":"-1"}}` + "\n", "line 2: an amount of money"},
		{"huge money", `{"v":1,"seq":2,"kind":"reply","money":{"reserved":"0","spent":"1e9000"}}` + "\n", "line 2: an amount of money"},
		{"no reserve", `{"v":1,"seq":2,"kind":"request"}` + "\n", "line 2: a request without a reserve"},
		{"not UTF-8", "{\"v\":1,\"seq\":2,\"kind\":\"note\",\"text\":\"\xff\"}\n", "line 2: not UTF-8"},
		{"no kind", `{"v":1,"seq":2}` + "\n", "line 2: no kind"},
		{"endless line", strings.Repeat("x", ledger.MaxLine+1) + "\n", "line 2: longer than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, path := openRoot(t)
			appendTo(t, path, good+c.add)
			_, err := ledger.Open(root, name, ledger.Options{})
			if damage := (*ledger.DamageError)(nil); !errors.As(err, &damage) || damage.Line != 2 {
				t.Fatalf("got %v, want damage in line 2", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not say %q", err, c.want)
			}
			if events, err := ledger.Read(root, name); err == nil || len(events) != 1 {
				t.Errorf("a reader got %d events and %v", len(events), err)
			}
		})
	}
}

// A project that is brought may have put a link or a pipe where the ledger belongs.
func TestFollowsNoLink(t *testing.T) {
	root, path := openRoot(t)
	target := filepath.Join(t.TempDir(), "target")
	appendTo(t, target, "precious")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(root, name, ledger.Options{}); err == nil || !strings.Contains(err.Error(), "a link") {
		t.Errorf("open: %v", err)
	}
	if _, err := ledger.Read(root, name); err == nil {
		t.Error("read followed a link")
	}
	if data, _ := os.ReadFile(target); string(data) != "precious" {
		t.Errorf("the link's target is now %q", data)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Read(root, name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing ledger: %v", err)
	}
}

// However large an event is, it becomes a line that can be read again.
func TestBoundsEvents(t *testing.T) {
	root, _ := openRoot(t)
	l := open(t, root, ledger.Options{})
	add(t, l, ledger.Event{Kind: ledger.Note, Text: "é" + strings.Repeat("\x00é", 2<<20)})
	add(t, l, ledger.Event{Kind: ledger.Note, Text: "after"})
	events, err := ledger.Read(root, name)
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if text := events[0].Text; len(text) > 100<<10 || !strings.Contains(text, "bytes left out") {
		t.Errorf("the text has %d bytes", len(text))
	}
}

// A ledger that can't be written stops the job: nothing may happen unrecorded.
func TestFailsForGood(t *testing.T) {
	root, _ := openRoot(t)
	l := open(t, root, ledger.Options{})
	l.Close()
	if err := l.Append(ledger.Event{Kind: ledger.Note}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	l = open(t, root, ledger.Options{})
	if err := l.Append(ledger.Event{Kind: ledger.Reply, Money: &ledger.Money{Spent: usd("-1")}}); err == nil {
		t.Error("negative money was accepted")
	}
	add(t, l, ledger.Event{Kind: ledger.Note, Text: "a refused event leaves no hole"})
	if events, err := ledger.Read(root, name); err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// What one event costs: an append, a sync and an observer.
func BenchmarkAppend(b *testing.B) {
	root, _ := openRoot(b)
	l := open(b, root, ledger.Options{Redact: func(s string) string { return strings.ReplaceAll(s, "sk-secret", "") }})
	e := ledger.Event{Kind: ledger.CallEnd, Result: &ledger.ResultInfo{Text: strings.Repeat("a line of output\n", 200)}}
	for b.Loop() {
		if err := l.Append(e); err != nil {
			b.Fatal(err)
		}
	}
}
