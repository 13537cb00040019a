package batch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/runner"
)

// State is where an item of a batch stands.
type State string

// The states.
const (
	Waiting State = "waiting" // not begun
	Running State = "running"
	Ended   State = "ended"   // by itself; Outcome says how
	Stopped State = "stopped" // interrupted or killed: the same command goes on
)

// Result is an item and what became of it.
type Result struct {
	Item    Item           `json:"item"`
	State   State          `json:"state"`
	Status  runner.Status  `json:"status"`
	Outcome runner.Outcome `json:"outcome,omitempty"` // of the last process
	Reason  string         `json:"reason,omitempty"`
	Hint    string         `json:"hint,omitempty"`
}

// Done says that all features of the item are verified.
func (r Result) Done() bool { return r.Outcome == runner.Done }

// failed is an ending that counts for StopAfter.
func (r Result) failed() bool {
	switch r.Outcome {
	case "", runner.Done, runner.Interrupted, runner.RateLimit:
		return false
	default:
		return true
	}
}

// goesOn says that the same command works on the item again: it is not done,
// and it did not end for a reason that a second try would only meet again.
func (r Result) goesOn(retryFailed bool) bool {
	switch r.State {
	case Running:
		return false
	case Ended:
		return r.Outcome == runner.RateLimit || retryFailed && r.failed()
	default:
		return true
	}
}

// Options are how a batch is worked through.
type Options struct {
	Out      string // the batch's directory
	Parallel int    // jobs at a time, at least 1
	// Until is when nothing more is begun and what runs is interrupted, which
	// the same command goes on with; zero is never.
	Until time.Time
	// StopAfter is how many jobs may fail until nothing more is begun; 0 is no limit.
	StopAfter int
	// RetryFailed works again on jobs that have ended without being done.
	RetryFailed bool
	// Job works on one item until its process ends.
	Job func(ctx context.Context, item Item) (runner.Status, error)
	// Observe is told each change of an item. It must be quick.
	Observe func(Result)
}

// Run works through the items in their order. One job's failure, panic or
// hostile spec is its own: the others go on. The results stand in the items'
// order. A cancelled ctx interrupts all jobs; the same call goes on with them.
func Run(ctx context.Context, items []Item, o Options) []Result {
	if o.Observe == nil {
		o.Observe = func(Result) {}
	}
	if !o.Until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, o.Until, errUntil)
		defer cancel()
	}
	b := &run{o: o, results: make([]Result, len(items))}
	work := make(chan int)
	var workers sync.WaitGroup
	for range max(1, o.Parallel) {
		workers.Go(func() {
			for i := range work {
				b.work(ctx, i)
			}
		})
	}
	for i, item := range items {
		s, err := runner.ReadStatus(filepath.Join(o.Out, item.Name))
		b.set(i, judge(item, s, err))
	}
	for i := range items {
		if b.get(i).goesOn(o.RetryFailed) && !b.over(ctx) {
			work <- i
		}
	}
	close(work)
	workers.Wait()
	return b.results
}

// errUntil is why jobs are interrupted at their time.
var errUntil = errors.New("the time of --until has come")

// run is one call of Run.
type run struct {
	o       Options
	mu      sync.Mutex
	results []Result
	failed  int // in this call
}

func (b *run) get(i int) Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.results[i]
}

func (b *run) set(i int, r Result) {
	b.mu.Lock()
	b.results[i] = r
	b.mu.Unlock()
	b.o.Observe(r)
}

// over says that nothing more is begun.
func (b *run) over(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ctx.Err() != nil || b.o.StopAfter > 0 && b.failed >= b.o.StopAfter
}

func (b *run) work(ctx context.Context, i int) {
	if b.over(ctx) {
		return
	}
	r := b.get(i)
	r.State = Running
	b.set(i, r)
	s, err := b.job(ctx, r.Item)
	if s.ID == "" { // it never came to have a state of its own, or what it has is not this process's
		if known, rerr := runner.ReadStatus(filepath.Join(b.o.Out, r.Item.Name)); rerr == nil {
			s = known
		}
	}
	r = ended(r.Item, s, err)
	b.mu.Lock()
	if r.failed() {
		b.failed++
	}
	b.mu.Unlock()
	b.set(i, r)
}

// job works on an item; a panic is its failure.
func (b *run) job(ctx context.Context, item Item) (s runner.Status, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &runner.Error{Outcome: runner.FailedRun, Reason: fmt.Sprintf("glovebox itself failed: %v", p),
				Hint: "this is a bug of glovebox: please report it", Err: fmt.Errorf("%s", debug.Stack())}
		}
	}()
	return b.o.Job(ctx, item)
}

// ended is how an item's process of this run ended.
func ended(item Item, s runner.Status, err error) Result {
	r := Result{Item: item, State: Ended, Status: s, Outcome: runner.Done}
	var e *runner.Error
	switch {
	case errors.As(err, &e):
		r.Outcome, r.Reason, r.Hint = e.Outcome, e.Reason, e.Hint
		if r.Reason == "" {
			r.Reason = e.Error()
		}
	case err != nil:
		r.Outcome, r.Reason = runner.FailedRun, err.Error()
	}
	switch {
	case r.Outcome == runner.Interrupted:
		r.State = Stopped
	case errors.Is(err, runner.ErrBusy): // another batch has begun it meanwhile
		r.State, r.Outcome = Running, ""
	}
	return r
}

// judge is where an item stands by its own state.
func judge(item Item, s runner.Status, err error) Result {
	r := Result{Item: item, State: Waiting, Status: s, Outcome: s.Outcome, Reason: s.Reason, Hint: s.Hint}
	switch {
	case errors.Is(err, runner.ErrNoJob) || errors.Is(err, fs.ErrNotExist):
	case err != nil:
		r.State, r.Outcome, r.Reason = Ended, runner.FailedRun, err.Error()
	case item.SpecHash != s.SpecHash:
		r.State, r.Outcome, r.Reason = Ended, runner.Usage, otherSpec(s.Spec)
		r.Hint = otherSpecHint
	case s.Running:
		r.State, r.Outcome = Running, ""
	case s.Outcome == "" || s.Outcome == runner.Interrupted:
		r.State = Stopped
	case s.Outcome == runner.Done && (s.Passing() < len(s.Features) || s.Proof != nil && !s.Proof.Passed()):
		r.State, r.Outcome = Stopped, "" // a list that was edited since, or a proof that fails now
	default:
		r.State = Ended
	}
	return r
}

// otherSpec says that a directory is taken.
func otherSpec(spec string) string {
	return "its directory holds a job for another specification (" + spec + ")"
}

const otherSpecHint = "give another --out, or another name in a manifest"
