package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// dollarModel costs a cent for each token of a prompt and ten for one of a reply.
func dollarModel() Info {
	return Info{ID: "dollar", Price: Price{Prompt: usd("0.01"), Completion: usd("0.1")}, PriceSource: "a test"}
}

// hello has a prompt of at most 1063 tokens: 1024 + 32 + the 5 bytes of the
// JSON text "abc" + the 2 of an empty call id.
func hello(maxTokens int) Request {
	return Request{Messages: []Message{{Role: User, Content: "abc"}}, MaxTokens: maxTokens}
}

func TestPromptBound(t *testing.T) {
	if got := PromptBound(hello(1)); got != 1063 {
		t.Errorf("got %d", got)
	}
	thinking := hello(1)
	thinking.Messages[0].Reasoning = []byte(`[{"type":"thinking"}]`) // goes back too, and is paid for
	if got := PromptBound(thinking); got != 1063+len(thinking.Messages[0].Reasoning) {
		t.Errorf("with reasoning: %d", got)
	}
}

func TestBudgetBooks(t *testing.T) {
	known := Usage{Known: true, Prompt: 100, Completion: 10}
	reported := known
	reported.Cost = decimal.NewNullDecimal(usd("0.7"))
	more := known
	more.Cost = decimal.NewNullDecimal(usd("7"))
	free := known
	free.Cost = decimal.NewNullDecimal(decimal.Zero)
	cost := func(amount string) Usage { return Usage{Cost: decimal.NewNullDecimal(usd(amount))} }
	wrong := &Error{Fault: FaultWrongModel, Status: 200, Usage: known}
	for name, c := range map[string]struct {
		answer answer
		want   string // the line after "reserve 20.63"
	}{
		"what the provider bills":         {answer{reply: Reply{Usage: reported}}, "settle 0.7"},
		"what is said to be free":         {answer{reply: Reply{Usage: free}}, "settle 2"},
		"a cut stream that told its cost": {answer{err: &Error{Fault: FaultServer, Status: 200, Usage: cost("0.7")}}, "failed 20.63"},
		"a gateway that says too little":  {answer{reply: Reply{Usage: reported}}, "settle 2"},
		"a gateway that says more":        {answer{reply: Reply{Usage: more}}, "settle 7"},
		"else the tokens":                 {answer{reply: Reply{Usage: known}}, "settle 2"},
		"else the worst case":             {answer{reply: Reply{}}, "settle 20.63"},
		"a reply of another model":        {answer{err: wrong}, "failed 2"},
		"refused before it was worked on": {answer{err: &Error{Fault: FaultRateLimit, Status: 429}}, "failed 0"},
		"never left":                      {answer{err: &Error{Fault: FaultUnreachable}}, "failed 0"},
		"a timeout may be billed":         {answer{err: &Error{Fault: FaultServer, Status: 504}}, "failed 20.63"},
		"an error inside a 200":           {answer{err: &Error{Fault: FaultServer, Status: 200}}, "failed 20.63"},
		"a cut connection":                {answer{err: &Error{Fault: FaultServer}}, "failed 20.63"},
		"Ctrl-C in the middle":            {answer{err: context.Canceled}, "failed 20.63"},
	} {
		t.Run(name, func(t *testing.T) {
			book := &memory{}
			info := dollarModel()
			info.CostReported = strings.HasPrefix(name, "what ")
			b := Budget(&answers{t: t, list: []answer{c.answer}}, info, usd("1000"), book)
			_, err := b.Reply(context.Background(), hello(100))
			if !errors.Is(err, c.answer.err) {
				t.Errorf("got %v", err)
			}
			if want := []string{"reserve 20.63", c.want}; !slices.Equal(book.lines, want) {
				t.Errorf("booked %v, want %v", book.lines, want)
			}
		})
	}
}

// The reply is shortened before the job is ended.
func TestBudgetShrinks(t *testing.T) {
	for _, c := range []struct {
		limit string
		want  int // tokens asked for; 0 is refused
	}{
		{"110.63", 1000}, // fits exactly
		{"110.62", 999},
		{"36.33", 257},
		{"36.23", 256},
		{"36.22", 0},
		{"5", 0},
	} {
		next := &answers{t: t, list: []answer{{reply: Reply{Usage: Usage{Known: true, Prompt: 1}}}}}
		book := &memory{}
		_, err := Budget(next, dollarModel(), usd(c.limit), book).Reply(context.Background(), hello(1000))
		if c.want == 0 {
			if faultOf(err) != FaultBudget || len(next.asked) > 0 || len(book.lines) > 0 {
				t.Errorf("%s: %v, %v", c.limit, err, book.lines)
			}
			continue
		}
		if err != nil || next.asked[0].MaxTokens != c.want {
			t.Errorf("%s: %v, %+v", c.limit, err, next.asked)
		}
	}
}

func TestBudgetMessageNamesTheFigures(t *testing.T) {
	book := &memory{settled: usd("30.5")}
	_, err := Budget(&answers{t: t}, dollarModel(), usd("40"), book).Reply(context.Background(), hello(1000))
	for _, figure := range []string{"40 USD", "30.5 spent", "36.23 needed"} {
		if !strings.Contains(fmt.Sprint(err), figure) {
			t.Errorf("%q is not in: %v", figure, err)
		}
	}
}

// A budget of zero: free models only, proven before the first request, and
// again by what the reply cost.
func TestBudgetZero(t *testing.T) {
	book := &memory{}
	if _, err := Budget(&answers{t: t}, dollarModel(), decimal.Zero, book).Reply(context.Background(), hello(1)); faultOf(err) != FaultPaid {
		t.Errorf("a paid model: %v", err)
	}
	free := Info{ID: "free", PriceSource: "a test"}
	next := &answers{t: t, list: []answer{good, {reply: Reply{Usage: Usage{Known: true, Cost: decimal.NewNullDecimal(usd("0.0001"))}}}}}
	b := Budget(next, free, decimal.Zero, book)
	if _, err := b.Reply(context.Background(), hello(16384)); err != nil {
		t.Errorf("a free model: %v", err)
	}
	if _, err := b.Reply(context.Background(), hello(16384)); faultOf(err) != FaultPaid {
		t.Errorf("a free model that costs: %v", err)
	}
	if book.Spent().String() != "0.0001" {
		t.Errorf("booked %v", book.lines)
	}
}

// A failure that reports a cost is no less dear, and is not tried again.
func TestBudgetZeroAndAFailureThatCosts(t *testing.T) {
	for name, u := range map[string]Usage{
		"with tokens":               {Known: true, Prompt: 9, Cost: decimal.NewNullDecimal(usd("0.01"))},
		"with tokens of no meaning": {Cost: decimal.NewNullDecimal(usd("0.01"))},
	} {
		book := &memory{}
		next := &answers{t: t, list: []answer{{err: &Error{Fault: FaultServer, Status: 200, Usage: u}}}}
		_, err := Budget(next, Info{ID: "free", PriceSource: "a test", CostReported: true}, decimal.Zero, book).Reply(context.Background(), hello(1))
		if faultOf(err) != FaultPaid || book.Spent().String() != "0.01" {
			t.Errorf("%s: %v, booked %v", name, err, book.lines)
		}
	}
}

// A cap that was lowered below what is spent still allows what costs nothing.
func TestBudgetLoweredToZero(t *testing.T) {
	book := &memory{settled: usd("3")}
	next := &answers{t: t, list: []answer{good}}
	if _, err := Budget(next, Info{ID: "free", PriceSource: "a test"}, decimal.Zero, book).Reply(context.Background(), hello(1)); err != nil {
		t.Errorf("a free model: %v", err)
	}
	if _, err := Budget(&answers{t: t}, dollarModel(), usd("2"), book).Reply(context.Background(), hello(1)); faultOf(err) != FaultBudget {
		t.Errorf("a paid one: %v", err)
	}
}

// A reply dearer than its worst case means that the price is wrong.
func TestBudgetRefusesDearerThanPossible(t *testing.T) {
	reply := Reply{Content: "hi", Usage: Usage{Known: true, Cost: decimal.NewNullDecimal(usd("500"))}}
	book := &memory{}
	got, err := Budget(&answers{t: t, list: []answer{{reply: reply}}}, dollarModel(), usd("1000"), book).Reply(context.Background(), hello(1))
	if faultOf(err) != FaultNoPrice || got.Content != "" || book.Spent().String() != "500" {
		t.Errorf("%v, %v", err, book.lines)
	}
}

// Info's zero value must not look like a free model.
func TestBudgetUnknownPrice(t *testing.T) {
	_, err := Budget(&answers{t: t}, Info{}, usd("5"), &memory{}).Reply(context.Background(), hello(1))
	if faultOf(err) != FaultNoPrice {
		t.Errorf("got %v", err)
	}
}

// Without a reservation on disk nothing leaves; without a booking nothing is executed.
func TestBudgetNeedsItsBook(t *testing.T) {
	full := errors.New("no space left on device")
	next := &answers{t: t}
	if _, err := Budget(next, dollarModel(), usd("1000"), &memory{fail: full}).Reply(context.Background(), hello(1)); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	book := &memory{}
	broken := modelFunc(func() (Reply, error) { book.fail = full; return Reply{Content: "hi"}, nil })
	if got, err := Budget(broken, dollarModel(), usd("1000"), book).Reply(context.Background(), hello(1)); !errors.Is(err, full) || got.Content != "" {
		t.Errorf("got %v, %+v", err, got)
	}
}

// A ledger that can't be written ends the job; retrying would not help.
func TestBudgetFailedBooking(t *testing.T) {
	full := errors.New("no space left on device")
	book := &memory{}
	next := modelFunc(func() (Reply, error) { book.fail = full; return Reply{}, &Error{Fault: FaultServer} })
	_, err := Budget(next, dollarModel(), usd("1000"), book).Reply(context.Background(), hello(1))
	if !errors.Is(err, full) || faultOf(err) != "" {
		t.Errorf("got %v", err)
	}
}

type modelFunc func() (Reply, error)

func (f modelFunc) Reply(context.Context, Request) (Reply, error) { return f() }

// Tokens that came from a cache or went into one have their own price.
func TestCost(t *testing.T) {
	p := Price{
		Prompt: usd("0.000002"), Completion: usd("0.00001"), Request: usd("0.001"),
		CacheRead: decimal.NewNullDecimal(usd("0.0000002")), CacheWrite: decimal.NewNullDecimal(usd("0.0000025")),
	}
	got := p.Cost(Usage{Known: true, Prompt: 1000, Cached: 600, CacheWrite: 300, Completion: 50})
	if want := usd("0.00257"); !got.Equal(want) { // .0002 + .00012 + .00075 + .0005 + .001
		t.Errorf("got %s, want %s", got, want)
	}
}

// I9 for one process and over its restarts: whatever a provider answers, what
// is spent plus what is reserved never exceeds the cap.
func TestBudgetNeverExceedsTheCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := decimal.New(rapid.Int64Range(1, 5_000_000).Draw(t, "limit"), -6)
		info := Info{ID: "m", PriceSource: "a test", Price: Price{
			Prompt:     decimal.New(rapid.Int64Range(0, 20_000).Draw(t, "in"), -9),
			Completion: decimal.New(rapid.Int64Range(0, 80_000).Draw(t, "out"), -9),
			CacheWrite: decimal.NullDecimal{Decimal: decimal.New(rapid.Int64Range(0, 40_000).Draw(t, "write"), -9), Valid: rapid.Bool().Draw(t, "writes")},
		}}
		book := &memory{}
		for range rapid.IntRange(1, 30).Draw(t, "requests") {
			r := hello(rapid.IntRange(1, 16384).Draw(t, "max"))
			r.Messages[0].Content = strings.Repeat("ä", rapid.IntRange(0, 2000).Draw(t, "length"))
			crashed := rapid.IntRange(0, 9).Draw(t, "crash") == 0
			provider := &arbitrary{t: t, book: book, limit: limit}
			_, err := Budget(provider, info, limit, book).Reply(context.Background(), r)
			if crashed && provider.asked {
				book.settled = provider.before // the settlement never reached the disk
				book.open = provider.reserved
				book.crash()
			}
			if book.Spent().GreaterThan(limit) {
				t.Fatalf("spent %s of %s after %v", book.Spent(), limit, err)
			}
		}
	})
}

// arbitrary answers anything a provider may answer that keeps to its price.
type arbitrary struct {
	t                *rapid.T
	book             *memory
	limit            decimal.Decimal
	asked            bool
	before, reserved decimal.Decimal
}

func (a *arbitrary) Reply(_ context.Context, r Request) (Reply, error) {
	a.asked, a.before, a.reserved = true, a.book.settled, a.book.open
	if a.book.Spent().GreaterThan(a.limit) {
		a.t.Fatalf("a request left with %s of %s reserved", a.book.Spent(), a.limit)
	}
	u := Usage{Known: true, Prompt: rapid.IntRange(0, PromptBound(r)).Draw(a.t, "prompt"), Completion: rapid.IntRange(0, r.MaxTokens).Draw(a.t, "completion")}
	u.CacheWrite = rapid.IntRange(0, u.Prompt).Draw(a.t, "written")
	switch rapid.IntRange(0, 5).Draw(a.t, "answer") {
	case 0:
		return Reply{}, nil
	case 1:
		return Reply{}, &Error{Fault: FaultServer, Status: rapid.SampledFrom([]int{0, 200, 429, 500, 504}).Draw(a.t, "status")}
	case 2:
		return Reply{}, &Error{Fault: FaultWrongModel, Status: 200, Usage: u}
	case 3:
		return Reply{}, context.Canceled
	default:
		return Reply{Usage: u}, nil
	}
}

// shared is a purse with a fixed sum.
type shared struct {
	left decimal.Decimal
	open bool
	err  error
}

func (s *shared) Open() (decimal.Decimal, func(), error) {
	if s.err != nil {
		return decimal.Zero, nil, s.err
	}
	s.open = true
	return s.left, func() { s.open = false }, nil
}

// A cap over several jobs holds like the job's own, whichever is nearer, and is
// open until the reservation is on disk.
func TestSharedBudget(t *testing.T) {
	for name, c := range map[string]struct {
		limit, left string
		fault       Fault
		says        string
	}{
		"both have room":       {"1000", "1000", "", ""},
		"the shared is nearer": {"1000", "0.5", FaultTotal, "the budget of all jobs together"},
		"its own is nearer":    {"0.5", "1000", FaultBudget, "the budget of 0.5 USD"},
	} {
		purse := &shared{left: usd(c.left)}
		book := &memory{}
		next := modelFunc(func() (Reply, error) {
			if purse.open {
				t.Errorf("%s: others are kept out while the model answers", name)
			}
			return Reply{}, nil
		})
		_, err := SharedBudget(next, dollarModel(), usd(c.limit), book, purse).Reply(context.Background(), hello(1000))
		if c.fault == "" && err != nil || c.fault != "" && (faultOf(err) != c.fault || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
		if c.fault != "" && len(book.lines) > 0 {
			t.Errorf("%s: booked %v", name, book.lines)
		}
	}
	broken := errors.New("no such file")
	if _, err := SharedBudget(&answers{t: t}, dollarModel(), usd("9"), &memory{}, &shared{err: broken}).Reply(context.Background(), hello(1)); !errors.Is(err, broken) {
		t.Errorf("a purse that can't be read: %v", err)
	}
}
