package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/glovebox-run/glovebox/runner/batch"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// batchShow is how a batch is shown.
type batchShow struct{ json, quiet, verbose bool }

// table shows a batch while it runs: on a terminal a row for each job that
// works and one with the totals, above them a line for each that has ended;
// elsewhere plain lines with the job's name before them.
type table struct {
	a     *app
	show  batchShow
	start time.Time
	names int // columns of the longest
	bars  *mpb.Progress
	total *mpb.Bar
	file  *os.File
	was   *screen // a's, while the rows are on the terminal
	end   func()

	mu    sync.Mutex
	jobs  map[string]*row
	state map[batch.State]int
	done  int
	count int
}

// row is one job that works.
type row struct {
	*progress
	bar      *mpb.Bar
	features int
	passing  map[string]bool
	earlier  decimal.Decimal // spent by processes before
}

func (a *app) newTable(show batchShow, o batchOrder) *table {
	t := &table{a: a, show: show, start: now(), jobs: map[string]*row{}, state: map[batch.State]int{}, count: len(o.tasks)}
	for _, task := range o.tasks {
		t.names = max(t.names, width(task.Name))
	}
	t.end = sync.OnceFunc(t.close)
	f, ok := isTerminal(a.rawErr)
	if !ok || !a.screen.live || show.quiet || show.verbose {
		return t
	}
	t.file, t.was = f, a.screen
	t.bars = mpb.New(mpb.WithOutput(f), mpb.WithRefreshRate(200*time.Millisecond), mpb.PopCompletedMode())
	t.total = t.add(1<<30, t.totals)
	a.screen = &screen{w: above{t}, colour: t.was.colour, size: t.was.size}
	return t
}

// above writes lines above the rows, without keys.
type above struct{ t *table }

func (w above) Write(p []byte) (int, error) {
	_, err := w.t.bars.Write([]byte(w.t.a.redact.String(string(p))))
	return len(p), err
}

// add is a row of the terminal with the text that says makes.
func (t *table) add(priority int, says func() string) *mpb.Bar {
	bar, err := t.bars.Add(0, mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		_, err := io.WriteString(w, cut(t.a.redact.String(says()), s.AvailableWidth-roomForKeys))
		return err
	}), mpb.BarPriority(priority), mpb.BarNoPop(), mpb.BarRemoveOnComplete())
	if err != nil { // the rows are gone already
		return nil
	}
	return bar
}

func (t *table) close() {
	if t.bars == nil {
		return
	}
	t.mu.Lock()
	for _, r := range t.jobs {
		drop(r.bar)
	}
	t.mu.Unlock()
	drop(t.total)
	t.bars.Wait()
	t.a.screen = t.was
}

func drop(bar *mpb.Bar) {
	if bar != nil {
		bar.Abort(true)
	}
}

// changed is told where an item stands.
func (t *table) changed(r batch.Result) {
	t.mu.Lock()
	was := t.jobs[r.Item.Name]
	switch {
	case r.State == batch.Running && was == nil && r.Status.Running: // by another process
	case r.State == batch.Running && was == nil:
		t.jobs[r.Item.Name] = t.begin(r)
	case was != nil && r.State != batch.Running:
		delete(t.jobs, r.Item.Name)
	}
	t.state[r.State]++
	if r.Done() {
		t.done++
	}
	t.mu.Unlock()
	if was != nil && r.State != batch.Running {
		drop(was.bar)
		t.print(t.ended(r))
	}
}

func (t *table) begin(r batch.Result) *row {
	j := &row{progress: newProgress(&screen{w: io.Discard}, now), features: len(r.Status.Features), passing: map[string]bool{}, earlier: r.Status.Spent}
	for _, f := range r.Status.Features {
		if f.Passes {
			j.passing[f.ID] = true
		}
	}
	if t.bars != nil {
		name := r.Item.Name
		j.bar = t.add(len(t.jobs), func() string { return t.row(name, j) })
	}
	return j
}

// event is told every event of a job's ledger.
func (t *table) event(name string, e ledger.Event) {
	if t.show.json {
		_ = t.a.printJSON(struct {
			Job string `json:"job"`
			ledger.Event
		}{name, e}, false) // who reads may have gone; the truth is in the ledger
	}
	t.mu.Lock()
	j := t.jobs[name]
	if j == nil {
		t.mu.Unlock()
		return
	}
	j.note(e)
	t.mu.Unlock()
	j.Observe(e)
	if t.bars == nil && !t.show.quiet {
		j.mu.Lock()
		_, word, text := j.describe(e)
		j.mu.Unlock()
		if word != "" {
			t.print(fmt.Sprintf("  %s  %s  %s %s", t.clock(), pad(plain(name), t.names), pad(word, wordColumns), cut(text, 200)))
		}
	}
}

// note keeps up what passes.
func (r *row) note(e ledger.Event) {
	switch {
	case e.Kind == ledger.Listed && e.List != nil:
		r.features = len(e.List.IDs)
	case e.Kind == ledger.Passed:
		r.passing[e.Feature] = true
	case e.Kind == ledger.Unpassed:
		delete(r.passing, e.Feature)
	}
}

// row is a job that works, in one line.
func (t *table) row(name string, j *row) string {
	t.mu.Lock()
	passing, features := len(j.passing), j.features
	t.mu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	proved := "-"
	if features > 0 {
		proved = fmt.Sprintf("%d/%d", passing, features)
	}
	return fmt.Sprintf("  %s  %s  %4s  turn %3d  $%s  %s", j.clock(now()), pad(plain(name), t.names), proved, j.turn,
		pad(j.earlier.Add(j.money.Settled).Round(4).String(), 7), strings.TrimSpace(j.title()+"  "+j.doing))
}

// totals are all jobs in one line.
func (t *table) totals() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("  %s  %d of %d done, %d at work", t.clock(), t.done, t.count, len(t.jobs))
}

func (t *table) clock() string { return fmt.Sprintf("%7s", elapsed(now().Sub(t.start))) }

// ended is a job that has ended, in one line.
func (t *table) ended(r batch.Result) string {
	line := fmt.Sprintf("  %s  %s  %s  %s", t.clock(), pad(plain(r.Item.Name), t.names), pad(string(r.Outcome), 13), passingText(r.Status.Features))
	if !r.Done() && r.Reason != "" {
		line += "  " + plain(r.Reason)
	}
	return cut(line, max(t.a.screen.columns()-1, 60))
}

// passingText is how many features of a list pass.
func passingText(list []feature.Feature) string {
	if len(list) == 0 {
		return "  -"
	}
	n := 0
	for _, f := range list {
		if f.Passes {
			n++
		}
	}
	return fmt.Sprintf("%d/%d", n, len(list))
}

func (t *table) print(line string) {
	if !t.show.quiet {
		t.a.screen.Print(line)
	}
}
