package main

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/batch"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// checkBatch shows the plan and what stands in its way; --yes is no part of
// what is checked but said, for a plan is made before it is agreed to.
func (a *app) checkBatch(ctx context.Context, o batchOrder, unapproved error) error {
	f := a.foreseeBatch(ctx, o)
	f.miss(a.checkRoom(o, docker.Facts{Free: -1})) // the engine's own disk is doctor's to judge
	a.showPlan(o)
	for _, line := range f.Facts {
		a.printHanging(pad(line.Name, 8)+" ", line.Text)
	}
	for _, m := range f.Missing {
		a.printHanging("missing  ", m.Reason)
		a.printHanging("         hint: ", m.Hint)
	}
	if unapproved != nil {
		a.printHanging("note     ", explain(unapproved).Hint)
	}
	if f.first != nil {
		return fail(f.first.Outcome, f.first.Hint, "no batch would begin: %s", f.first)
	}
	return nil
}

// showPlan writes what a batch would do. Nothing is asked for it: what a job
// may cost at most is its budget.
func (a *app) showPlan(o batchOrder) {
	names, models := 4, 5
	for _, t := range o.tasks {
		names, models = max(names, width(t.Name)), max(models, width(plain(t.order.model)))
	}
	most := decimal.Zero
	a.print("%s  %s  %s  %s", pad("name", names), pad("model", models), "usd at most", "spec")
	for _, t := range o.tasks {
		budget := t.order.budget
		if isScripted(t.order.model) {
			budget = decimal.Zero
		}
		most = most.Add(budget)
		a.print("%s  %s  %11s  %s", pad(t.Name, names), pad(plain(t.order.model), models), budget.String(), plain(t.Spec))
	}
	text := fmt.Sprintf("%d specs, %s USD at most", len(o.tasks), most)
	if o.total != nil && o.total.LessThan(most) {
		text = fmt.Sprintf("%d specs, %s USD at most (--total-budget; the jobs' own budgets make %s)", len(o.tasks), o.total, most)
	}
	a.print("\n%s; nothing was sent and nothing was begun", text)
}

// showBatch writes where all jobs of a batch stand, and their sums.
func (a *app) showBatch(out string, results []batch.Result) {
	for _, line := range batchLines(results, a.outColumns()) {
		a.print("%s", line)
	}
	a.print("")
	a.print("projects  %s", plain(out))
	a.print("look      glovebox status %s/NAME; glovebox log %s/NAME", plain(out), plain(out))
}

// batchLines are the sums over all jobs of a batch, and each in a line.
func batchLines(results []batch.Result, columns int) []string {
	names, sum := 0, sumOf(results)
	for _, r := range results {
		names = max(names, width(plain(r.Item.Name)))
	}
	lines := []string{sum.text()}
	for _, r := range results {
		lines = append(lines, cut(fmt.Sprintf("  %s  %s  %s  %4s  %9s USD  %8s%s", batchMark(r), pad(plain(r.Item.Name), names), pad(batchState(r), 13),
			passingText(r.Status.Features), r.Status.Spent.Round(6), took(r.Status.Seconds), reasonText(r)), columns))
	}
	return lines
}

// batchSum is over all jobs of a batch.
type batchSum struct {
	Jobs    int             `json:"jobs"`
	Done    int             `json:"done"`
	Running int             `json:"running"`
	Spent   decimal.Decimal `json:"spent_usd"`
}

func sumOf(results []batch.Result) batchSum {
	s := batchSum{Jobs: len(results)}
	for _, r := range results {
		s.Spent = s.Spent.Add(r.Status.Spent)
		if r.Done() {
			s.Done++
		}
		if r.State == batch.Running {
			s.Running++
		}
	}
	return s
}

func (s batchSum) text() string {
	text := fmt.Sprintf("%d of %d jobs done, %s USD", s.Done, s.Jobs, s.Spent)
	if s.Running > 0 {
		text += fmt.Sprintf(", %d running", s.Running)
	}
	return text
}

func batchMark(r batch.Result) string {
	switch {
	case r.Done():
		return "[x]"
	case r.State == batch.Ended:
		return "[!]"
	default:
		return "[ ]"
	}
}

// batchState is where an item stands, in a word.
func batchState(r batch.Result) string {
	if r.State == batch.Ended {
		return string(r.Outcome)
	}
	return string(r.State)
}

func reasonText(r batch.Result) string {
	if r.Done() || r.Reason == "" {
		return ""
	}
	return "  " + plain(r.Reason)
}
