package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
)

// over is the limit that ends the session before its next turn, nil if none does.
func (s *session) over() *ending {
	switch patience := s.job.patience(); {
	case patience > 0 && s.silent >= silentReplies*patience:
		return &ending{how: endSilent, limit: fmt.Sprintf("%d replies in a row without a call (--loop)", s.silent)}
	case s.faulty >= faultyCommands:
		return &ending{how: endFormat, limit: fmt.Sprintf("%d replies in a row without a command that could be read (--tools)", s.faulty)}
	case s.cut >= cutReplies:
		return &ending{how: endOutputLimit, limit: fmt.Sprintf("%d replies in a row cut at %d tokens (%s)", s.cut, s.cutAt, s.whyCut())}
	default:
		return s.job.usedUp()
	}
}

// whyCut is what has bounded the last reply that was cut.
func (s *session) whyCut() string {
	if s.cutAt < s.maxTokens {
		return "--budget or the model's window has no room for more"
	}
	return "--max-tokens"
}

// usedUp is the limit of this process, or of the job, that is used up. The
// session under way ends, is verified like any other, and uses up no attempt.
func (j *job) usedUp() *ending {
	if end := j.noMoreCalls(); end != nil {
		return end
	}
	switch used := j.tokens(); {
	case j.o.MaxJobTokens > 0 && used >= j.o.MaxJobTokens:
		return &ending{how: endTokens, limit: fmt.Sprintf("%d of %d tokens of the job are used (--max-job-tokens)", used, j.o.MaxJobTokens)}
	case j.o.MaxJobTokens > 0 && j.uncounted:
		return &ending{how: endTokens, limit: "the provider does not say how many tokens a reply took (--max-job-tokens)"}
	default:
		return nil
	}
}

// noMoreCalls is the limit that forbids a further call, though it may have been
// paid for: tokens are used up only for the next request.
func (j *job) noMoreCalls() *ending {
	switch {
	case j.late():
		return &ending{how: endTime, limit: fmt.Sprintf("%s of this run are over (--max-time)", inWords(j.o.MaxTime))}
	case j.callsLeft() <= 0:
		return &ending{how: endCalls, limit: fmt.Sprintf("%d calls of this run are done (--max-calls)", j.o.MaxCalls)}
	default:
		return nil
	}
}

// mayGoOn ends the job when a limit of it is used up.
func (j *job) mayGoOn() error {
	end := j.usedUp()
	if end == nil {
		return nil
	}
	hint := "the same command goes on"
	if end.how == endTokens {
		hint = "the same command with a higher --max-job-tokens, or without it, goes on"
	}
	return &Error{Outcome: Incomplete, Reason: end.limit, Hint: hint}
}

// needSession ends the job when this process may begin no further session.
func (j *job) needSession() error {
	if j.o.MaxSessions > 0 && j.sessionsLeft <= 0 {
		return &Error{Outcome: Incomplete, Reason: fmt.Sprintf("%d sessions are over (--max-iterations)", j.o.MaxSessions),
			Hint: "the same command goes on"}
	}
	return j.mayGoOn()
}

// usesAttempt says that a session which ended so had its chance.
func usesAttempt(how string) bool {
	switch how {
	case endProvider, endTime, endCalls, endTokens:
		return false
	default:
		return true
	}
}

// turnsOf is how many turns a session may have, and by which flag.
func (j *job) turnsOf(usual int) int {
	if j.o.MaxTurns > 0 {
		return j.o.MaxTurns
	}
	return usual
}

// patience is the factor of the loop detector's thresholds, 0 if it is off.
func (j *job) patience() int {
	if j.o.Loop == 0 {
		return 1
	}
	return max(j.o.Loop, 0)
}

// callsLeft is how many calls this process may still execute.
func (j *job) callsLeft() int {
	if j.o.MaxCalls <= 0 {
		return callsPerReply
	}
	return j.o.MaxCalls - j.calls
}

// tokens are those of the whole job, as the provider counts them.
func (j *job) tokens() int {
	t := j.ledger.Totals()
	return t.Prompt + t.Completion
}

// affords says that the worst case of r fits into what is left of the budget.
func (j *job) affords(r model.Request) bool {
	left := j.o.Budget.Sub(j.ledger.Totals().Spent())
	return j.o.ModelInfo.Price.WorstCase(r).LessThanOrEqual(left)
}

// late says that this process's time is over.
func (j *job) late() bool { return !j.deadline.IsZero() && !time.Now().Before(j.deadline) }

// timed is ctx up to the end of this process's time: for what a model does,
// not for the host's own work after it.
func (j *job) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if j.deadline.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, j.deadline)
}

// stopped says that err is the end of this process's time, in the middle of a
// request or a call.
func (j *job) stopped(ctx context.Context, err error) bool {
	return ctx.Err() == nil && j.late() && errors.Is(err, context.DeadlineExceeded)
}

// inWords is a time without parts that are nothing: 8h, not 8h0m0s.
func inWords(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
