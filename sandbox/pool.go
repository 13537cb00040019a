package sandbox

import (
	"context"
	"errors"
	"fmt"
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

// Pool hands out the boxes of one session. Its methods may be called from
// several goroutines at once.
type Pool struct {
	engine  Engine
	spec    Spec
	scope   Scope
	started func(*Box, time.Duration)

	mu     sync.Mutex
	closed bool
	kept   *Box              // ScopeSession: the box that nobody uses right now
	out    map[*Box]struct{} // taken and not given back
	failed []error           // boxes that could not be destroyed

	// busy counts starts and ends under way, and boxes that are out.
	busy sync.WaitGroup
	// stop ends the starts that are under way when the pool is closed.
	stop   context.Context
	cancel context.CancelFunc
}

// NewPool makes a pool; no box is started yet. started, if not nil, is told of
// every new box and how long its start took, before Take returns it.
func NewPool(e Engine, s Spec, scope Scope, started func(*Box, time.Duration)) *Pool {
	stop, cancel := context.WithCancel(context.Background())
	return &Pool{engine: e, spec: s, scope: scope, started: started,
		out: map[*Box]struct{}{}, stop: stop, cancel: cancel}
}

// Take returns a box that nobody else has until it is given back: a new one,
// or in [ScopeSession] the session's, if it is free and not lost.
func (p *Pool) Take(ctx context.Context) (*Box, error) {
	kept, err := p.reserve()
	if err != nil {
		return nil, err
	}
	if kept != nil {
		if kept.Lost() == nil {
			return kept, nil
		}
		p.end(kept)
		p.forget(kept)
		return p.Take(ctx)
	}
	return p.start(ctx)
}

// reserve takes the kept box, or counts a start that is about to happen.
func (p *Pool) reserve() (*Box, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrPoolClosed
	}
	p.busy.Add(1)
	if b := p.kept; b != nil {
		p.kept = nil
		p.out[b] = struct{}{}
		return b, nil
	}
	return nil, nil
}

// start starts a box; one that comes up after Close is ended at once.
func (p *Pool) start(ctx context.Context) (*Box, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.stop, cancel)()
	began := time.Now()
	b, err := Open(ctx, p.engine, p.spec)
	if err != nil {
		p.busy.Done()
		return nil, err
	}
	p.mu.Lock()
	closed := p.closed
	p.out[b] = struct{}{}
	p.mu.Unlock()
	if closed {
		p.end(b)
		p.forget(b)
		return nil, ErrPoolClosed
	}
	if p.started != nil {
		p.started(b, time.Since(began))
	}
	return b, nil
}

// Give hands a box back. In [ScopeCall] it is destroyed in the background; in
// [ScopeSession] it is kept for the next Take unless it is lost. A box that
// the pool did not hand out, or that was given back already, is ignored.
func (p *Pool) Give(b *Box) {
	if b == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, mine := p.out[b]; !mine {
		return
	}
	if p.scope == ScopeSession && !p.closed && p.kept == nil && b.Lost() == nil {
		delete(p.out, b)
		p.kept = b
		p.busy.Done()
		return
	}
	delete(p.out, b)
	go func() {
		defer p.busy.Done()
		p.end(b)
	}()
}

// end destroys a box and remembers if that failed: Close tells it.
func (p *Pool) end(b *Box) {
	if err := b.Close(); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed = append(p.failed, err)
	}
}

// forget drops a box that has ended.
func (p *Pool) forget(b *Box) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, mine := p.out[b]; mine {
		delete(p.out, b)
		p.busy.Done()
	}
}

// Close ends every box of the pool, also those that are still taken, and
// returns when all are gone or ctx is done; then the error says so, as it does
// of every box that the engine could not destroy. It may be called more than
// once. After it Take fails with [ErrPoolClosed].
func (p *Pool) Close(ctx context.Context) error {
	p.cancel()
	p.mu.Lock()
	p.closed = true
	ending := make([]*Box, 0, len(p.out)+1)
	for b := range p.out {
		ending = append(ending, b)
	}
	if b := p.kept; b != nil {
		p.kept = nil
		p.busy.Add(1)
		p.out[b] = struct{}{}
		ending = append(ending, b)
	}
	p.mu.Unlock()

	for _, b := range ending {
		go func() {
			p.end(b)
			p.forget(b)
		}()
	}
	gone := make(chan struct{})
	go func() {
		p.busy.Wait()
		close(gone)
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
