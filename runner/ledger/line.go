package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/plain"
)

// lineWidth is the longest text of a line in runes; time, place and kind stand before it.
const lineWidth = 120

// Line is e as one line for people: the local time, session and turn, and what
// happened. Text of models and boxes in it can do nothing to a terminal.
func Line(e Event) string {
	line := fmt.Sprintf("%s  %-6s %-14s %s", e.Time.Local().Format("Jan _2 15:04:05"), place(e),
		plain.Line(string(e.Kind), 20), plain.Line(what(e), lineWidth))
	return strings.TrimRight(line, " ")
}

// place is session and turn, for example "2.14".
func place(e Event) string {
	switch {
	case e.Session == 0:
		return "-"
	case e.Turn == 0:
		return strconv.Itoa(e.Session)
	default:
		return fmt.Sprintf("%d.%d", e.Session, e.Turn)
	}
}

// boxText names a box, and says so if it had to wait for others to be started.
func boxText(b *BoxInfo) string {
	text := fmt.Sprintf("%s for %s, started in %s", b.ID, b.Purpose, seconds(b.Took))
	if queued := b.Waited - b.Took; queued > time.Second {
		text += fmt.Sprintf(", after %s in the queue for starts", seconds(queued))
	}
	return text
}

// what says what happened; the kind stands before it already.
func what(e Event) string {
	switch {
	case e.Job != nil:
		return jobText(e.Job)
	case e.Box != nil:
		return boxText(e.Box)
	case e.Started != nil, e.Ended != nil:
		return sessionText(e)
	case e.Answer != nil, e.Money != nil:
		return moneyText(e)
	case e.Until != nil:
		return joined("until "+e.Until.Local().Format("Jan 2 15:04"), e.Text)
	case e.Call != nil:
		return fmt.Sprintf("%d %s", e.Call.Number, e.Call.Summary)
	case e.Result != nil:
		return fmt.Sprintf("%d %s: %s (%s)", e.Result.Number, okText(e.Result.OK), e.Result.Summary, seconds(e.Result.Took))
	case e.Verify != nil:
		return verifyText(e)
	case e.List != nil:
		return joined(e.Feature, fmt.Sprintf("%d features: %s", len(e.List.IDs), strings.Join(e.List.IDs, ", ")), byText(e.List), e.Text, e.List.Note)
	case e.Proof != nil:
		return proofText(e.Proof)
	case e.Kind == Unpassed:
		return strings.TrimSpace(e.Feature + " " + e.Text)
	case e.Commit != nil && (e.Kind == CommitStart || e.Kind == CommitEnd): // the message says whose it is
		return strings.Join(strings.Fields(fmt.Sprintf("%.10s %s", e.Commit.Hash, e.Commit.Message)), " ")
	case e.Commit != nil:
		return strings.Join(strings.Fields(fmt.Sprintf("%s %.10s %s", e.Feature, e.Commit.Hash, e.Commit.Message)), " ")
	case e.Branch != nil:
		return fmt.Sprintf("%s, from %.10s", e.Branch.Name, e.Branch.Base)
	case e.End != nil:
		return joined(fmt.Sprintf("%s, exit code %d", e.End.Outcome, e.End.Code), e.End.Reason, e.End.Hint)
	default:
		return strings.TrimSpace(e.Feature + " " + e.Text)
	}
}

// byText is how a list was accepted or changed, and by whom.
func byText(l *ListInfo) string {
	if l.How == "" || l.By == "" {
		return l.How
	}
	return fmt.Sprintf("%s, by %s, hash %.12s", l.How, l.By, l.Hash)
}

func jobText(j *JobInfo) string {
	verb := "begins"
	if j.Resumed {
		verb = "goes on"
	}
	return fmt.Sprintf("%s: %s with %s, image %s, scope %s, budget %s USD", verb, j.Spec, j.Model, j.Image, j.Scope, j.Budget)
}

func sessionText(e Event) string {
	s := e.Started
	if s == nil {
		s = e.Ended
	}
	text := s.Kind
	if e.Feature != "" {
		text += " of " + e.Feature
	}
	if s.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", s.Attempt)
	}
	if e.Ended == nil {
		return text
	}
	return joined(text+", ended by "+s.Ending, s.Status, s.Note)
}

func moneyText(e Event) string {
	if e.Kind == Request {
		return "up to " + usd(e.Money.Reserved) + " reserved"
	}
	if e.Kind == Settled {
		return joined(fmt.Sprintf("event %d cost %s", e.Money.Settles, usd(e.Money.Spent)), e.Text)
	}
	var parts []string
	if a := e.Answer; a != nil {
		parts = append(parts, fmt.Sprintf("%d + %d tokens", a.Prompt, a.Completion))
	}
	if e.Money != nil {
		parts = append(parts, usd(e.Money.Spent))
		if e.Money.Open != "" {
			parts = append(parts, "the worst case until the provider's record is there")
		}
	}
	if a := e.Answer; a != nil {
		parts = append(parts, fmt.Sprintf("%d calls", a.Calls), seconds(a.Took))
		return joined(strings.Join(parts, ", "), a.Text, e.Text)
	}
	return joined(strings.Join(parts, ", "), e.Text)
}

func verifyText(e Event) string {
	v := e.Verify
	if e.Kind == VerifyStart {
		return fmt.Sprintf("%s (%s): %s", e.Feature, v.Why, v.Command)
	}
	verdict := "red"
	if v.Passed {
		verdict = "passes"
	}
	return fmt.Sprintf("%s (%s): %s, exit %d, %s", e.Feature, v.Why, verdict, v.Exit, seconds(v.Took))
}

func proofText(p *ProofInfo) string {
	passed := 0
	for _, r := range p.Features {
		if r.Passed {
			passed++
		}
	}
	text := fmt.Sprintf("%d of %d features %s", passed, len(p.Features), p.Where())
	if a := p.Acceptance; a != nil && !a.Passed {
		text += ", the acceptance test failed"
	} else if a != nil {
		text += ", the acceptance test passed"
	}
	return joined(text, p.Reason)
}

// joined puts the parts that are not empty together.
func joined(parts ...string) string {
	var set []string
	for _, p := range parts {
		if p != "" {
			set = append(set, p)
		}
	}
	return strings.Join(set, "; ")
}

func okText(ok bool) string {
	if ok {
		return "ok"
	}
	return "failed"
}

// usd is an amount without rounding it to nothing.
func usd(d decimal.Decimal) string { return d.String() + " USD" }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
