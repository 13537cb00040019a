package model

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// reserves is a SettleBook.
type reserves struct {
	open []Reserve
	cost map[int64]string // what was resolved
}

func (b *reserves) Unsettled() []Reserve { return b.open }

func (b *reserves) Resolve(r Reserve, cost decimal.Decimal) error {
	if b.cost == nil {
		b.cost = map[int64]string{}
	}
	b.cost[r.Entry] = cost.String()
	var left []Reserve
	for _, o := range b.open {
		if o != r {
			left = append(left, o)
		}
	}
	b.open = left
	return nil
}

// records answers with costs; what is missing is not there yet.
type records struct {
	cost  map[string]string
	asked []string
}

func (r *records) Cost(_ context.Context, id string) (decimal.Decimal, error) {
	r.asked = append(r.asked, id)
	if cost, ok := r.cost[id]; ok {
		return usd(cost), nil
	}
	return decimal.Zero, &Error{Fault: FaultNotFound, Status: 404}
}

// settling is a Settlement on a clock that only sleeping moves.
func settling(t *testing.T, list []answer, r *records, b *reserves) (*Settlement, *[]time.Duration, *answers) {
	next := &answers{t: t, list: list}
	s := Settle(next, r, dollarModel(), b, SettleOptions{})
	now, slept := time.Unix(0, 0), &[]time.Duration{}
	s.o.Now = func() time.Time { return now }
	s.o.Sleep = func(ctx context.Context, d time.Duration) error {
		now, *slept = now.Add(d), append(*slept, d)
		return ctx.Err()
	}
	return s, slept, next
}

func open(id string, entry int64) Reserve { return Reserve{ID: id, Entry: entry, Booked: usd("2")} }

// A record that is there replaces the worst case; one that is not there yet
// holds nothing up and is not asked for again at once.
func TestSettleAheadOfRequests(t *testing.T) {
	book := &reserves{open: []Reserve{open("gen-1", 3), open("gen-2", 5)}}
	r := &records{cost: map[string]string{"gen-1": "0.25"}}
	s, slept, _ := settling(t, []answer{good, good, good}, r, book)
	for range 2 {
		if _, err := s.Reply(context.Background(), hello(1)); err != nil {
			t.Fatal(err)
		}
	}
	if book.cost[3] != "0.25" || len(book.open) != 1 || len(*slept) != 0 {
		t.Errorf("resolved %v, open %v, slept %v", book.cost, book.open, *slept)
	}
	if len(r.asked) != 2 {
		t.Errorf("asked for %v", r.asked)
	}
	_ = s.o.Sleep(context.Background(), time.Second)
	r.cost["gen-2"] = "0"
	if _, err := s.Reply(context.Background(), hello(1)); err != nil || book.cost[5] != "0" {
		t.Errorf("%v, %v", book.cost, err)
	}
}

// A record that says more than can be is booked and ends the job.
func TestSettleTooDear(t *testing.T) {
	book := &reserves{open: []Reserve{open("gen-1", 3)}}
	s, _, next := settling(t, nil, &records{cost: map[string]string{"gen-1": "2.01"}}, book)
	if _, err := s.Reply(context.Background(), hello(1)); faultOf(err) != FaultNoPrice || book.cost[3] != "2.01" || len(next.asked) > 0 {
		t.Errorf("%v, %v", err, book.cost)
	}
	book = &reserves{open: []Reserve{{ID: "gen-1", Entry: 3}}}
	s, _, _ = settling(t, nil, &records{cost: map[string]string{"gen-1": "0.01"}}, book)
	s.info = Info{ID: "free", PriceSource: "a test"}
	if _, err := s.Reply(context.Background(), hello(1)); faultOf(err) != FaultPaid {
		t.Errorf("a free model that costs: %v", err)
	}
}

// When the next request does not fit, records are waited for, and not for ever.
func TestSettleWaitsForMoney(t *testing.T) {
	broke := fail(FaultBudget, 0)
	book := &reserves{open: []Reserve{open("gen-1", 3)}}
	r := &records{cost: map[string]string{}}
	s, slept, _ := settling(t, []answer{broke, good}, r, book)
	inner := s.o.Sleep
	s.o.Sleep = func(ctx context.Context, d time.Duration) error {
		if len(*slept) == 2 {
			r.cost["gen-1"] = "0.5"
		}
		return inner(ctx, d)
	}
	if _, err := s.Reply(context.Background(), hello(1)); err != nil || book.cost[3] != "0.5" || len(*slept) != 3 {
		t.Errorf("%v, %v, slept %v", err, book.cost, *slept)
	}
	s, slept, _ = settling(t, []answer{broke}, &records{}, &reserves{open: []Reserve{open("gen-1", 3)}})
	if _, err := s.Reply(context.Background(), hello(1)); faultOf(err) != FaultBudget || sum(*slept) > time.Minute {
		t.Errorf("%v, slept %v", err, *slept)
	}
	s, slept, _ = settling(t, []answer{broke}, &records{}, &reserves{})
	if _, err := s.Reply(context.Background(), hello(1)); faultOf(err) != FaultBudget || len(*slept) != 0 {
		t.Errorf("nothing is open: %v, slept %v", err, *slept)
	}
}

func sum(list []time.Duration) (all time.Duration) {
	for _, d := range list {
		all += d
	}
	return all
}

// Finish ends when all is settled, and when patience ends.
func TestSettleFinish(t *testing.T) {
	book := &reserves{open: []Reserve{open("gen-1", 3), open("gen-2", 4)}}
	s, slept, _ := settling(t, nil, &records{cost: map[string]string{"gen-1": "0", "gen-2": "1"}}, book)
	if err := s.Finish(context.Background()); err != nil || len(book.open) != 0 || sum(*slept) != time.Second {
		t.Errorf("%v, %v, slept %v", err, book.open, *slept)
	}
	book = &reserves{open: []Reserve{open("gen-1", 3)}}
	s, slept, _ = settling(t, nil, &records{}, book)
	if err := s.Finish(context.Background()); err != nil || len(book.open) != 1 || sum(*slept) > time.Minute {
		t.Errorf("%v, %v, slept %v", err, book.open, *slept)
	}
}

// Cancelling ends a look-up that hangs, and the waiting for one, at once.
func TestSettleCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := Settle(&answers{t: t}, hanging{cancel}, dollarModel(), &reserves{open: []Reserve{open("gen-1", 3)}}, SettleOptions{})
	start := time.Now()
	if _, err := s.Reply(ctx, hello(1)); !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if err := s.Finish(ctx); !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

type hanging struct{ asked func() }

func (h hanging) Cost(ctx context.Context, _ string) (decimal.Decimal, error) {
	h.asked()
	<-ctx.Done()
	return decimal.Zero, ctx.Err()
}

// Which costs are worth asking for.
func TestUnsettled(t *testing.T) {
	known := Usage{Known: true}
	for name, c := range map[string]struct {
		reply Reply
		err   error
		want  string
	}{
		"a reply that says it":       {Reply{ID: "a", Usage: known}, nil, ""},
		"one that does not":          {Reply{ID: "a"}, nil, "a"},
		"a cut stream":               {Reply{}, &Error{Fault: FaultServer, Status: 200, ID: "a"}, "a"},
		"a timeout":                  {Reply{}, &Error{Fault: FaultServer, Status: 504, ID: "a"}, "a"},
		"a refusal":                  {Reply{}, &Error{Fault: FaultRateLimit, Status: 429, ID: "a"}, ""},
		"another model, with usage":  {Reply{}, &Error{Fault: FaultWrongModel, Status: 200, ID: "a", Usage: known}, ""},
		"Ctrl-C in the answer":       {Reply{}, &Error{Fault: FaultCancelled, ID: "a", Err: context.Canceled}, "a"},
		"Ctrl-C before the answer":   {Reply{}, context.Canceled, ""},
		"a cut stream without an id": {Reply{}, &Error{Fault: FaultServer, Status: 200}, ""},
	} {
		if got := Unsettled(c.reply, c.err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
