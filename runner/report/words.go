package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// forPeople is a number of seconds in the unit that fits.
func forPeople(seconds float64) string {
	switch {
	case seconds == 0:
		return "0"
	case seconds < 1:
		return number(seconds*1000, 0) + " ms"
	case seconds < 10:
		return strings.TrimSuffix(number(seconds, 1), ".0") + " s"
	case seconds < 120:
		return number(seconds, 0) + " s"
	case seconds < 3*3600:
		return number(math.Round(seconds/60), 0) + " min"
	default:
		return strings.TrimSuffix(number(seconds/3600, 1), ".0") + " h"
	}
}

func number(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

// thousands is a number in groups of three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// shortCount is a count with three digits at most.
func shortCount(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + " M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + " k"
	default:
		return thousands(int(math.Round(v)))
	}
}

// shorten cuts s to max runes.
func shorten(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return string([]rune(s)[:max-1]) + "…"
}

// count is a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// amount is a number of things, with their names.
type amount struct {
	n         int
	one, many string
}

// counts are the amounts of which there is any, "" if there is none.
func counts(list []amount) string {
	var parts []string
	for _, a := range list {
		if a.n > 0 {
			parts = append(parts, count(a.n, a.one, a.many))
		}
	}
	return strings.Join(parts, ", ")
}

func usd(d decimal.Decimal) string { return d.String() + " USD" }

// about is an amount at a glance: four digits behind the point, unless that hides it.
func about(d decimal.Decimal) string {
	if short := d.Round(4); !short.IsZero() {
		d = short
	}
	return usd(d)
}

// accepted is how a list was accepted.
func accepted(how string) string {
	switch how {
	case "yes-flag":
		return "unseen (--yes)"
	case "person":
		return "by a person"
	case "file":
		return "as a file says that a person signed off"
	default:
		return "(" + how + ")"
	}
}

// when is the occasion of a verification.
func when(why string) string {
	switch why {
	case "red-check":
		return "before the work"
	case "before-session":
		return "before a session"
	case "finish":
		return "when the model said it was done"
	case "session-end":
		return "when the session had ended"
	case "regression":
		return "checked again after another feature"
	case "baseline":
		return "before a session, to know what fails already"
	case "again":
		return "run again, since it contradicted an earlier result"
	case "acceptance":
		return "your own acceptance test"
	case "without-work":
		return "on the state before the work, where it must still fail"
	case "final":
		return "checked once more at the end"
	default:
		return why
	}
}

func bytesSize(n int64) string { return units.BytesSize(float64(n)) }

func minute(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// Title is a call in one line.
func (c *Call) Title() string {
	if strings.HasPrefix(c.Summary, c.Tool) {
		return c.Summary
	}
	return strings.TrimSpace(c.Tool + " " + c.Summary)
}

// Asked are the arguments of a call as a person would write them: a text by
// itself, several below their names. What is no JSON is shown as it is. A text
// in JSON may spell what was not to be seen in it, so it is made visible again.
func (c *Call) Asked() string {
	var args map[string]any
	if json.Unmarshal([]byte(c.Args), &args) != nil {
		return c.Args
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(args)) {
		text, isText := args[name].(string)
		switch {
		case isText && len(args) == 1:
			return visible(text)
		case !isText:
			text = fmt.Sprint(args[name])
		case strings.Contains(text, "\n"):
			text = "\n" + text
		}
		parts = append(parts, name+": "+text)
	}
	slices.SortStableFunc(parts, func(a, b string) int { return strings.Count(a, "\n") - strings.Count(b, "\n") })
	return visible(strings.Join(parts, "\n"))
}

// Words is what is left out, "" if nothing is.
func (l LeftOut) Words() string {
	return counts([]amount{
		{l.Sessions, "session", "sessions"}, {l.Turns, "turn of others", "turns of others"},
		{l.Verdicts, "verification", "verifications"}, {l.Texts, "text of a call, reply or verification", "texts of calls, replies and verifications"},
	})
}

// Tags are what a person should know of a feature at a glance, for example that
// its verify is flaky; its state says the rest.
func (f *Feature) Tags() []string {
	var tags []string
	for _, m := range f.Marks {
		tag := marked(m.Kind)
		if m.Kind != string(ledger.Unpassed) && m.Kind != string(ledger.Blocked) && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// marked is a kind of event in the words of a mark.
func marked(kind string) string {
	switch ledger.Kind(kind) {
	case ledger.Unpassed:
		return "failed again"
	case ledger.Disputed:
		return "test disputed"
	case ledger.Revised:
		return "test corrected"
	case ledger.Unblocked:
		return "second chance"
	case ledger.PutBack:
		return "put back"
	default:
		return kind
	}
}

// Title is what a job is called: by its name in a batch, else by its spec.
func (j *Job) Title() string { return cmp.Or(j.Name, j.Spec.Name) }

// Anchor is where the job stands on a page.
func (j *Job) Anchor() string { return "job-" + cmp.Or(j.Name, j.ID) }

// Title is what became of all jobs, in a few words.
func (r *Report) Title() string {
	if len(r.Jobs) == 1 {
		j := r.Jobs[0]
		return j.Title() + ": " + j.State + ", " + j.Headline()
	}
	return fmt.Sprintf("%d of %s done", r.Totals.Done, count(len(r.Jobs), "job", "jobs"))
}

// Headline is what became of the job, in a few words.
func (j *Job) Headline() string {
	if len(j.Features) == 0 {
		return "no features planned yet"
	}
	text := fmt.Sprintf("%d of %s proved", j.Passing(), count(len(j.Features), "feature", "features"))
	if n := j.BlockedCount(); n > 0 {
		text += fmt.Sprintf(", %d blocked", n)
	}
	return text
}

// Tone is how good the state is: good, bad, busy, or idle.
func (j *Job) Tone() string {
	switch {
	case j.Sound():
		return "good"
	case j.State == running:
		return "busy"
	case j.State == waiting:
		return "idle"
	default:
		return "bad"
	}
}

// Next is what a person can do now.
func (j *Job) Next() string {
	switch {
	case j.Hint != "":
		return strings.ReplaceAll(j.Hint, " DIR`", " "+j.Dir+"`")
	case j.State == "done" && !j.Sound():
		return "the last proof failed: the same command goes on"
	case j.State == "done":
		return "read the code before you run it: a model wrote it"
	case j.State == running:
		return "`glovebox status " + j.Dir + "` shows where it stands; this report is of " + clock(j.LastEvent) + " UTC"
	default:
		return "the same command goes on"
	}
}

// Missing are the features that are not proved.
func (j *Job) Missing() []*Feature {
	var out []*Feature
	for _, f := range j.Features {
		if f.State != Proved {
			out = append(out, f)
		}
	}
	return out
}

// Cost is what counts as spent, with what of it is only a worst case.
func (j *Job) Cost() string {
	m := j.Money
	text := fmt.Sprintf("%s of at most %s", usd(m.Spent), usd(m.Budget))
	for _, part := range []struct {
		amount decimal.Decimal
		what   string
	}{
		{m.Unsettled, "replies that did not say what they cost"},
		{m.Lost, "requests that were under way when a process died"},
		{m.Reserved, "the request that is under way"},
	} {
		if part.amount.IsPositive() {
			text += fmt.Sprintf("; %s of it is the worst case of %s", usd(part.amount), part.what)
		}
	}
	return text
}

// Scripted says that no model was asked.
func (j *Job) Scripted() bool { return strings.HasPrefix(j.Model, "scripted/") }
