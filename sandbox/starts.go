package sandbox

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// Starts is the queue in which boxes wait to be started. An engine starts few
// at once (about 8 a second on two processors, [docs/isolation.md]), and what
// is asked of it beyond that only makes every start slower. All pools of a
// process share one queue. It is fair: pools take turns, however many boxes
// one of them wants.
//
// [docs/isolation.md]: https://github.com/glovebox-run/glovebox/blob/main/docs/isolation.md
type Starts struct {
	mu    sync.Mutex
	free  int
	turns []*line // of pools that wait, whose turn it is next first
}

// line is what one pool waits for, first come first served.
type line struct {
	pool    *Pool
	tickets []chan struct{}
}

// NewStarts makes a queue that lets n boxes start at once; 0 is the number of
// processors, at least 2: a start spends half of its time waiting for the engine.
func NewStarts(n int) *Starts {
	if n <= 0 {
		n = max(2, runtime.NumCPU())
	}
	return &Starts{free: n}
}

// wait returns when p may start a box, and what to call when it has.
func (s *Starts) wait(ctx context.Context, p *Pool) (done func(), err error) {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return s.next, nil
	}
	ticket := make(chan struct{})
	s.line(p).tickets = append(s.line(p).tickets, ticket)
	s.mu.Unlock()
	select {
	case <-ticket:
		return s.next, nil
	case <-ctx.Done():
		s.leave(p, ticket)
		return nil, ctx.Err()
	}
}

// line is the one of p, which is made at the end of the turns if p does not wait yet.
func (s *Starts) line(p *Pool) *line {
	for _, l := range s.turns {
		if l.pool == p {
			return l
		}
	}
	l := &line{pool: p}
	s.turns = append(s.turns, l)
	return l
}

// next gives the turn to the pool that waits longest for one.
func (s *Starts) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.turns) == 0 {
		s.free++
		return
	}
	l := s.turns[0]
	s.turns = s.turns[1:]
	close(l.tickets[0])
	if l.tickets = l.tickets[1:]; len(l.tickets) > 0 {
		s.turns = append(s.turns, l)
	}
}

// leave takes a ticket back. One that was called just now gives its turn on.
func (s *Starts) leave(p *Pool, ticket chan struct{}) {
	s.mu.Lock()
	for i, l := range s.turns {
		if at := slices.Index(l.tickets, ticket); l.pool == p && at >= 0 {
			if l.tickets = slices.Delete(l.tickets, at, at+1); len(l.tickets) == 0 {
				s.turns = slices.Delete(s.turns, i, i+1)
			}
			s.mu.Unlock()
			return
		}
	}
	s.mu.Unlock()
	s.next()
}
