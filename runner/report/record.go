package report

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// cellCount is how many columns the pictures over time have at most. A picture
// is at least half as fine.
const cellCount = 960

// firstCell is the width of a column in seconds to begin with; it doubles as
// the job grows.
const firstCell = 0.02

// rowsKept bounds the rows of the timeline; what comes later shares the last one.
const rowsKept = 40

// startsKept bounds the box starts that are remembered for each purpose.
const startsKept = 20_000

// recordings are what pictures are made of, over the time that was worked.
// Their size does not grow with the job's length.
type recordings struct {
	now     float64 // seconds worked
	asked   float64 // when the request under way left
	cell    float64 // seconds
	usd     []float64
	rows    []*row
	rowOf   map[string]*row
	current *row
	starts  []moment
	took    map[string]*boxTimes
}

// row is a line of the timeline: the plan, or one feature.
type row struct {
	id    string // of the feature, "" is the plan
	cells []cell
	green bool // the last verdict
}

// cell is what happened in a stretch of time: seconds of each, and what was seen.
type cell struct {
	session, model, call float32
	failed               bool
	green, red, broken   bool // verdicts; broken is red after green
}

// moment is when a process began.
type moment struct {
	x    float64
	time time.Time
}

type boxTimes struct {
	took  []time.Duration
	count int
	max   time.Duration
	wait  time.Duration
}

func newRecordings() *recordings {
	return &recordings{cell: firstCell, rowOf: map[string]*row{}, took: map[string]*boxTimes{}}
}

// clock says that the seconds between have been worked.
func (r *recordings) clock(before, now time.Duration) {
	r.now = now.Seconds()
	for r.now >= r.cell*cellCount {
		r.halve()
	}
	if r.current != nil {
		r.spread(before.Seconds(), func(c *cell, seconds float32) { c.session += seconds })
	}
}

// halve makes cells twice as wide.
func (r *recordings) halve() {
	r.cell *= 2
	for i := range r.usd {
		r.usd[i/2] = r.usd[i] // the later one
	}
	r.usd = r.usd[:(len(r.usd)+1)/2]
	for _, row := range r.rows {
		half := make([]cell, (len(row.cells)+1)/2)
		for i, c := range row.cells {
			h := &half[i/2]
			h.session, h.model, h.call = h.session+c.session, h.model+c.model, h.call+c.call
			h.failed, h.green, h.red, h.broken = h.failed || c.failed, h.green || c.green, h.red || c.red, h.broken || c.broken
		}
		row.cells = half
	}
}

// spread gives the time from begun until now to the cells that it covers.
func (r *recordings) spread(begun float64, add func(c *cell, seconds float32)) {
	begun = max(begun, 0)
	for i := int(begun / r.cell); i <= int(r.now/r.cell); i++ {
		from, to := max(begun, float64(i)*r.cell), min(r.now, float64(i+1)*r.cell)
		add(r.current.at(i), float32(max(to-from, 0)))
	}
}

func (w *row) at(i int) *cell {
	for len(w.cells) <= i {
		w.cells = append(w.cells, cell{})
	}
	return &w.cells[i]
}

func (r *recordings) row(id string) *row {
	if w := r.rowOf[id]; w != nil {
		return w
	}
	if len(r.rows) == rowsKept {
		return r.rows[rowsKept-1]
	}
	w := &row{id: id}
	r.rows, r.rowOf[id] = append(r.rows, w), w
	return w
}

func (r *recordings) process(at time.Time) {
	r.current = nil
	r.starts = latest(append(r.starts, moment{r.now, at}), rowsKept, nil)
}

func (r *recordings) session(id string) { r.current = r.row(id) }
func (r *recordings) endSession()       { r.current = nil }

// spent sets the sum in USD from now on, without what is only reserved. It is
// drawn, so a float will do.
func (r *recordings) spent(usd decimal.Decimal) {
	last := 0.0
	if n := len(r.usd); n > 0 {
		last = r.usd[n-1]
	}
	for len(r.usd) <= int(r.now/r.cell) {
		r.usd = append(r.usd, last)
	}
	r.usd[int(r.now/r.cell)] = usd.InexactFloat64()
}

// request says that one leaves now.
func (r *recordings) request() { r.asked = r.now }

// replied says that the model has thought since the request, or failed to.
func (r *recordings) replied(failed bool) {
	if r.current == nil {
		return
	}
	r.spread(r.asked, func(c *cell, seconds float32) { c.model += seconds })
	if failed {
		r.here().failed = true
	}
}

// called says that a call has ended which took so long.
func (r *recordings) called(took time.Duration, ok bool) {
	if r.current == nil {
		return
	}
	r.spread(r.now-took.Seconds(), func(c *cell, seconds float32) { c.call += seconds })
	if !ok {
		r.here().failed = true
	}
}

func (r *recordings) here() *cell { return r.current.at(int(r.now / r.cell)) }

// verdict stands in the row of its feature, whichever session is under way.
func (r *recordings) verdict(id string, passed bool) {
	w := r.row(id)
	c := w.at(int(r.now / r.cell))
	c.green, c.red, c.broken = c.green || passed, c.red || !passed, c.broken || w.green && !passed
	w.green = passed
}

func (r *recordings) box(b *ledger.BoxInfo) {
	if b == nil {
		return
	}
	t := r.took[b.Purpose]
	if t == nil {
		t = &boxTimes{}
		r.took[b.Purpose] = t
	}
	t.count++
	t.max, t.wait = max(t.max, b.Took), max(t.wait, b.Waited)
	if len(t.took) < startsKept {
		t.took = append(t.took, b.Took)
	} else {
		t.took[t.count%startsKept] = b.Took
	}
}

// boxes are the starts by purpose, the most frequent first.
func (r *recordings) boxes() []Boxes {
	out := []Boxes{}
	for purpose, t := range r.took {
		sorted := slices.Sorted(slices.Values(t.took))
		out = append(out, Boxes{Purpose: cleaner{}.line(purpose), Count: t.count,
			Median: ms(sorted[len(sorted)/2]), P95: ms(sorted[len(sorted)*95/100]), Max: ms(t.max), Waited: ms(t.wait)})
	}
	slices.SortFunc(out, func(a, b Boxes) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		if a.Purpose < b.Purpose {
			return -1
		}
		return 1
	})
	return out
}

func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
