package runner

import (
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// book is the job's money as the budget wrapper sees it. What is reserved is
// on disk before the request leaves; what was reserved and never settled, by a
// crash, counts as spent.
type book struct {
	job *job
}

var _ model.Book = (*book)(nil)

func (b *book) Spent() decimal.Decimal { return b.job.ledger.Totals().Spent() }

func (b *book) Reserve(amount decimal.Decimal) error {
	return b.job.record(ledger.Event{Kind: ledger.Request, Session: b.job.session, Turn: b.job.turn,
		Money: &ledger.Money{Reserved: amount}})
}

func (b *book) Settle(spent decimal.Decimal, r model.Reply) error {
	b.job.replied = true
	return b.job.record(ledger.Event{Kind: ledger.Reply, Session: b.job.session, Turn: b.job.turn,
		Money: &ledger.Money{Spent: spent},
		Answer: &ledger.ReplyInfo{
			ID: b.job.clip(r.ID, 200), Model: b.job.clip(r.Model, 200), Finish: b.job.clip(string(r.Finish), 40),
			Prompt: r.Usage.Prompt, Completion: r.Usage.Completion, Cached: r.Usage.Cached,
			Calls: len(r.Calls), Text: b.job.clip(r.Content, replyKept), Took: r.Latency,
		}})
}

func (b *book) Failed(spent decimal.Decimal, err error) error {
	return b.job.record(ledger.Event{Kind: ledger.Failed, Session: b.job.session, Turn: b.job.turn,
		Money: &ledger.Money{Spent: spent}, Text: b.job.clip(err.Error(), errorKept)})
}
