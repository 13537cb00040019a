package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// picture is a drawing, made of numbers here and written by the template
// "picture". All its words but the labels of rows are ours.
type picture struct {
	Title, Says string // what it shows, and the same in a sentence for those who can't see it
	W, H        float64
	Rects       []rect
	Lines       []line
	Paths       []path
	Words       []word
	Key         []key
}

type rect struct {
	X, Y, W, H float64
	Class      string
}

type line struct {
	X1, Y1, X2, Y2 float64
	Class          string
}

type path struct{ D, Class string }

type word struct {
	X, Y   float64
	Anchor string // start, middle, end
	Class  string
	Text   string
}

// key explains a colour.
type key struct{ Class, Text string }

// The measures of pictures, in units of their view box.
const (
	pictureWide = 720.0
	leftEdge    = 78.0
	rightEdge   = 12.0
	plotWide    = pictureWide - leftEdge - rightEdge
)

// Pictures are those that there is something to show in.
func (j *Job) Pictures() []picture {
	var out []picture
	for _, p := range []picture{j.pictures.timeline(), j.pictures.cost(j.Money), tokensOf(j.Sessions), j.pictures.startTimes()} {
		if p.H > 0 {
			out = append(out, p)
		}
	}
	return out
}

// timeline has a row for the plan and for each feature.
func (r *recordings) timeline() picture {
	if len(r.rows) == 0 || r.now == 0 {
		return picture{}
	}
	const rowHigh, top = 22.0, 8.0
	p := picture{Title: "What happened when", W: pictureWide, H: top + rowHigh*float64(len(r.rows)) + 26,
		Says: fmt.Sprintf("%d rows over %s of work", len(r.rows), forPeople(r.now)),
		Key: []key{{"model", "the model thinks"}, {"call", "a call runs in a box"}, {"host", "the host verifies, commits"},
			{"failed", "a call failed"}, {"green", "verified: works"}, {"red", "not yet"}, {"broken", "not any more"}}}
	bottom := p.H - 24
	p.timeAxis(r.now, top, bottom)
	for _, s := range r.starts {
		if x := r.x(s.x); s.x > 0 {
			p.Lines = append(p.Lines, line{x, top, x, bottom, "again"})
		}
	}
	for i, w := range r.rows {
		y := top + rowHigh*float64(i)
		label := w.id
		switch {
		case label == "":
			label = "plan"
		case i == rowsKept-1:
			label = "others"
		}
		p.Words = append(p.Words, word{leftEdge - 8, y + 15, "end", "label", shorten(cleaner{}.line(label), 11)})
		r.drawRow(&p, w, y)
	}
	return p
}

// drawRow draws stretches of the same colour as one bar, and verdicts below it.
func (r *recordings) drawRow(p *picture, w *row, y float64) {
	begun, was := 0, ""
	for i := 0; i <= len(w.cells); i++ {
		class := ""
		if i < len(w.cells) {
			class = w.cells[i].class()
		}
		if class == was {
			continue
		}
		if was != "" {
			x := r.x(float64(begun) * r.cell)
			end := min(r.x(float64(i)*r.cell), leftEdge+plotWide)
			p.Rects = append(p.Rects, rect{x, y + 4, max(end-x, 0.8), 10, was})
		}
		begun, was = i, class
	}
	last, drawn := math.Inf(-1), ""
	for i, c := range w.cells {
		x, class := r.x((float64(i)+0.5)*r.cell), c.verdict()
		if class == "" || class == drawn && x-last < 4 {
			continue
		}
		p.Rects = append(p.Rects, rect{min(x, leftEdge+plotWide) - 2, y + 15, 4, 5, class})
		last, drawn = x, class
	}
}

// verdict is the gravest one of a cell.
func (c cell) verdict() string {
	switch {
	case c.broken:
		return "broken"
	case c.green:
		return "green"
	case c.red:
		return "red"
	default:
		return ""
	}
}

// class is what took most of a cell.
func (c cell) class() string {
	switch rest := c.session - c.model - c.call; {
	case c.failed:
		return "failed"
	case c.session == 0:
		return ""
	case c.model >= c.call && c.model >= rest:
		return "model"
	case c.call >= rest:
		return "call"
	default:
		return "host"
	}
}

func (r *recordings) x(seconds float64) float64 {
	return leftEdge + plotWide*min(seconds/r.now, 1)
}

// cost is the sum over time, as steps. What costs nothing has no picture.
func (r *recordings) cost(m Money) picture {
	most := 0.0
	for _, usd := range r.usd {
		most = max(most, usd)
	}
	if most == 0 || r.now == 0 {
		return picture{}
	}
	p := picture{Title: "Cost over time", W: pictureWide, H: 170, Key: []key{{"cost", "spent, USD"}}}
	p.Says = fmt.Sprintf("%s USD after %s of work", m.Spent, forPeople(r.now))
	const top, bottom = 10.0, 146.0
	if limit := m.Budget.InexactFloat64(); limit > 0 && limit < most*3 {
		most = max(most, limit)
		y := bottom - (bottom-top)*limit/most
		p.Lines = append(p.Lines, line{leftEdge, y, leftEdge + plotWide, y, "limit"})
		p.Key = append(p.Key, key{"limit", "budget"})
	}
	p.timeAxis(r.now, top, bottom)
	p.valueAxis(most, top, bottom, func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) })
	var d strings.Builder
	fmt.Fprintf(&d, "M%.1f %.1f", leftEdge, bottom)
	y := bottom
	for i, usd := range r.usd {
		if next := bottom - (bottom-top)*usd/most; next != y || i == 0 {
			fmt.Fprintf(&d, "H%.1fV%.1f", r.x(float64(i)*r.cell), next)
			y = next
		}
	}
	fmt.Fprintf(&d, "H%.1f", leftEdge+plotWide)
	p.Paths = []path{{d.String() + fmt.Sprintf("V%.1fZ", bottom), "cost-area"}, {d.String(), "cost-line"}}
	return p
}

// barsMost is how many bars there are at most; neighbours share one beyond that.
const barsMost = 40

// tokensOf shows what each session sent and got.
func tokensOf(sessions []*Session) picture {
	var bars []Tokens
	var names []string
	share := (len(sessions) + barsMost - 1) / barsMost
	most := 0
	for i, s := range sessions {
		if i%share == 0 {
			bars, names = append(bars, Tokens{}), append(names, strconv.Itoa(s.Number))
		}
		bars[len(bars)-1].add(s.Tokens)
		most = max(most, bars[len(bars)-1].All())
	}
	if most == 0 {
		return picture{}
	}
	p := picture{Title: "Tokens of each session", W: pictureWide, H: 170,
		Key: []key{{"cached", "sent, from the provider's cache"}, {"prompt", "sent"}, {"completion", "came back"}}}
	if share > 1 {
		p.Title = fmt.Sprintf("Tokens of each %d sessions", share)
	}
	p.Says = fmt.Sprintf("%d sessions, at most %s tokens a bar", len(sessions), thousands(most))
	const top, bottom = 10.0, 146.0
	p.valueAxis(float64(most), top, bottom, shortCount)
	step := plotWide / float64(len(bars))
	wide := min(step*0.7, 48)
	for i, t := range bars {
		x, y := leftEdge+step*(float64(i)+0.5)-wide/2, bottom
		for _, part := range []struct {
			n     int
			class string
		}{{t.Cached, "cached"}, {t.Prompt - t.Cached, "prompt"}, {t.Completion, "completion"}} {
			high := (bottom - top) * float64(max(part.n, 0)) / float64(most)
			y -= high
			if high > 0 {
				p.Rects = append(p.Rects, rect{x, y, wide, high, part.class})
			}
		}
		if every := (len(bars) + 19) / 20; i%every == 0 {
			p.Words = append(p.Words, word{x + wide/2, bottom + 16, "middle", "tick", names[i]})
		}
	}
	return p
}

// startTimes counts the box starts by how long they took.
func (r *recordings) startTimes() picture {
	edges := []time.Duration{5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000} // milliseconds
	counts := make([]int, len(edges)+1)
	most, all := 0, 0
	for _, t := range r.took {
		for _, d := range t.took {
			i := 0
			for i < len(edges) && d >= edges[i]*time.Millisecond {
				i++
			}
			counts[i]++
			most, all = max(most, counts[i]), all+1
		}
	}
	if all == 0 {
		return picture{}
	}
	first, end := 0, len(counts)
	for counts[first] == 0 {
		first++
	}
	for counts[end-1] == 0 {
		end--
	}
	first, end = max(first-1, 0), min(end+1, len(counts))
	p := picture{Title: "Box start times", W: pictureWide, H: 150, Says: fmt.Sprintf("%s boxes", thousands(all)),
		Key: []key{{"call", "boxes that took so long to start"}}}
	const top, bottom = 10.0, 126.0
	p.valueAxis(float64(most), top, bottom, shortCount)
	step := plotWide / float64(end-first)
	for i, n := range counts[first:end] {
		x, high := leftEdge+step*float64(i), (bottom-top)*float64(n)/float64(most)
		p.Rects = append(p.Rects, rect{x + 3, bottom - high, step - 6, high, "call"})
		if i += first; i > first {
			p.Words = append(p.Words, word{x, bottom + 16, "middle", "tick", forPeople(float64(edges[i-1]) / 1000)})
		}
	}
	return p
}

// timeAxis marks round times along the bottom.
func (p *picture) timeAxis(seconds, top, bottom float64) {
	step := timeStep(seconds / 6)
	for t := 0.0; t <= seconds; t += step {
		x := leftEdge + plotWide*t/seconds
		anchor := "middle"
		if x > leftEdge+plotWide-20 {
			anchor = "end"
		}
		p.Lines = append(p.Lines, line{x, top, x, bottom, "grid"})
		p.Words = append(p.Words, word{x, bottom + 16, anchor, "tick", tick(t, step)})
	}
}

// tick is a round time in the unit of the steps between.
func tick(seconds, step float64) string {
	switch {
	case seconds == 0:
		return "0"
	case step >= 3600:
		return number(seconds/3600, 0) + " h"
	case step >= 60:
		return number(seconds/60, 0) + " min"
	case step >= 1:
		return number(seconds, 0) + " s"
	default:
		return number(seconds*1000, 0) + " ms"
	}
}

// valueAxis marks round values along the left side.
func (p *picture) valueAxis(most, top, bottom float64, text func(float64) string) {
	step := roundStep(most / 4)
	if most >= 1 && most == math.Trunc(most) {
		step = max(step, 1)
	}
	for v := 0.0; v <= most*1.0001; v += step {
		y := bottom - (bottom-top)*v/most
		p.Lines = append(p.Lines, line{leftEdge, y, leftEdge + plotWide, y, "grid"})
		p.Words = append(p.Words, word{leftEdge - 8, y + 4, "end", "tick", text(v)})
	}
}

// roundStep is the next of 1, 2, 5 times a power of ten.
func roundStep(atLeast float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(atLeast)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= atLeast {
			return m * power
		}
	}
	return 10 * power
}

// timeStep is the next round number of seconds, minutes or hours.
func timeStep(atLeast float64) float64 {
	if atLeast < 1 {
		return roundStep(atLeast)
	}
	for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 6 * 3600, 12 * 3600} {
		if s >= atLeast {
			return s
		}
	}
	return 24 * 3600 * math.Ceil(atLeast/24/3600)
}
