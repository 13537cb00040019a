//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

// The fake engine's pools keep the contract that Docker's do.
func TestPool(t *testing.T) {
	boxtest.TestPool(t, func(t *testing.T) boxtest.PoolSetup {
		fake := boxtest.New(t)
		return boxtest.PoolSetup{
			Engine: fake, Spec: sandbox.Spec{Limits: sandbox.DefaultLimits(), Workspace: t.TempDir(), Home: t.TempDir()},
			Kill: fake.Kill,
		}
	})
}

// A failed start is the caller's error and nothing more: of the anchor, of a
// box that somebody waits for, and of one that was started ahead.
func TestPoolStartFails(t *testing.T) {
	fake := boxtest.New(t)
	pool := sandbox.NewPool(fake, sandbox.Spec{Limits: sandbox.DefaultLimits()}, sandbox.PoolOptions{Starts: sandbox.NewStarts(1)})
	defer func() {
		if err := pool.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	broken := &sandbox.WallError{Wall: "memory limit", Why: "a test"}
	for n := 1; n <= 4; n++ { // both starts that a Take asks for, twice
		fake.FailStart(n, broken)
	}
	for range 2 {
		if _, err := pool.Take(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("take: %v, want %v", err, broken)
		}
	}
	b, err := pool.Take(t.Context())
	for errors.Is(err, broken) { // a start ahead of the last one that failed may have been slower
		b, err = pool.Take(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	pool.Give(b)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := pool.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("take with a cancelled context: %v", err)
	}
}

// gatedEngine starts a box when the test says so, and notes for whom.
type gatedEngine struct {
	sandbox.Engine
	asked chan string // the job of each start that has got its turn
	open  chan struct{}
}

func (g *gatedEngine) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	g.asked <- s.Job
	select {
	case <-g.open:
		return g.Engine.Start(ctx, s)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Pools take turns: one that wants many boxes does not hold up another that
// wants its first.
func TestStartsAreFair(t *testing.T) {
	engine := &gatedEngine{Engine: boxtest.New(t), asked: make(chan string), open: make(chan struct{})}
	starts := sandbox.NewStarts(1)
	pool := func(job string) *sandbox.Pool {
		p := sandbox.NewPool(engine, sandbox.Spec{Limits: sandbox.DefaultLimits(), Job: job},
			sandbox.PoolOptions{Scope: sandbox.ScopeSession, Starts: starts})
		t.Cleanup(func() {
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return p
	}
	greedy, modest := pool("greedy"), pool("modest")
	var all sync.WaitGroup
	take := func(p *sandbox.Pool) {
		all.Go(func() {
			if b, err := p.Take(t.Context()); err == nil {
				defer p.Give(b)
			}
		})
	}
	take(greedy)
	if job := <-engine.asked; job != "greedy" {
		t.Fatalf("the first start was for %s", job)
	}
	const many = 5
	for range many {
		take(greedy)
	}
	sandbox.AwaitQueue(starts, many)
	take(modest)
	sandbox.AwaitQueue(starts, many+1)
	engine.open <- struct{}{}
	var order []string
	for range many + 1 {
		order = append(order, <-engine.asked)
		engine.open <- struct{}{}
	}
	all.Wait()
	if order[1] != "modest" {
		t.Errorf("the turns were %v", order)
	}
}

func TestParseScope(t *testing.T) {
	for in, want := range map[string]sandbox.Scope{"": sandbox.ScopeCall, "call": sandbox.ScopeCall, "session": sandbox.ScopeSession} {
		if got, err := sandbox.ParseScope(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := sandbox.ParseScope("forever"); err == nil {
		t.Error("an unknown scope was accepted")
	}
}
