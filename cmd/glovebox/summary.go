package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// report writes where a job stands for people: its features, what it took,
// and where things lie. It is what `run` ends with and what `status` shows.
type report struct {
	w       io.Writer
	columns int
	// dir is the project directory as the person named it.
	dir string
	// readme says that the project has a README.md.
	readme bool
}

// field writes a labelled value, broken into lines under one another.
func (r report) field(label, text string) {
	const indent = 10
	for i, line := range wrap(plain(text), max(r.columns-indent, 20)) {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(r.w, "%s%s\n", pad(label, indent), line)
	}
}

// write writes all of s.
func (r report) write(s runner.Status) {
	fmt.Fprintln(r.w, headline(s))
	r.features(s)
	fmt.Fprintln(r.w)
	r.field("work", fmt.Sprintf("%s, %s, %s, %s, %s, %s",
		count(s.Sessions, "session"), count(s.Turns, "turn"), count(s.Calls, "call"),
		countBoxes(s.Boxes), count(s.Commits, "commit"), took(s.Seconds)))
	r.field("model", modelText(s.Model))
	r.field("tokens", tokensText(s))
	r.field("cost", costText(s))
	if s.Deviates {
		r.field("", deviationText(s.Reported, s.Computed))
	}
	if s.Approved {
		r.field("list", listText(s))
	}
	if len(s.PutBack) > 0 {
		r.field("put back", putBackText(s.PutBack))
	}
	if s.Note != "" {
		r.field("uncovered", "in the planner's words: "+s.Note)
	}
	if s.Handover != nil {
		r.handover(*s.Handover)
	}
	if s.Proof != nil {
		r.field("proof", proofText(s.Proof))
	}
	for _, f := range s.Features {
		if text := s.Flaky[f.ID]; text != "" && !f.Passes {
			r.field("flaky", f.ID+": "+text)
		}
	}
	r.field("project", s.Dir)
	if s.Branch != "" && s.Branch != s.From {
		r.field("branch", branchText(s))
	}
	if s.Lent && !s.Running {
		r.field("", "it is lent to the boxes' user; the next run gives it back")
	}
}

// branchText is the branch of a job in somebody's repository, and how it gets
// to where it came from.
func branchText(s runner.Status) string {
	if s.From == "" {
		return s.Branch
	}
	return fmt.Sprintf("%s; to take it over: git switch %s && git merge %s", s.Branch, s.From, s.Branch)
}

// putBackText names files that sessions have changed although they are not theirs.
func putBackText(names []string) string {
	const shown = 5
	text := strings.Join(names[:min(len(names), shown)], ", ")
	if more := len(names) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + ": sessions had changed what is the host's"
}

func tokensText(s runner.Status) string {
	text := thousands(s.Prompt) + " in"
	if s.Cached > 0 {
		text += fmt.Sprintf(" (%s of them from a cache)", thousands(s.Cached))
	}
	return text + ", " + thousands(s.Output) + " out"
}

// costText is what counts as spent; what of it is only a worst case is said.
func costText(s runner.Status) string {
	text := fmt.Sprintf("%s USD of at most %s", s.Spent.String(), s.Budget.String())
	if s.Unsettled.IsPositive() {
		text += fmt.Sprintf("; %s of it is the worst case of replies that did not say what they cost", s.Unsettled)
	}
	if s.Lost.IsPositive() {
		text += fmt.Sprintf("; %s of it is the worst case of requests that were under way when a process died", s.Lost)
	}
	return text
}

// deviationText compares what the provider reports with what its price makes.
func deviationText(reported, computed decimal.Decimal) string {
	text := fmt.Sprintf("the provider reports %s USD where the known price makes %s", reported.Round(6), computed.Round(6))
	if computed.IsPositive() {
		percent := reported.Sub(computed).Mul(decimal.NewFromInt(100)).DivRound(computed, 1)
		sign := ""
		if percent.IsPositive() {
			sign = "+"
		}
		text += fmt.Sprintf(" (%s%s %%)", sign, percent)
	}
	return text + ": compare with its bill"
}

// features writes one line a feature: [x] passes, [~] flaky, [!] blocked, [ ]
// none of these.
func (r report) features(s runner.Status) {
	list := s.Features
	ids := 0
	for _, f := range list {
		ids = max(ids, width(plain(f.ID)))
	}
	for _, f := range list {
		line := fmt.Sprintf("  %s %s  %s%s", mark(f, s.Flaky[f.ID] != ""), pad(plain(f.ID), ids), revisedMark(f), plain(f.Description))
		fmt.Fprintln(r.w, cut(line, r.columns))
	}
}

// revisedMark stands before a feature whose test is not the one that was accepted.
func revisedMark(f feature.Feature) string {
	if f.Revised {
		return "(test revised) "
	}
	return ""
}

func mark(f feature.Feature, flaky bool) string {
	switch {
	case f.Passes:
		return "[x]"
	case flaky:
		return "[~]"
	case f.Blocked:
		return "[!]"
	default:
		return "[ ]"
	}
}

// headline says in one line where a job stands.
func headline(s runner.Status) string {
	state := "not ended"
	switch {
	case s.Running:
		state = "running"
	case s.Outcome != "":
		state = string(s.Outcome)
	}
	if len(s.Features) == 0 {
		return fmt.Sprintf("%s: no features planned yet", state)
	}
	text := fmt.Sprintf("%s: %d of %d features verified", state, s.Passing(), len(s.Features))
	if blocked := countBlocked(s.Features); blocked > 0 {
		text += fmt.Sprintf(", %d blocked", blocked)
	}
	if flaky := countFlaky(s); flaky > 0 {
		text += fmt.Sprintf(", %d flaky", flaky)
	}
	return text
}

func countBlocked(list []feature.Feature) int {
	n := 0
	for _, f := range list {
		if f.Blocked {
			n++
		}
	}
	return n
}

func countFlaky(s runner.Status) int {
	n := 0
	for _, f := range s.Features {
		if !f.Passes && s.Flaky[f.ID] != "" {
			n++
		}
	}
	return n
}

// modelText is a model's name; one that is a script says so.
func modelText(name string) string {
	if isScripted(name) {
		return name + " (a script: no model was asked, no tokens were bought)"
	}
	return name
}

func isScripted(name string) bool { return strings.HasPrefix(name, "scripted/") }

// nextSteps says what a person can do now.
func (r report) nextSteps(s runner.Status) {
	if s.Outcome == runner.Done && r.readme {
		r.field("run it", "see "+r.dir+"/README.md; the code was written by a model: read before you run")
	}
	r.field("look", "glovebox status "+r.dir+"; glovebox log "+r.dir)
	r.field("report", "glovebox report "+r.dir)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", thousands(n), noun)
}

func countBoxes(n int) string {
	if n == 1 {
		return "1 box"
	}
	return thousands(n) + " boxes"
}

// took is a number of seconds for people.
func took(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return elapsed(d) + " min"
}

// thousands is a number in groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
