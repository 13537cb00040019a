//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

func newPool(t *testing.T, scope sandbox.Scope) (*boxtest.Fake, *sandbox.Pool) {
	t.Helper()
	fake := boxtest.New(t)
	pool := sandbox.NewPool(fake, sandbox.Spec{Limits: sandbox.DefaultLimits()}, scope, nil)
	t.Cleanup(func() { closePool(t, pool) })
	return fake, pool
}

func closePool(t *testing.T, p *sandbox.Pool) {
	t.Helper()
	if err := p.Close(context.Background()); err != nil {
		t.Errorf("close the pool: %v", err)
	}
}

func take(t *testing.T, p *sandbox.Pool) *sandbox.Box {
	t.Helper()
	b, err := p.Take(context.Background())
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return b
}

// TestPoolCall: with scope call nothing of one call is there in the next.
func TestPoolCall(t *testing.T) {
	fake, pool := newPool(t, sandbox.ScopeCall)
	one := take(t, pool)
	pool.Give(one)
	pool.Give(one) // once too often, harmless
	two := take(t, pool)
	if one == two || fake.Starts() != 2 {
		t.Errorf("the same box was handed out again; %d starts", fake.Starts())
	}
	closePool(t, pool) // with one box that is still out
	if two.Lost() == nil || fake.Live() != 0 {
		t.Errorf("%d boxes live after close", fake.Live())
	}
	closePool(t, pool)
	if _, err := pool.Take(context.Background()); !errors.Is(err, sandbox.ErrPoolClosed) {
		t.Errorf("take after close: %v", err)
	}
	pool.Give(two)
}

// TestPoolSession: with scope session one box serves all calls, until it is lost.
func TestPoolSession(t *testing.T) {
	fake, pool := newPool(t, sandbox.ScopeSession)
	one := take(t, pool)
	pool.Give(one)
	if two := take(t, pool); two != one {
		t.Error("another box was handed out")
	}
	pool.Give(one)
	fake.Kill(1)
	deadline := time.After(time.Minute)
	for one.Lost() == nil { // the end of the stream arrives in its own time
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("the box that was killed is not lost")
		}
	}
	three := take(t, pool)
	if three == one || three.Lost() != nil {
		t.Error("a lost box was handed out")
	}
	three.Close()
	pool.Give(three)
	four := take(t, pool)
	if four == three || fake.Starts() != 3 {
		t.Errorf("a lost box was kept; %d starts", fake.Starts())
	}
	// A second call at the same time gets a box of its own.
	if five := take(t, pool); five == four {
		t.Error("one box was handed out twice")
	} else {
		pool.Give(five)
	}
	pool.Give(four)
	closePool(t, pool)
	if fake.Live() != 0 {
		t.Errorf("%d boxes live after close", fake.Live())
	}
}

// TestPoolStart: a failed start is the caller's error and nothing more; each
// that succeeds is told, with its time.
func TestPoolStart(t *testing.T) {
	fake := boxtest.New(t)
	var told []*sandbox.Box
	pool := sandbox.NewPool(fake, sandbox.Spec{Limits: sandbox.DefaultLimits()}, sandbox.ScopeCall, func(b *sandbox.Box, took time.Duration) {
		if took <= 0 {
			t.Errorf("started in %v", took)
		}
		told = append(told, b)
	})
	defer closePool(t, pool)
	broken := &sandbox.WallError{Wall: "memory limit", Why: "a test"}
	fake.FailStart(1, broken)
	if _, err := pool.Take(context.Background()); !errors.Is(err, broken) {
		t.Errorf("take: %v, want %v", err, broken)
	}
	b := take(t, pool)
	if len(told) != 1 || told[0] != b {
		t.Errorf("told of %d boxes", len(told))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := pool.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("take with a cancelled context: %v", err)
	}
}

// TestPoolCloseDuringStart: what comes up while the pool ends, ends with it.
func TestPoolCloseDuringStart(t *testing.T) {
	fake, pool := newPool(t, sandbox.ScopeCall)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if b, err := pool.Take(context.Background()); err == nil {
				pool.Give(b)
			}
		})
	}
	closePool(t, pool)
	all.Wait()
	closePool(t, pool)
	if fake.Live() != 0 {
		t.Errorf("%d boxes live after close", fake.Live())
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
