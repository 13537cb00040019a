package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func items(n int) (list []Item) {
	for i := range n {
		list = append(list, Item{Name: fmt.Sprintf("job%d", i), SpecHash: "h"})
	}
	return list
}

func ends(o runner.Outcome) error { return &runner.Error{Outcome: o, Reason: string(o)} }

// outcomes are how the items ended, in their order.
func outcomes(results []Result) (out []string) {
	for _, r := range results {
		out = append(out, string(r.State)+" "+string(r.Outcome))
	}
	return out
}

// One job's failure or panic is its own, and they are begun in their order.
func TestJobsDontTouchOneAnother(t *testing.T) {
	var mu sync.Mutex
	var begun []string
	results := Run(context.Background(), items(6), Options{Out: t.TempDir(), Parallel: 1, Job: func(_ context.Context, item Item) (runner.Status, error) {
		mu.Lock()
		begun = append(begun, item.Name)
		mu.Unlock()
		switch item.Name {
		case "job1":
			panic("a bug")
		case "job2":
			return runner.Status{}, ends(runner.Incomplete)
		case "job3":
			return runner.Status{}, errors.New("no space left on device")
		case "job4":
			return runner.Status{}, &runner.Error{Outcome: runner.FailedRun, Err: runner.ErrBusy}
		}
		return runner.Status{ID: "x"}, nil
	}})
	want := []string{"ended done", "ended failed", "ended incomplete", "ended failed", "running ", "ended done"}
	if got := outcomes(results); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(results[1].Reason, "a bug") || strings.Contains(results[1].Reason, "goroutine") || results[3].Reason != "no space left on device" {
		t.Errorf("reasons %q, %q", results[1].Reason, results[3].Reason)
	}
	if !slices.IsSorted(begun) || len(begun) != 6 {
		t.Errorf("begun %q", begun)
	}
}

// So many at a time, and no more.
func TestParallel(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	Run(context.Background(), items(9), Options{Out: t.TempDir(), Parallel: 3, Job: func(context.Context, Item) (runner.Status, error) {
		mu.Lock()
		now++
		most = max(most, now)
		if now == 3 { // all three are here
			open()
		}
		mu.Unlock()
		<-gate
		mu.Lock()
		now--
		mu.Unlock()
		return runner.Status{}, nil
	}})
	if most != 3 {
		t.Errorf("%d at a time", most)
	}
}

// After so many failures nothing more is begun; what was interrupted or has to
// wait for its provider is none.
func TestStopAfter(t *testing.T) {
	ended := []runner.Outcome{runner.RateLimit, runner.FailedRun, runner.Incomplete, runner.Done, runner.Done}
	results := Run(context.Background(), items(5), Options{Out: t.TempDir(), Parallel: 1, StopAfter: 2, Job: func(_ context.Context, item Item) (runner.Status, error) {
		if o := ended[item.Name[3]-'0']; o != runner.Done {
			return runner.Status{}, ends(o)
		}
		return runner.Status{}, nil
	}})
	want := []string{"ended rate-limit", "ended failed", "ended incomplete", "waiting ", "waiting "}
	if got := outcomes(results); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// At its time what runs is interrupted and nothing more is begun.
func TestUntil(t *testing.T) {
	results := Run(context.Background(), items(3), Options{Out: t.TempDir(), Parallel: 1, Until: time.Now().Add(20 * time.Millisecond),
		Job: func(ctx context.Context, _ Item) (runner.Status, error) {
			<-ctx.Done()
			return runner.Status{}, ends(runner.Interrupted)
		}})
	want := []string{"stopped interrupted", "waiting ", "waiting "}
	if got := outcomes(results); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// What the same command works on again.
func TestGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		r            Result
		again, retry bool
	}{
		"not begun":     {Result{State: Waiting}, true, true},
		"killed":        {Result{State: Stopped}, true, true},
		"interrupted":   {Result{State: Stopped, Outcome: runner.Interrupted}, true, true},
		"done":          {Result{State: Ended, Outcome: runner.Done}, false, false},
		"failed":        {Result{State: Ended, Outcome: runner.FailedRun}, false, true},
		"incomplete":    {Result{State: Ended, Outcome: runner.Incomplete}, false, true},
		"over budget":   {Result{State: Ended, Outcome: runner.OverBudget}, false, true},
		"rate limit":    {Result{State: Ended, Outcome: runner.RateLimit}, true, true},
		"somebody else": {Result{State: Running}, false, false},
	} {
		if c.r.goesOn(false) != c.again || c.r.goesOn(true) != c.retry {
			t.Errorf("%s: %v, with --retry-failed %v", name, c.r.goesOn(false), c.r.goesOn(true))
		}
	}
}
