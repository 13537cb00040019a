package sandbox

import (
	"context"
	"runtime"
	"slices"
	"time"
)

// recent is how many of the last replies decide how many boxes are kept ready.
const recent = 4

// mostAhead is how many boxes are kept ready at most: two for each processor,
// for a start takes about as long as two processors need for it, and never
// more than 8, for each costs about 10 MB while it waits.
func mostAhead() int { return min(8, 2*runtime.NumCPU()) }

// Ahead begins to start the boxes of the next calls, while the model thinks.
func (p *Pool) Ahead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.fill()
	}
}

// Expect says how many calls have come at once. As many boxes will be ready
// for the next ones, as the machine allows, until fewer calls have come a few
// times in a row.
func (p *Pool) Expect(calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	copy(p.expected[1:], p.expected[:])
	p.expected[0] = calls
	if !p.closed {
		p.fill()
	}
}

// depth is how many boxes shall be ready when nobody waits for one.
func (p *Pool) depth() int {
	if p.o.Scope != ScopeSession {
		return max(1, min(slices.Max(p.expected[:]), mostAhead()))
	}
	if len(p.out)+len(p.waiting) > 0 {
		return 0 // the session's box is in use, or about to be
	}
	return 1
}

// fill starts as many boxes as are wanted and neither ready nor on their way.
func (p *Pool) fill() {
	for missing := len(p.waiting) + p.depth() - len(p.ready) - p.starting; missing > 0; missing-- {
		p.starting++
		p.busy.Add(1)
		go p.startOne()
	}
}

// startOne starts a box and offers it. A start that failed is told to the Take
// that waits longest; if none waits, the next Take tries for itself.
func (p *Pool) startOne() {
	f, err := p.open(p.stop)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	if err == nil {
		p.offer(f)
		return
	}
	defer p.busy.Done()
	if p.closed {
		err = ErrPoolClosed
	}
	if len(p.waiting) > 0 {
		p.waiting[0] <- handed{err: err}
		p.waiting = p.waiting[1:]
	}
}

// open starts a box of the session, in the anchor's network if boxes last for
// a call. An anchor that died meanwhile is replaced.
func (p *Pool) open(ctx context.Context) (*member, error) {
	if p.o.Scope == ScopeSession {
		return p.launch(ctx, p.spec)
	}
	for {
		a, err := p.anchored(ctx)
		if err != nil {
			return nil, err
		}
		s := p.spec
		s.Network = a.ID()
		f, err := p.launch(ctx, s)
		if err == nil {
			f.anchor = a
			return f, nil
		}
		if ctx.Err() != nil || a.Lost() == nil {
			return nil, err
		}
	}
}

// launch waits for its turn and starts a box.
func (p *Pool) launch(ctx context.Context, s Spec) (*member, error) {
	done, err := p.o.Starts.wait(ctx, p)
	if err != nil {
		return nil, err
	}
	defer done()
	began := time.Now()
	b, err := Open(ctx, p.engine, s)
	if err != nil {
		return nil, err
	}
	return &member{box: b, took: time.Since(began)}, nil
}
