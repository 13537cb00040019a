package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Scope is how long a box lasts.
type Scope string

// The scopes.
const (
	// ScopeCall gives every call a new box. The default.
	ScopeCall Scope = "call"
	// ScopeSession keeps one box for a session.
	ScopeSession Scope = "session"
)

// ParseScope reads a scope as a user writes it; "" is [ScopeCall].
func ParseScope(s string) (Scope, error) {
	switch Scope(s) {
	case "", ScopeCall:
		return ScopeCall, nil
	case ScopeSession:
		return ScopeSession, nil
	}
	return "", fmt.Errorf("unknown scope %q: use %q or %q", s, ScopeCall, ScopeSession)
}

// ErrPoolClosed says that a pool was asked for a box after its end.
var ErrPoolClosed = errors.New("the session's boxes are closed")

// PoolOptions say how a [Pool] works.
type PoolOptions struct {
	// Scope is how long a box lasts; "" is [ScopeCall].
	Scope Scope
	// Starts is the queue that the pools of a process share; nil is one for this pool.
	Starts *Starts
	// Handed, if not nil, is told of every box, once, before Take returns it.
	Handed func(b *Box, s Start)
}

// Start is what it took to hand out a box.
type Start struct {
	// Took is how long the engine took to start it, ahead of the call or in it.
	Took time.Duration
	// Waited is how long Take waited: nothing if the box was ready, more than
	// Took if other starts had to come first.
	Waited time.Duration
}

// Pool hands out the boxes of one session, and has the next ones started
// before they are asked for (ahead.go). With [ScopeCall] the session's boxes
// share one network namespace, that of the anchor (anchor.go), and boxes in
// which something still runs can be kept (kept.go). Its methods may be called
// from several goroutines at once.
type Pool struct {
	engine Engine
	spec   Spec
	o      PoolOptions
	anchor anchor

	mu       sync.Mutex
	closed   bool
	expected [recent]int // calls that came at once, lately
	ready    []*member   // started and not handed out; of ScopeSession also the one that is used again
	waiting  []chan handed
	starting int              // boxes that are being started
	out      map[*Box]*member // handed out and not given back
	kept     []*member        // oldest first
	failed   []error          // boxes that could not be destroyed

	// busy counts starts and ends under way, and boxes that are out, ready or kept.
	busy sync.WaitGroup
	// stop ends the starts that are under way when the pool is closed.
	stop   context.Context
	cancel context.CancelFunc
}

// member is a box of the pool.
type member struct {
	box    *Box
	anchor *Box // whose network it has; nil: its own
	took   time.Duration
	used   bool // it was handed out before
	cutOff bool // it is kept, and CutOff has told of it
}

// handed is what a Take that waits is given: a box, or why there is none.
type handed struct {
	member *member
	err    error
}

// NewPool makes a pool; no box is started yet. [Pool.Ahead] begins to.
func NewPool(e Engine, s Spec, o PoolOptions) *Pool {
	if o.Starts == nil {
		o.Starts = NewStarts(0)
	}
	stop, cancel := context.WithCancel(context.Background())
	return &Pool{engine: e, spec: s, o: o, anchor: newAnchor(), out: map[*Box]*member{}, stop: stop, cancel: cancel}
}

// Take returns a box that nobody else has until it is given back: a new one,
// or in [ScopeSession] the session's, if it is free and not lost.
func (p *Pool) Take(ctx context.Context) (*Box, error) {
	began := time.Now()
	f, err := p.next(ctx)
	if err != nil {
		return nil, err
	}
	if p.o.Handed != nil && !f.used {
		p.o.Handed(f.box, Start{Took: f.took, Waited: time.Since(began)})
	}
	return f.box, nil
}

// next is the first box that is ready, or the next that comes up.
func (p *Pool) next(ctx context.Context) (*member, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrPoolClosed
	}
	if f := p.pop(); f != nil {
		p.out[f.box] = f
		p.fill()
		p.mu.Unlock()
		return f, nil
	}
	wait := make(chan handed, 1)
	p.waiting = append(p.waiting, wait)
	p.fill()
	p.mu.Unlock()
	select {
	case h := <-wait:
		return h.member, h.err
	case <-ctx.Done():
		p.leave(wait)
		return nil, ctx.Err()
	}
}

// pop takes the oldest box that is ready and good for a call.
func (p *Pool) pop() *member {
	for len(p.ready) > 0 {
		f := p.ready[0]
		p.ready = p.ready[1:]
		if f.box.Lost() == nil && (f.anchor == nil || f.anchor.Lost() == nil) {
			return f
		}
		p.endLater(f.box)
	}
	return nil
}

// leave is a Take that does not wait any longer. What it was given just now is ready for another.
func (p *Pool) leave(wait chan handed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, wait); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return
	}
	if h := <-wait; h.member != nil {
		delete(p.out, h.member.box)
		p.offer(h.member)
	}
}

// offer gives a box to the Take that waits longest, or keeps it ready.
func (p *Pool) offer(f *member) {
	switch {
	case p.closed:
		p.endLater(f.box)
	case len(p.waiting) > 0:
		p.out[f.box] = f
		p.waiting[0] <- handed{member: f}
		p.waiting = p.waiting[1:]
	default:
		p.ready = append(p.ready, f)
	}
}

// Give hands a box back. In [ScopeCall] it is destroyed in the background; in
// [ScopeSession] it is used again unless it is lost. A box that the pool did
// not hand out, or that was given back already, is ignored.
func (p *Pool) Give(b *Box) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, mine := p.out[b]
	if !mine {
		return
	}
	delete(p.out, b)
	if p.o.Scope == ScopeSession && b.Lost() == nil && len(p.ready) == 0 {
		f.used = true
		p.offer(f)
		return
	}
	p.endLater(b)
}

// endLater destroys a box in the background and remembers if that failed:
// Close tells it.
func (p *Pool) endLater(b *Box) {
	go func() {
		defer p.busy.Done()
		if err := b.Close(); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.failed = append(p.failed, err)
		}
	}()
}

// Close ends every box of the pool, also those that are still taken, and
// returns when all are gone or ctx is done; then the error says so, as it does
// of every box that the engine could not destroy. It may be called more than
// once. After it Take fails with [ErrPoolClosed].
func (p *Pool) Close(ctx context.Context) error {
	p.cancel()
	p.mu.Lock()
	p.closed = true
	for b := range p.out {
		p.endLater(b)
	}
	for _, f := range slices.Concat(p.ready, p.kept) {
		p.endLater(f.box)
	}
	clear(p.out)
	p.ready, p.kept = nil, nil
	p.mu.Unlock()

	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.busy.Wait() // before the anchor, which the last start may still make
		p.dropAnchor()
	}()
	select {
	case <-gone:
		p.mu.Lock()
		defer p.mu.Unlock()
		return errors.Join(p.failed...)
	case <-ctx.Done():
		return fmt.Errorf("wait for the session's boxes to end: %w", ctx.Err())
	}
}
