package runner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// history is what the loop needs to remember of the job's past. It is read
// from the ledger and kept up by every event, so it is the same after a crash.
type history struct {
	sessions int                          // that began
	planned  int                          // initializer sessions that ended
	listed   bool                         // a list passed the checks
	last     map[string]*lastAttempt      // of each feature's last session
	noted    []string                     // a paragraph a session
	commit   string                       // the last one made by the host
	ended    bool                         // no session was begun since a process ended by itself, and put back what it had to
	branch   *ledger.BranchInfo           // that they go on; nil in a repository that the job made
	faults   int                          // sessions in a row that a provider's error ended
	plan     string                       // how the last initializer session ended
	model    string                       // of the last process
	text     bool                         // and whether it called tools in words
	called   bool                         // or at all
	image    string                       // of the last process
	results  map[string]results           // of every verify on every tree, see resultKey
	green    map[string]*lastGreen        // where each feature was last seen to work
	broken   map[string]string            // features that worked, and what is known of their end
	blocked  map[string]*waiting          // features that were blocked
	accept   string                       // hash of the user's own test
	accepted *verdict                     // its last one
	mended   int                          // sessions for it that ended
	made     ledger.CommitInfo            // the same, whole
	agreed   ledger.CommitInfo            // the one that the list was accepted with
	before   map[string]ledger.CommitInfo // the one before a feature's first session
	red      map[string]string            // what each verify printed before the work
}

func (h *history) add(e ledger.Event) {
	switch e.Kind {
	case ledger.JobStart:
		if e.Job != nil && e.Job.Model != h.model {
			h.model, h.text, h.called = e.Job.Model, false, false
		}
		if e.Job != nil && e.Job.ImageID != h.image {
			h.image, h.results = e.Job.ImageID, nil
		}
		if e.Job != nil && e.Job.Accept != h.accept {
			h.accept, h.accepted, h.mended = e.Job.Accept, nil, 0
		}
	case ledger.Listed:
		h.listed = true
	case ledger.CallStart:
		h.called = true
	case ledger.SessionStart:
		h.sessions = max(h.sessions, e.Session)
		h.ended = false
		if _, begun := h.before[e.Feature]; e.Feature != "" && !begun {
			if h.before == nil {
				h.before = map[string]ledger.CommitInfo{}
			}
			h.before[e.Feature] = h.made
		}
	case ledger.JobEnd:
		h.ended = e.End == nil || !e.End.Unrestored
	case ledger.Approved:
		h.agreed = h.made
	case ledger.Remarked:
		h.planned = 0 // another plan, another try
	case ledger.CommitEnd:
		if e.Commit != nil {
			h.made = *e.Commit
			h.keepCommit(e)
		}
	case ledger.Branched:
		h.branch = e.Branch
	case ledger.VerifyEnd:
		if e.Verify != nil {
			h.keepResult(e)
			h.keepGreen(e)
			h.keepAccepted(e)
			h.keepRed(e)
		}
	case ledger.Passed:
		delete(h.broken, e.Feature)
		h.keepBlocked(e)
	case ledger.Blocked, ledger.Unblocked:
		h.keepBlocked(e)
	case ledger.Unpassed:
		if h.broken == nil {
			h.broken = map[string]string{}
		}
		h.broken[e.Feature] = e.Text
	case ledger.SessionEnd:
		if e.Ended != nil {
			h.end(e)
		}
	}
}

// keepRed keeps what a verify printed before the work.
func (h *history) keepRed(e ledger.Event) {
	if e.Verify.Why != whyRedCheck {
		return
	}
	if h.red == nil {
		h.red = map[string]string{}
	}
	h.red[e.Feature] = e.Verify.Output
}

func (h *history) end(e ledger.Event) {
	h.text = e.Ended.Text
	if e.Ended.Ending == endProvider {
		h.faults++
		return // the model had no chance: no attempt is used up
	}
	h.faults = 0
	how := e.Ended.Ending
	if e.Ended.Limit != "" {
		how += " (" + e.Ended.Limit + ")"
	}
	if e.Ended.Kind == initializer && usesAttempt(e.Ended.Ending) {
		h.planned++
		h.plan = how
	}
	if e.Ended.Kind == acceptance && usesAttempt(e.Ended.Ending) {
		h.mended++
	}
	if e.Feature != "" {
		if h.last == nil {
			h.last = map[string]*lastAttempt{}
		}
		h.last[e.Feature] = &lastAttempt{Ending: how, Note: e.Ended.Note}
	}
	if e.Ended.Note != "" {
		h.noted = append(h.noted, fmt.Sprintf("## Session %d: %s\n\n%s\n", e.Session, purpose(e), e.Ended.Note))
	}
}

func purpose(e ledger.Event) string {
	if e.Feature != "" {
		return e.Feature
	}
	if e.Ended.Kind == acceptance {
		return acceptance
	}
	return "plan"
}

// notes is progress.md: what sessions left for those after them. The oldest go
// when it grows too large.
func (h *history) notes() string {
	return tailOf(strings.Join(h.noted, "\n"), notesFile)
}

// writeNotes puts the notes where the model can read them.
func (j *job) writeNotes() error {
	return j.files.write(notesName, j.notes(), 0o644)
}

// notes is the text of progress.md.
func (j *job) notes() []byte { return []byte("# Progress\n\n" + j.past.notes()) }

// providerEnding ends the job after a session that the provider ended, unless
// the fault may be gone in the next one. A provider that has answered nothing
// yet is not tried again: its address or its key is wrong.
func (j *job) providerEnding(end ending) error {
	var over *Error
	switch {
	case errors.As(end.err, &over):
		return over
	case end.err == nil:
		return nil
	case !passing(end.err) || !j.replied:
		return ModelError(end.err)
	case j.past.faults < providerErrors:
		return nil
	}
	e := ModelError(end.err)
	e.Reason = strings.TrimSuffix(fmt.Sprintf("%d sessions in a row ended by a provider's error: %s", providerErrors, e.Reason), ": ")
	return e
}
