package model

import (
	"context"
	"errors"
	"testing"

	"github.com/shopspring/decimal"
)

// answers is a model that gives one scripted answer after the other and fails
// loudly when there are none left.
type answers struct {
	t     testing.TB
	list  []answer
	asked []Request
}

type answer struct {
	reply Reply
	err   error
}

func (a *answers) Reply(_ context.Context, r Request) (Reply, error) {
	a.t.Helper()
	if len(a.asked) >= len(a.list) {
		a.t.Error("one request too many")
		return Reply{}, errors.New("one request too many")
	}
	next := a.list[len(a.asked)]
	a.asked = append(a.asked, r)
	return next.reply, next.err
}

// memory is a Book that remembers, with the rule that what was reserved and
// never settled stays spent.
type memory struct {
	settled, open decimal.Decimal
	lines         []string
	fail          error // of the next write
}

func (m *memory) Spent() decimal.Decimal { return m.settled.Add(m.open) }

func (m *memory) Reserve(amount decimal.Decimal) error {
	m.open = m.open.Add(amount)
	return m.write("reserve "+amount.String(), m.fail)
}

func (m *memory) Settle(spent decimal.Decimal, _ Reply) error {
	m.settled, m.open = m.settled.Add(spent), decimal.Zero
	return m.write("settle "+spent.String(), m.fail)
}

func (m *memory) Failed(spent decimal.Decimal, _ error) error {
	m.settled, m.open = m.settled.Add(spent), decimal.Zero
	return m.write("failed "+spent.String(), m.fail)
}

func (m *memory) write(line string, err error) error {
	m.lines = append(m.lines, line)
	return err
}

// crash is the end of the process between reservation and settlement.
func (m *memory) crash() {
	m.settled, m.open = m.settled.Add(m.open), decimal.Zero
}

func usd(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func faultOf(err error) Fault {
	var e *Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return ""
}
