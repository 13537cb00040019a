package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// A command that never ends, and what it started, is stopped; that is a
// warning and no more.
func TestOnEndIsBounded(t *testing.T) {
	var out, err strings.Builder
	a := newApp(strings.NewReader(""), &out, &err, []string{"PATH=" + os.Getenv("PATH")})
	a.onEndTime = 300 * time.Millisecond
	begun, pid := time.Now(), filepath.Join(t.TempDir(), "pid")
	a.onEnd(t.Context(), "sleep 600 & echo $! > "+pid+"; sleep 600", "run", nil, errors.New("some end"))
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	left, failed := os.ReadFile(pid)
	if failed != nil {
		t.Fatal(failed)
	}
	lives := func() bool { // the kernel takes a moment to end it
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(left)) + "/stat")
		return err == nil && !strings.Contains(string(stat), ") Z ")
	}
	for lives() {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("what it started goes on")
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = a.stderr.Flush()
	if got := err.String(); !strings.Contains(got, "--on-end: stopped after 300ms; it changes nothing") || out.Len() > 0 {
		t.Errorf("got %q", got)
	}
}

// What it reads is one line of JSON, without keys, whatever a model wrote.
func TestOnEndTellsAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "end.json")
	var out, err strings.Builder
	a := newApp(strings.NewReader(""), &out, &err, []string{"PATH=" + os.Getenv("PATH"), "OPENAI_API_KEY=sk-canary-0123456789"})
	job := ciJob{name: "app", end: runner.Incomplete, reason: "a \"limit\"\nsk-canary-0123456789", status: runner.Status{Dir: "/x/app", Seconds: 7,
		Spent: decimal.RequireFromString("0.25"), Features: []feature.Feature{{ID: "one", Passes: true}, {ID: "two"}}}}
	a.onEnd(t.Context(), "cat > "+file, "batch", []ciJob{job}, &runner.Error{Outcome: runner.Incomplete, Reason: "1 of 2"})
	text, failed := os.ReadFile(file)
	if failed != nil {
		t.Fatal(failed, err.String())
	}
	var got ending
	if failed := json.Unmarshal(text, &got); failed != nil || strings.Count(string(text), "\n") != 1 || strings.Contains(string(text), "canary") {
		t.Fatalf("%v: %q", failed, text)
	}
	want := endedJob{"app", "/x/app", runner.Incomplete, "a \"limit\"\n[redacted]", 2, 1, decimal.RequireFromString("0.25"), 7}
	if len(got.Jobs) != 1 || !got.Jobs[0].Spent.Equal(want.Spent) {
		t.Fatalf("got %+v", got)
	}
	got.Jobs[0].Spent = want.Spent
	if got.Jobs[0] != want || got.Code != 3 || got.V != 1 || got.Hint == "" {
		t.Errorf("got %+v", got)
	}
}
