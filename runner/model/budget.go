package model

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/shopspring/decimal"
)

// minReply is the shortest reply in tokens that is worth asking for when money
// is short: a sentence and one small call.
const minReply = 256

// Book is what [Budget] needs of the ledger. Amounts are USD. Reserve is
// followed by exactly one Settle or Failed, or by the end of the process: what
// was reserved and never settled counts as spent for ever.
type Book interface {
	// Spent is what was settled plus what is reserved and not settled yet.
	Spent() decimal.Decimal
	// Reserve writes down that up to amount may be spent now. It is on disk
	// when it returns; only then the request leaves.
	Reserve(amount decimal.Decimal) error
	// Settle replaces the reservation by what the reply cost.
	Settle(spent decimal.Decimal, r Reply) error
	// Failed replaces the reservation by what the failure cost, often nothing.
	Failed(spent decimal.Decimal, err error) error
}

// Purse is money that several jobs spend together, in one process or in many.
type Purse interface {
	// Open keeps all others out and says how much is left, in USD. What is
	// reserved before shut is called must be on disk by then.
	Open() (left decimal.Decimal, shut func(), err error)
}

// Budget lets a request leave only if what is spent and the request's worst
// case together stay within limit, in USD. If they don't, MaxTokens shrinks
// until they do, down to 256; else the request ends as FaultBudget.
//
// What a reply cost is what the provider says it cost, else its tokens at
// info.Price, else (no usage told) the whole reservation. A reply that cost
// more than its worst case is booked and refused: its price is not what the
// catalogue says. With a limit of 0 only a model that is free may be asked.
// A price without a source is no price.
func Budget(next Model, info Info, limit decimal.Decimal, book Book) Model {
	return SharedBudget(next, info, limit, book, nil)
}

// SharedBudget is Budget with a second cap: what is left in purse, if it is not
// nil. A request that does not fit into that ends as FaultTotal.
func SharedBudget(next Model, info Info, limit decimal.Decimal, book Book, purse Purse) Model {
	return &budget{next: next, info: info, limit: limit, book: book, purse: purse}
}

type budget struct {
	next  Model
	info  Info
	limit decimal.Decimal
	book  Book
	purse Purse
	mu    sync.Mutex // what was spent is read and reserved in one step
}

func (b *budget) Reply(ctx context.Context, r Request) (Reply, error) {
	if err := b.allowed(); err != nil {
		return Reply{}, err
	}
	r, reserved, err := b.reserve(r)
	if err != nil {
		return Reply{}, err
	}
	reply, err := b.next.Reply(ctx, r)
	if err != nil {
		return Reply{}, b.failed(reserved, err)
	}
	return b.settle(reserved, reply)
}

// allowed decides what can be decided before any money is thought of.
func (b *budget) allowed() error {
	if b.info.PriceSource == "" {
		return &Error{Fault: FaultNoPrice, Message: "what " + b.info.ID + " costs is not known"}
	}
	if !b.limit.IsPositive() && !b.info.Price.Free() {
		return &Error{Fault: FaultPaid, Message: b.info.ID + " costs money, and the budget is 0"}
	}
	return nil
}

// reserve finds the longest reply that fits, and writes its worst case down.
func (b *budget) reserve(r Request) (Request, decimal.Decimal, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	spent := b.book.Spent()
	left := b.limit.Sub(spent)
	short := func(needed decimal.Decimal) error {
		return &Error{Fault: FaultBudget, Message: fmt.Sprintf("the budget of %s USD does not allow another request: %s spent, up to %s needed",
			b.limit, spent.Round(6), needed.Round(6))}
	}
	if b.purse != nil {
		shared, shut, err := b.purse.Open()
		if err != nil {
			return r, decimal.Zero, fmt.Errorf("look up what all jobs together have spent: %w", err)
		}
		defer shut()
		if shared.LessThan(left) {
			left = shared
			short = func(needed decimal.Decimal) error {
				return &Error{Fault: FaultTotal, Message: fmt.Sprintf("the budget of all jobs together does not allow another request: %s USD left, up to %s needed",
					shared.Round(6), needed.Round(6))}
			}
		}
	}
	worst := b.info.Price.WorstCase(r)
	if worst.IsPositive() && worst.GreaterThan(left) { // what costs nothing fits even where the cap was lowered
		var ok bool
		if r, ok = b.shrink(r, left); !ok {
			return r, worst, short(b.info.Price.WorstCase(r))
		}
		worst = b.info.Price.WorstCase(r)
	}
	if err := b.book.Reserve(worst); err != nil {
		return r, worst, fmt.Errorf("reserve %s USD: %w", worst, err)
	}
	return r, worst, nil
}

// shrink lowers MaxTokens until r fits into left; if even the shortest reply
// doesn't fit, r has that length and ok is false.
func (b *budget) shrink(r Request, left decimal.Decimal) (_ Request, ok bool) {
	asked := r.MaxTokens
	r.MaxTokens = 0
	room := left.Sub(b.info.Price.WorstCase(r))
	each := b.info.Price.At(PromptBound(r)).Completion
	r.MaxTokens = min(asked, minReply)
	if !each.IsPositive() || room.LessThan(each.Mul(count(r.MaxTokens))) {
		return r, false
	}
	// asked × each did not fit, so the quotient is below asked and no overflow.
	r.MaxTokens = int(room.Div(each).IntPart())
	for each.Mul(count(r.MaxTokens)).GreaterThan(room) {
		r.MaxTokens-- // Div rounds
	}
	return r, true
}

func (b *budget) settle(reserved decimal.Decimal, reply Reply) (Reply, error) {
	spent := b.spent(reserved, reply.Usage)
	if spent.GreaterThan(reserved) {
		return Reply{}, b.fail(spent, tooDear(b.info, reserved, spent))
	}
	if err := b.book.Settle(spent, reply); err != nil {
		return Reply{}, fmt.Errorf("book %s USD: %w", spent, err)
	}
	return reply, nil
}

// tooDear is the end of a job whose model costs more than it can.
func tooDear(info Info, worst, cost decimal.Decimal) error {
	if info.Price.Free() {
		return &Error{Fault: FaultPaid, Status: 200, Message: fmt.Sprintf(
			"%s is listed as free, but this reply cost %s USD", info.ID, cost)}
	}
	return &Error{Fault: FaultNoPrice, Status: 200, Message: fmt.Sprintf(
		"this reply of %s cost %s USD, more than the %s USD it can cost at the known price (%s)",
		info.ID, cost, worst, info.PriceSource)}
}

// failed finds out what a failure cost and books it. One that cost more than
// it can is not tried again; one of another model says more as it is.
func (b *budget) failed(reserved decimal.Decimal, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return b.fail(reserved, err)
	}
	spent := reserved
	switch {
	case e.Usage.told():
		spent = b.spent(reserved, e.Usage)
	case e.Refused():
		spent = decimal.Zero
	}
	if spent.GreaterThan(reserved) && e.Fault != FaultWrongModel {
		err = tooDear(b.info, reserved, spent)
	}
	return b.fail(spent, err)
}

// fail writes a failure down and returns it. If that can't be written, the
// ledger's failure is the one that counts: it must not look like one that
// passes by itself.
func (b *budget) fail(spent decimal.Decimal, err error) error {
	if berr := b.book.Failed(spent, err); berr != nil {
		return fmt.Errorf("book a failed request (%v): %w", err, berr)
	}
	return err
}

// spent is what usage cost: as reported, else by price, else all that was
// reserved. Where the price was given by hand or by a table, a server that
// reports less than it may mean nothing by it (gateways say 0): the larger
// counts. So it does where the tokens make no sense, and where what has a price
// is said to have cost nothing.
func (b *budget) spent(reserved decimal.Decimal, u Usage) decimal.Decimal {
	reported := u.Cost.Valid && !u.Cost.Decimal.IsNegative()
	switch {
	case reported && u.Known && b.info.CostReported && (u.Cost.Decimal.IsPositive() || b.info.Price.Free()):
		return u.Cost.Decimal
	case reported && u.Known:
		return decimal.Max(u.Cost.Decimal, b.info.Price.Cost(u))
	case reported:
		return decimal.Max(u.Cost.Decimal, reserved)
	case u.Known:
		return b.info.Price.Cost(u)
	default:
		return reserved
	}
}

// told says that a provider has said anything about what a reply cost.
func (u Usage) told() bool { return u.Known || u.Cost.Valid }

// Refused says that the failed request was surely not worked on, so that it
// costs nothing: it never left, or it was answered by an error status other
// than a timeout's. A cut stream, an error inside a 200 and a cancelled
// request may all have been billed.
func (e *Error) Refused() bool {
	switch {
	case e.Fault == FaultUnreachable:
		return true
	case e.Status == 408 || e.Status == 504 || e.Status == 524:
		return false
	default:
		return e.Status >= 300
	}
}

// Unsettled is the id of the reply whose cost is not known: all that was
// reserved is booked for it, and the provider's own record may say less. It is
// "" where the cost is known, or where nothing can be asked for. Either r or
// err is what came of a request.
func Unsettled(r Reply, err error) (id string) {
	var e *Error
	switch {
	case err == nil && !r.Usage.Known:
		return r.ID
	case errors.As(err, &e) && !e.Usage.Known && !e.Refused():
		return e.ID
	default:
		return ""
	}
}
