//go:build linux

package boxtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// PoolSetup is what [TestPool] works on. The boxes of the spec have sh and
// mkfifo, and nobody else uses the engine's Kill.
type PoolSetup struct {
	Engine sandbox.Engine
	Spec   sandbox.Spec
	// Kill ends a box as if its container had been killed from outside.
	Kill func(id string)
}

// TestPool is what everything that takes boxes from a pool relies on, on any engine.
func TestPool(t *testing.T, setup func(t *testing.T) PoolSetup) {
	for name, check := range map[string]func(*testing.T, poolTest){
		"call":          poolCall,
		"ahead":         poolAhead,
		"many at once":  poolMany,
		"session":       poolSession,
		"timeout":       poolTimeout,
		"kept":          poolKept,
		"kept dies":     poolKeptDies,
		"kept too many": poolKeptTooMany,
		"anchor dies":   poolAnchorDies,
		"ready dies":    poolReadyDies,
		"cancelled":     poolCancelled,
		"closed":        poolClosed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			check(t, poolTest{PoolSetup: s, started: &starts{Engine: s.Engine}})
		})
	}
}

type poolTest struct {
	PoolSetup
	started *starts
}

// starts notes what an engine has started.
type starts struct {
	sandbox.Engine
	mu      sync.Mutex
	anchors []string // IDs of boxes with a network of their own
	joined  []string // IDs of boxes that joined one
}

// Start implements [sandbox.Engine].
func (s *starts) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Conn, error) {
	c, err := s.Engine.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if spec.Network == "" {
		s.anchors = append(s.anchors, c.ID())
	} else {
		s.joined = append(s.joined, c.ID())
	}
	return c, nil
}

// anchor is the last one that was started.
func (s *starts) anchor() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.anchors[len(s.anchors)-1]
}

// ready are the boxes that were started and not handed out.
func (p poolTest) ready(seen *boxes) (ids []string) {
	handed := seen.all()
	p.started.mu.Lock()
	defer p.started.mu.Unlock()
	for _, id := range p.started.joined {
		if !slices.ContainsFunc(handed, func(b *sandbox.Box) bool { return b.ID() == id }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// pool makes one that is closed with the test; then none of its boxes runs.
func (p poolTest) pool(t *testing.T, scope sandbox.Scope) (*sandbox.Pool, *boxes) {
	t.Helper()
	seen := &boxes{}
	pool := sandbox.NewPool(p.started, p.Spec, sandbox.PoolOptions{Scope: scope, Handed: seen.add})
	t.Cleanup(func() {
		closePool(t, pool)
		for _, b := range seen.all() {
			wantLost(t, b.Lost())
		}
	})
	return pool, seen
}

func closePool(t *testing.T, pool *sandbox.Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := pool.Close(ctx); err != nil {
		t.Errorf("close the pool: %v", err)
	}
}

// boxes are those that a pool has handed out.
type boxes struct {
	mu     sync.Mutex
	handed []*sandbox.Box
	starts []sandbox.Start
}

func (b *boxes) add(box *sandbox.Box, s sandbox.Start) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed, b.starts = append(b.handed, box), append(b.starts, s)
}

func (b *boxes) all() []*sandbox.Box {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.handed)
}

func take(t *testing.T, pool *sandbox.Pool) *sandbox.Box {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	b, err := pool.Take(ctx)
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return b
}

// poolCall: nothing of one call is there in the next but workspace and home.
func poolCall(t *testing.T, p poolTest) {
	pool, seen := p.pool(t, sandbox.ScopeCall)
	one := take(t, pool)
	output(t, one, "echo kept > file")
	pool.Give(one)
	pool.Give(one) // once too often, harmless
	two := take(t, pool)
	if one == two {
		t.Error("the same box was handed out again")
	}
	equal(t, "workspace", output(t, two, "cat file"), "kept\n")
	equal(t, "told of", len(seen.all()), 2)
	until(t, "the box of a call is gone", func() bool { return one.Lost() != nil })
}

// poolAhead: while nobody waits the next box is started; taking it takes no start.
func poolAhead(t *testing.T, p poolTest) {
	pool, seen := p.pool(t, sandbox.ScopeCall)
	for range 3 {
		pool.Ahead()
		until(t, "a box is ready", func() bool { return len(p.ready(seen)) > 0 })
		pool.Give(take(t, pool))
	}
	for _, s := range seen.starts {
		if s.Took <= 0 || s.Waited >= s.Took {
			t.Errorf("waited %v for a box that took %v to start: it was not started ahead", s.Waited, s.Took)
		}
	}
}

// poolMany: after a reply with several calls as many boxes are ready for the
// next one; each Take gets its own.
func poolMany(t *testing.T, p poolTest) {
	pool, seen := p.pool(t, sandbox.ScopeCall)
	const calls = 3
	pool.Expect(calls)
	until(t, "boxes are ready", func() bool { return len(p.ready(seen)) == calls })
	var all sync.WaitGroup
	for range calls {
		b := take(t, pool)
		all.Go(func() {
			defer pool.Give(b)
			equal(t, "output", output(t, b, "echo hello"), "hello\n")
		})
	}
	all.Wait()
	ids := map[string]bool{}
	for _, b := range seen.all() {
		ids[b.ID()] = true
	}
	equal(t, "different boxes", len(ids), calls)
	for range 4 { // fewer calls for a while: fewer boxes wait
		pool.Expect(1)
	}
	for range calls {
		pool.Give(take(t, pool))
	}
	until(t, "one box is ready", func() bool { return len(p.ready(seen)) == 1 })
}

// poolSession: one box serves all calls, until it is lost.
func poolSession(t *testing.T, p poolTest) {
	pool, seen := p.pool(t, sandbox.ScopeSession)
	one := take(t, pool)
	output(t, one, "echo here > /tmp/glovebox-pool-$$; sleep 1000 & true")
	pool.Give(one)
	two := take(t, pool)
	if two != one {
		t.Error("another box was handed out")
	}
	left, err := two.Left(context.Background())
	if err != nil || len(left.Running) != 1 {
		t.Errorf("what ran is gone: %v, %v", left, err)
	}
	pool.Give(two)
	p.Kill(one.ID())
	until(t, "a box that was killed is lost", func() bool { return one.Lost() != nil })
	three := take(t, pool)
	if three == one || three.Lost() != nil {
		t.Error("a lost box was handed out")
	}
	pool.Give(three)
	equal(t, "told of", len(seen.all()), 2)
}

// poolTimeout: a call whose time was over costs the session's box and no more.
func poolTimeout(t *testing.T, p poolTest) {
	pool, _ := p.pool(t, sandbox.ScopeSession)
	one := take(t, pool)
	cmd := shell("sleep 1000")
	cmd.Timeout = 100 * time.Millisecond
	equal(t, "timed out", run(t, one, cmd).TimedOut, true)
	pool.Give(one)
	two := take(t, pool)
	equal(t, "output of the next box", output(t, two, "echo hello"), "hello\n")
	pool.Give(two)
}

// poolKept: a box in which something runs on can be looked into and ended.
func poolKept(t *testing.T, p poolTest) {
	pool, _ := p.pool(t, sandbox.ScopeCall)
	one := take(t, pool)
	r := run(t, one, shell("mkfifo tell; (echo early; cat tell; echo late; sleep 1000) & true"))
	equal(t, "left", len(r.Left) > 0, true)
	if ended := pool.Keep(one); ended != nil {
		t.Errorf("box %s was ended", ended.ID())
	}
	two := take(t, pool)
	if two == one {
		t.Fatal("a kept box was handed out")
	}
	output(t, two, "echo told > tell") // reaches the process in the other box
	pool.Give(two)
	var left sandbox.Left
	until(t, "its output arrives", func() bool {
		var err error
		if left, err = one.Left(context.Background()); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(left.Output), "told\nlate\n")
	})
	if !slices.ContainsFunc(left.Running, func(p sandbox.Process) bool { return p.Command == "sleep 1000" }) {
		t.Errorf("running: %v", left.Running)
	}
	equal(t, "kept", slices.Contains(pool.Kept(), one), true)
	pool.End(one)
	equal(t, "kept after its end", len(pool.Kept()), 0)
	until(t, "it is gone", func() bool { return one.Lost() != nil })
	equal(t, "cut off", len(pool.CutOff()), 0)
}

// poolKeptDies: a kept box that ends by itself is told once, and kept no longer.
func poolKeptDies(t *testing.T, p poolTest) {
	pool, _ := p.pool(t, sandbox.ScopeCall)
	dying, other := take(t, pool), take(t, pool)
	pool.Keep(dying)
	pool.Keep(other)
	equal(t, "died", len(pool.Died()), 0)
	p.Kill(dying.ID())
	var died []*sandbox.Box
	until(t, "its end is told", func() bool {
		died = append(died, pool.Died()...)
		return len(died) > 0
	})
	if len(died) != 1 || died[0] != dying || !errors.Is(dying.Lost(), sandbox.ErrBoxLost) {
		t.Errorf("died: %v, lost: %v", died, dying.Lost())
	}
	equal(t, "told again", len(pool.Died()), 0)
	equal(t, "kept", slices.Equal(pool.Kept(), []*sandbox.Box{other}), true)
}

// poolKeptTooMany: the oldest goes, and is named.
func poolKeptTooMany(t *testing.T, p poolTest) {
	pool, _ := p.pool(t, sandbox.ScopeCall)
	var first *sandbox.Box
	for i := range sandbox.MaxKept + 1 {
		b := take(t, pool)
		if i == 0 {
			first = b
		}
		ended := pool.Keep(b)
		if want := i == sandbox.MaxKept; want != (ended == first) || !want && ended != nil {
			t.Errorf("box %d was kept and ended %v", i, ended)
		}
	}
	equal(t, "kept", len(pool.Kept()), sandbox.MaxKept)
	until(t, "the oldest is gone", func() bool { return first.Lost() != nil })
}

// poolAnchorDies: nothing can join the network of a dead box. It is made anew
// unasked, and what is cut off by that is told once.
func poolAnchorDies(t *testing.T, p poolTest) {
	pool, _ := p.pool(t, sandbox.ScopeCall)
	kept, between := take(t, pool), take(t, pool)
	pool.Keep(kept)
	dead := p.started.anchor()
	p.Kill(dead)
	equal(t, "output of a box that had joined", output(t, between, "echo hello"), "hello\n")
	pool.Give(between)
	until(t, "another anchor", func() bool {
		b := take(t, pool)
		defer pool.Give(b)
		equal(t, "output of a new box", output(t, b, "echo hello"), "hello\n")
		return p.started.anchor() != dead
	})
	if cut := pool.CutOff(); len(cut) != 1 || cut[0] != kept {
		t.Errorf("cut off: %v", cut)
	}
	equal(t, "cut off, told again", len(pool.CutOff()), 0)
}

// poolReadyDies: a box that died before its call is not handed out.
func poolReadyDies(t *testing.T, p poolTest) {
	pool, seen := p.pool(t, sandbox.ScopeCall)
	pool.Ahead()
	until(t, "a box is ready", func() bool { return len(p.ready(seen)) > 0 })
	dying := p.ready(seen)[0]
	p.Kill(dying)
	// Its end is noticed a moment after it; who takes it before has a box that is lost.
	until(t, "a box that lives", func() bool {
		b := take(t, pool)
		defer pool.Give(b)
		r, err := b.Run(context.Background(), shell("echo hello"))
		return err == nil && r.Output() == "hello\n" && b.ID() != dying
	})
}

// poolCancelled: a Take that is given up takes nothing with it.
func poolCancelled(t *testing.T, p poolTest) {
	pool, seen := p.pool(t, sandbox.ScopeCall)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if b, err := pool.Take(ctx); err == nil {
		pool.Give(b) // it was faster
	} else {
		is(t, "take", err, context.DeadlineExceeded)
	}
	b := take(t, pool)
	equal(t, "output", output(t, b, "echo hello"), "hello\n")
	pool.Give(b)
	if n := len(seen.all()); n > 2 {
		t.Errorf("told of %d boxes", n)
	}
}

// poolClosed: what comes up while the pool ends, ends with it.
func poolClosed(t *testing.T, p poolTest) {
	pool, _ := p.pool(t, sandbox.ScopeCall)
	out := take(t, pool) // still out when the pool ends
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			switch b, err := pool.Take(context.Background()); {
			case err == nil:
				pool.Give(b)
			case !errors.Is(err, sandbox.ErrPoolClosed):
				t.Errorf("take: %v", err)
			}
		})
	}
	closePool(t, pool)
	all.Wait()
	closePool(t, pool)
	wantLost(t, out.Lost())
	pool.Give(out)
	pool.Ahead()
	_, err := pool.Take(context.Background())
	is(t, "take after the end", err, sandbox.ErrPoolClosed)
	if live, ok := p.Engine.(interface{ Live() int }); ok {
		equal(t, "boxes that are left", live.Live(), 0)
	}
}
