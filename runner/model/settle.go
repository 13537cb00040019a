package model

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"
)

// Records is a provider's own account of what its replies cost. Providers that
// keep one implement it beside [Model].
type Records interface {
	// Cost is what the reply was billed, in USD. The record is there seconds
	// after the reply; until then, and for other reasons, there is an error.
	Cost(ctx context.Context, id string) (decimal.Decimal, error)
}

// Reserve is a worst case that stays booked until the provider's record says
// what the reply really cost.
type Reserve struct {
	ID     string // the provider's, of the reply
	Entry  int64  // of the book
	Booked decimal.Decimal
}

// SettleBook is what [Settle] needs of the ledger.
type SettleBook interface {
	// Unsettled are the reserves that a record may still settle, the oldest
	// first, those of earlier processes too.
	Unsettled() []Reserve
	// Resolve replaces a reserve by what the record says.
	Resolve(r Reserve, cost decimal.Decimal) error
}

const (
	lookUpTime   = 3 * time.Second // for the records that are looked up before one request
	lookUpsAhead = 4               // records that are looked up before one request
	lookUpTries  = 12              // for one record, in one process
	lookUpFirst  = time.Second     // until the second try; each further wait is twice as long
	// lookUpPatience is how long records are waited for when the next request
	// does not fit without them, or the job is over.
	lookUpPatience = 30 * time.Second
)

// SettleOptions are the clock of a [Settlement]. The zero value is the real one.
type SettleOptions struct {
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Settlement is the wrapper that [Settle] makes.
type Settlement struct {
	next    Model
	records Records
	info    Info
	book    SettleBook
	o       SettleOptions
	tried   map[int64]lookUps
}

// lookUps are those of one record.
type lookUps struct {
	n    int
	next time.Time // not before
}

// Settle looks up what replies cost that did not say it, before each request
// and without waiting for records that are not there yet: until then the worst
// case stays booked. Only when the next request does not fit without them it
// waits, for up to 30 seconds. A reply that cost more than its worst case ends
// the job, as in [Budget]. A nil records settles nothing.
func Settle(next Model, records Records, info Info, book SettleBook, o SettleOptions) *Settlement {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &Settlement{next: next, records: records, info: info, book: book, o: o, tried: map[int64]lookUps{}}
}

// Reply implements [Model].
func (s *Settlement) Reply(ctx context.Context, r Request) (Reply, error) {
	if err := s.lookUp(ctx); err != nil {
		return Reply{}, err
	}
	reply, err := s.next.Reply(ctx, r)
	var e *Error
	if !errors.As(err, &e) || e.Fault != FaultBudget && e.Fault != FaultTotal {
		return reply, err
	}
	if settled, serr := s.wait(ctx); serr != nil || !settled {
		return Reply{}, errors.Join(serr, err)
	}
	return s.next.Reply(ctx, r)
}

// Finish looks up what is left, for up to 30 seconds or until ctx ends. What
// has no record by then stays booked; a later process may ask again.
func (s *Settlement) Finish(ctx context.Context) error {
	_, err := s.wait(ctx)
	return err
}

// wait looks records up until none is left or patience ends, and says whether
// any was found.
func (s *Settlement) wait(ctx context.Context) (settled bool, err error) {
	before := len(s.open())
	pause := lookUpFirst
	for waited := time.Duration(0); len(s.open()) > 0 && waited < lookUpPatience; waited += pause {
		if waited > 0 {
			pause = min(2*pause, 8*time.Second)
		}
		if err := s.o.Sleep(ctx, pause); err != nil {
			return false, err
		}
		s.hurry()
		if err := s.lookUp(ctx); err != nil {
			return false, err
		}
	}
	return len(s.open()) < before, nil
}

// open are the reserves that are worth asking for.
func (s *Settlement) open() []Reserve {
	var open []Reserve
	if s.records == nil {
		return nil
	}
	for _, r := range s.book.Unsettled() {
		if s.tried[r.Entry].n < lookUpTries {
			open = append(open, r)
		}
	}
	return open
}

// hurry makes every record due.
func (s *Settlement) hurry() {
	for entry, t := range s.tried {
		t.next = time.Time{}
		s.tried[entry] = t
	}
}

// lookUp asks once for the records that are due.
func (s *Settlement) lookUp(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	asked := 0
	for _, r := range s.open() {
		if asked == lookUpsAhead {
			return nil
		}
		if s.o.Now().Before(s.tried[r.Entry].next) {
			continue
		}
		asked++
		if err := s.resolve(bounded, r); ctx.Err() != nil {
			return context.Cause(ctx)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s *Settlement) resolve(ctx context.Context, r Reserve) error {
	cost, err := s.records.Cost(ctx, r.ID)
	if err != nil || cost.IsNegative() {
		t := s.tried[r.Entry]
		s.tried[r.Entry] = lookUps{n: t.n + 1, next: s.o.Now().Add(lookUpFirst << t.n)}
		return nil // the worst case stays booked
	}
	if err := s.book.Resolve(r, cost); err != nil {
		return err
	}
	if cost.GreaterThan(r.Booked) {
		return tooDear(s.info, r.Booked, cost)
	}
	return nil
}
