package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/text"
)

// book is the job's money as the wrappers of the model see it. What is reserved
// is on disk before the request leaves; what was reserved and never settled, by
// a crash, counts as spent.
type book struct {
	job *job
}

var (
	_ model.Book       = (*book)(nil)
	_ model.SettleBook = (*book)(nil)
)

func (b *book) Spent() decimal.Decimal { return b.job.ledger.Totals().Spent() }

func (b *book) Reserve(amount decimal.Decimal) error {
	return b.record(ledger.Request, "", ledger.Money{Reserved: amount}, nil)
}

func (b *book) Settle(spent decimal.Decimal, r model.Reply) error {
	b.job.replied = true
	before := b.job.ledger.Totals().Deviates
	money := ledger.Money{Spent: spent, Open: b.open(r, nil)}
	if u, info := r.Usage, b.job.o.ModelInfo; u.Known && u.Cost.Valid && (info.CostReported || u.Cost.Decimal.IsPositive()) {
		money.Reported, money.Computed = u.Cost, decimal.NewNullDecimal(info.Price.Cost(u))
	}
	err := b.record(ledger.Reply, "", money, &ledger.ReplyInfo{
		ID: b.job.clip(r.ID, 200), Model: b.job.clip(r.Model, 200), Finish: b.job.clip(string(r.Finish), 40),
		Prompt: r.Usage.Prompt, Completion: r.Usage.Completion, Cached: r.Usage.Cached,
		Calls: len(r.Calls), Text: b.job.clip(r.Content, replyKept), Took: r.Latency,
		Tolerated: b.job.bounded(r.Tolerated),
	})
	if t := b.job.ledger.Totals(); err == nil && t.Deviates && !before {
		return b.job.note(fmt.Sprintf("so far the provider reports %s USD where the known price (%s) makes %s: compare with its bill",
			t.Reported.Round(6), b.job.o.ModelInfo.PriceSource, t.Computed.Round(6)))
	}
	return err
}

func (b *book) Failed(spent decimal.Decimal, err error) error {
	return b.record(ledger.Failed, b.job.clip(err.Error(), errorKept), ledger.Money{Spent: spent, Open: b.open(model.Reply{}, err)}, nil)
}

// unsettledKept is how many costs are still looked up: records that are missing
// for long won't come.
const unsettledKept = 16

func (b *book) Unsettled() []model.Reserve {
	var open []model.Reserve
	all := b.job.ledger.Totals().Open
	for _, u := range all[max(0, len(all)-unsettledKept):] {
		open = append(open, model.Reserve{ID: u.ID, Entry: u.Seq, Booked: u.Booked})
	}
	return open
}

func (b *book) Resolve(r model.Reserve, cost decimal.Decimal) error {
	return b.record(ledger.Settled, "", ledger.Money{Spent: cost, Settles: r.Entry}, nil)
}

// open is the id under which a cost can still be looked up, if the provider
// keeps records.
func (b *book) open(r model.Reply, err error) string {
	if b.job.records == nil {
		return ""
	}
	return b.job.clip(model.Unsettled(r, err), 200)
}

func (b *book) record(kind ledger.Kind, text string, m ledger.Money, answer *ledger.ReplyInfo) error {
	return b.job.record(ledger.Event{Kind: kind, Session: b.job.session, Turn: b.job.turn, Text: text, Money: &m, Answer: answer})
}

// askThrough puts everything that watches over money and patience around the
// provider.
func (j *job) askThrough() {
	info, b := j.o.ModelInfo, &book{j}
	j.records, _ = j.o.Model.(model.Records)
	reader := text.Calls(model.Cut(model.Guard(j.o.Model, info)))
	j.settlement = model.Settle(model.SharedBudget(reader, info, j.o.Budget, b, j.o.Purse), j.records, info, b,
		model.SettleOptions{Now: j.o.Now, Sleep: j.o.Sleep})
	var asked model.Model = j.settlement
	if j.o.Pace != nil {
		asked = model.Paced(asked, j.o.Pace)
	}
	j.model = model.Retry(asked, model.RetryOptions{
		WaitForReset: j.o.Wait, OnRetry: j.retrying, OnReset: j.waiting, Sleep: j.o.Sleep, Now: j.o.Now})
}

// lookUpCosts gives what is left open its real cost, when the work is over and
// nobody waits to end it. What it finds can spoil the end of a job that was done.
func (j *job) lookUpCosts(ctx context.Context, end error) error {
	if j.settlement == nil || ctx.Err() != nil {
		return end
	}
	err := j.settlement.Finish(ctx)
	var dear *model.Error
	switch {
	case err == nil || ctx.Err() != nil:
		return end
	case errors.As(err, &dear) && end == nil:
		return ModelError(err)
	case errors.As(err, &dear):
		return errors.Join(end, j.note(j.clip(err.Error(), errorKept)))
	default:
		return errors.Join(end, err)
	}
}

// retrying tells that a request is sent again.
func (j *job) retrying(attempt int, wait time.Duration, err error) {
	what := fmt.Sprintf("request failed (%s), trying again in %s", j.clip(err.Error(), 200), wait.Round(100*time.Millisecond))
	if err := j.note(what); err != nil {
		j.log.Error("note", "error", err)
	}
}

// waiting tells that nothing is asked until a limit is over.
func (j *job) waiting(until time.Time, err error) {
	until = until.UTC()
	e := ledger.Event{Kind: ledger.Waiting, Session: j.session, Turn: j.turn, Until: &until,
		Text: j.clip(err.Error(), 200)}
	if err := j.record(e); err != nil {
		j.log.Error("note", "error", err)
	}
}

// budgetMarks are the shares of the budget in percent of which the model is
// told when they are used.
func budgetMarks() []int64 { return []int64{95, 80} }

// budgetNotice tells each session once that a mark is passed.
func (s *session) budgetNotice() string {
	limit := s.job.o.Budget
	if !limit.IsPositive() {
		return ""
	}
	used := s.job.ledger.Totals().Spent().Mul(decimal.NewFromInt(100))
	for _, mark := range budgetMarks() {
		if mark <= s.budgetTold {
			return ""
		}
		if used.GreaterThanOrEqual(limit.Mul(decimal.NewFromInt(mark))) {
			s.budgetTold = mark
			return fmt.Sprintf("[%d %% of the budget is used: make verify pass soon, or finish with a note.]", mark)
		}
	}
	return ""
}

// keepBudget takes the cap that the job has, unless another one is asked for,
// and notes a change.
func (j *job) keepBudget() error {
	had, begun, err := capOf(j.ledger.Totals())
	if err != nil || !begun {
		return err
	}
	if j.o.KeepBudget {
		j.o.Budget = had
	}
	if j.o.Budget.Equal(had) {
		return nil
	}
	return j.note(budgetChange(had, j.o.Budget))
}

func budgetChange(had, has decimal.Decimal) string {
	verb := "raised"
	if has.LessThan(had) {
		verb = "lowered"
	}
	return fmt.Sprintf("the budget is %s from %s to %s USD", verb, had, has)
}

// capOf is the cap in USD that a job has by its ledger; begun is false before
// its first process has said so.
func capOf(t ledger.Totals) (usd decimal.Decimal, begun bool, err error) {
	if t.Job == nil {
		return usd, false, nil
	}
	if usd, err = decimal.NewFromString(t.Job.Budget); err != nil {
		return usd, true, fmt.Errorf("the ledger's budget %.40q is no amount", t.Job.Budget)
	}
	return usd, true, nil
}
