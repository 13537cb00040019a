package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// What stands before the text of a milestone, in columns: two blanks, the
// time, two blanks, the word, a blank.
const (
	wordColumns   = 8
	beforeText    = 2 + 5 + 2 + wordColumns + 1
	maxTextLines  = 4  // of a milestone
	leastTextWide = 30 // columns, on however narrow a terminal
)

// milestone is the permanent text for an event, if it deserves one. Without a
// terminal there is no live line, so calls get a line too: a build log that is
// silent for minutes looks dead.
func (p *progress) milestone(e ledger.Event) (string, bool) {
	c, word, text := p.describe(e)
	if word == "" {
		return "", false
	}
	lines := wrap(text, max(p.screen.columns()-beforeText-1, leastTextWide))
	if e.Kind == ledger.CallStart && len(lines) > 1 {
		lines = []string{cut(text, width(lines[0]))}
	}
	if len(lines) > maxTextLines {
		lines = append(lines[:maxTextLines-1], lines[maxTextLines-1]+" ...")
	}
	first := "  " + p.clock(e.Time) + "  " + p.screen.paint(c, pad(word, wordColumns)) + " "
	return strings.TrimRight(first+strings.Join(lines, "\n"+strings.Repeat(" ", beforeText)), " "), true
}

// describe is an event in a word and a plain text; no word means no line.
func (p *progress) describe(e ledger.Event) (c colour, word, text string) {
	switch e.Kind {
	case ledger.JobStart:
		if e.Job != nil && e.Job.Resumed {
			return noColour, "resumed", "job " + plain(e.Job.ID) + " goes on where it stopped"
		}
	case ledger.SessionStart:
		return noColour, "session", p.sessionText(e)
	case ledger.SessionEnd:
		return sessionEndText(e)
	case ledger.Waiting:
		if e.Until != nil {
			return yellow, "waiting", join("until "+localTime(*e.Until), e.Text)
		}
	case ledger.Failed:
		return yellow, "model", plain(e.Text)
	case ledger.CallStart:
		if !p.screen.live && e.Call != nil {
			return dim, "call " + fmt.Sprint(e.Call.Number), callText(e.Call)
		}
	case ledger.CallEnd:
		if e.Result != nil && len(e.Result.Limits) > 0 {
			return yellow, "limit", limitsText(e.Result.Limits)
		}
	case ledger.VerifyEnd:
		return verdictText(e)
	case ledger.Listed:
		if e.List != nil {
			return noColour, "planned", plain(strings.Join(e.List.IDs, ", "))
		}
	case ledger.Remarked:
		return noColour, "again", plain(e.Text)
	case ledger.Edited:
		return yellow, "edited", plain(e.Text)
	case ledger.Approved:
		if e.List != nil {
			return noColour, "accepted", howAccepted(e.List.How)
		}
	case ledger.Branched:
		if e.Branch != nil && e.Branch.Name != "" {
			return noColour, "branch", plain(e.Branch.Name) + " " + strings.TrimSpace("from "+shortHash(e.Branch.Base)+" "+plain(e.Branch.From))
		}
	case ledger.CommitEnd:
		if e.Commit != nil && e.Commit.Hash != p.commit { // nothing new to commit gives the same one again
			p.commit = e.Commit.Hash
			return noColour, "commit", shortHash(e.Commit.Hash) + " " + plain(e.Commit.Message)
		}
	case ledger.Passed:
		return green, "passed", plain(e.Feature)
	case ledger.PutBack:
		return yellow, "put back", putBackMilestone(e)
	case ledger.Disputed:
		return yellow, "disputed", join(e.Feature, e.Text)
	case ledger.Revised:
		return yellow, "revised", join(e.Feature, e.Text)
	case ledger.Blocked:
		return yellow, "blocked", join(e.Feature, e.Text)
	case ledger.Unpassed:
		return red, "broken", join(e.Feature, e.Text)
	case ledger.Unblocked:
		return noColour, "again", join(e.Feature, e.Text)
	case ledger.Flaky:
		return yellow, "flaky", join(e.Feature, e.Text)
	case ledger.Proved:
		return provedText(e.Proof)
	case ledger.Note:
		return dim, "note", plain(e.Text)
	}
	return noColour, "", ""
}

func putBackMilestone(e ledger.Event) string {
	text := plain(e.Text) + ", which a session had changed"
	if e.Aside != "" {
		text += "; what it was is in " + plain(e.Aside)
	}
	return text
}

func (p *progress) sessionText(e ledger.Event) string {
	text := fmt.Sprintf("%d", e.Session)
	if e.Started == nil {
		return text
	}
	text += " " + plain(e.Started.Kind)
	if e.Feature != "" {
		text += " " + plain(e.Feature)
	}
	if e.Started.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", e.Started.Attempt)
	}
	return text
}

// sessionEndText names what ended a session, unless it was the model's word that it is done.
func sessionEndText(e ledger.Event) (colour, string, string) {
	s := e.Ended
	if s == nil || s.Ending == "finish" && s.Status != "blocked" {
		return noColour, "", ""
	}
	text := fmt.Sprintf("%d ended: %s", e.Session, plain(s.Ending))
	if s.Status == "blocked" {
		text = fmt.Sprintf("%d: the model is blocked", e.Session)
	}
	if s.Note != "" {
		text += ": " + plain(s.Note)
	}
	if s.Limit != "" {
		text += ": " + plain(s.Limit)
	}
	return yellow, "session", text
}

// limitsText names limits that were hit, and the flags that change them.
func limitsText(limits []ledger.LimitInfo) string {
	var texts []string
	for _, l := range limits {
		text := plain(l.Words)
		if flag := limitFlag(l.Name); flag != "" {
			text += " (" + flag + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

// limitFlag is the flag that changes a limit, "" if none does.
func limitFlag(name string) string {
	switch sandbox.Limit(name) {
	case sandbox.LimitMemory, sandbox.LimitTemp, sandbox.LimitShared: // half of the memory is the most that /tmp and /dev/shm may hold
		return "--memory"
	case sandbox.LimitPIDs:
		return "--pids"
	case sandbox.LimitDisk, sandbox.LimitFiles, sandbox.LimitUnseen, sandbox.LimitFileSize:
		return "--disk"
	case sandbox.LimitTime:
		return "--timeout"
	default:
		return ""
	}
}

// verdictText shows a verification that is red, and a first one that should have been.
func verdictText(e ledger.Event) (colour, string, string) {
	c, word, text := verdictOf(e)
	if e.Verify != nil && len(e.Verify.Limits) > 0 && word != "" {
		text += " [" + limitsText(e.Verify.Limits) + "]"
	}
	return c, word, text
}

func verdictOf(e ledger.Event) (colour, string, string) {
	v := e.Verify
	switch {
	case v != nil && v.Why == "acceptance" && v.Passed:
		return green, "accepted", "by your acceptance test"
	case v != nil && v.Why == "acceptance":
		return red, "red", join("your acceptance test "+plain(e.Text), lastLine(v.Output))
	case v != nil && v.Why == "without-work" && v.Passed:
		return red, "red", join(e.Feature, "it passes without the work too")
	case v == nil || v.Passed || v.Why == "without-work":
		return noColour, "", ""
	case v.Why == "red-check":
		return dim, "red", join(e.Feature, "as it must be before it is built: "+lastLine(v.Output))
	case v.Why == "before-session" || v.Why == "again": // "flaky" says it
		return noColour, "", ""
	case v.Why == "regression" || v.Why == "baseline":
		return red, "red", join(e.Feature, "it passed before: "+lastLine(v.Output))
	default:
		return red, "red", join(e.Feature, fmt.Sprintf("exit %d: %s", v.Exit, lastLine(v.Output)))
	}
}

// provedText is the proof of everything at the end.
func provedText(p *ledger.ProofInfo) (colour, string, string) {
	switch {
	case p == nil:
		return noColour, "", ""
	case p.Passed():
		return green, "proved", plain(proofText(p))
	default:
		return red, "unproved", plain(proofText(p))
	}
}

// howAccepted says who accepted a list.
func howAccepted(how string) string {
	switch how {
	case "yes-flag":
		return "as it is (--yes)"
	case "person":
		return "by you"
	case "file":
		return "as it was signed off (--approve)"
	default:
		return plain(how)
	}
}

// join is two plain texts with a colon, or the one that is there.
func join(a, b string) string {
	a, b = plain(a), plain(b)
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}

// localTime is a time within days, for people.
func localTime(t time.Time) string { return t.Local().Format("Mon 2 Jan 15:04") }

// shortHash is a commit as git shows it.
func shortHash(hash string) string {
	hash = plain(hash)
	return hash[:min(7, len(hash))]
}
