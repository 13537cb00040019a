package runner

import (
	"context"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/tool"
)

// finalRounds is how often all features may look green one by one and not
// together before the job says so.
const finalRounds = 3

// turnsOfList is how often each feature may come up for work on average:
// sessions are limited by themselves, this limits features that break each
// other without any.
const turnsOfList = 10

// build works on the features, in the order of the list, until all pass and
// have passed once more together, with the user's own test, or something ends
// the job.
func (j *job) build(ctx context.Context) error {
	for rounds := 0; rounds < finalRounds; {
		if err := j.buildEach(ctx); err != nil {
			return err
		}
		if err := j.blockedEnding(); err != nil {
			return err
		}
		proof, err := j.verifyFinally(ctx)
		if err != nil || proof.Passed() {
			return err
		}
		if proof.Acceptance == nil {
			rounds++ // a feature has failed
		} else if err := j.mendAcceptance(ctx); err != nil {
			return err
		}
	}
	return unreliable()
}

// buildEach makes every feature pass or be blocked.
func (j *job) buildEach(ctx context.Context) error {
	blockedNow := 0
	for range turnsOfList * len(j.list.Features) {
		f, ok := j.next()
		if !ok {
			var err error
			if f, ok, err = j.secondChance(); err != nil || !ok {
				return err
			}
		}
		blocked, err := j.buildFeature(ctx, f)
		if err != nil {
			return err
		}
		if !blocked {
			blockedNow = 0
			continue
		}
		if blockedNow++; blockedNow >= blockedInRow {
			return &Error{Outcome: Incomplete, Reason: fmt.Sprintf("%d features in a row are blocked", blockedNow),
				Hint: "`glovebox status DIR` says why"}
		}
	}
	return unreliable()
}

// unreliable ends a job whose features take turns in failing.
func unreliable() error {
	return &Error{Outcome: Incomplete, Reason: "features that passed one by one fail together",
		Hint: "`glovebox log DIR` shows which; a verify command may be unreliable"}
}

// blockedEnding ends a job in which nothing is left to do but blocked features.
func (j *job) blockedEnding() error {
	var ids []string
	for _, f := range j.list.Features {
		if f.Blocked {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return &Error{Outcome: Incomplete, Reason: "blocked: " + strings.Join(ids, ", "),
		Hint: "`glovebox log DIR` shows what was tried"}
}

// buildFeature gives sessions to one feature until it passes or is blocked, or
// until another one needs work first.
func (j *job) buildFeature(ctx context.Context, f feature.Feature) (blocked bool, err error) {
	for {
		v, broken, err := j.prove(ctx, f, whyBefore)
		if err != nil {
			return false, err
		}
		// Building another feature often makes this one green: no session is
		// needed. What is broken already is not the next session's doing, and
		// comes first.
		if v.passed || len(broken) > 0 {
			return false, j.unpassAll(broken, "before the session for "+f.ID)
		}
		if why := j.givenUp(f, v); why != "" {
			revised, err := j.settle(ctx, f, why, v)
			if err != nil {
				return false, err
			}
			if !revised {
				delete(j.list.Disputes, f.ID)
				if err := j.block(f, why); err != nil {
					return true, err
				}
				return true, j.commitRest(ctx, "", f.ID+": blocked")
			}
			f, _ = feature.Find(j.list.Features, f.ID)
			continue
		}
		passed, blocked, err := j.buildOnce(ctx, f, v)
		if err != nil || passed || blocked {
			return blocked, err
		}
		if next, _ := j.next(); next.ID != f.ID {
			return false, nil // the session broke it
		}
	}
}

// buildOnce is one coding session and the host's verdict after it.
func (j *job) buildOnce(ctx context.Context, f feature.Feature, red verdict) (passed, blocked bool, err error) {
	if err := j.needSession(); err != nil {
		return false, false, err
	}
	if err := j.restore(); err != nil {
		return false, false, err
	}
	task, err := j.codingTask(ctx, f, red)
	if err != nil {
		return false, false, err
	}
	attempt := j.list.Attempts[f.ID] + 1
	if err := j.openSession(coding, f, attempt); err != nil {
		return false, false, err
	}
	s := j.newSession(coding, f, codingTurns, task)
	s.decide = func(ctx context.Context, use tool.Use) (string, *ending, error) { return j.decideCoding(ctx, s, use) }
	end, err := s.run(ctx)
	if err != nil {
		return false, false, err
	}
	passed = end.how == endFinish && end.status == tool.StatusDone
	if !passed { // whatever ended it, the machine decides
		if passed, err = j.proveAtEnd(ctx, f); err != nil {
			return false, false, err
		}
	}
	return j.afterSession(ctx, f, attempt, end, passed)
}

// afterSession keeps what came of a session.
func (j *job) afterSession(ctx context.Context, f feature.Feature, attempt int, end ending, passed bool) (_, blocked bool, err error) {
	if usesAttempt(end.how) {
		if err := j.countAttempt(f, attempt); err != nil {
			return false, false, err
		}
	}
	if passed && end.note == "" {
		end.note = "ended by " + end.how + "; verified"
	}
	if err := j.closeSession(coding, f, attempt, end); err != nil {
		return false, false, err
	}
	if err := j.writeNotes(); err != nil {
		return false, false, err
	}
	if !passed && end.status == tool.StatusBlocked && disputes(f, end.note) {
		if err := j.dispute(f, end.note); err != nil {
			return false, false, err
		}
	} else if !passed && end.status == tool.StatusBlocked {
		if err := j.block(f, end.note); err != nil {
			return false, false, err
		}
		blocked = true
	}
	if err := j.commitRest(ctx, "", fmt.Sprintf("Record session %d (%s)", j.session, f.ID)); err != nil {
		return false, false, err
	}
	if err := j.providerEnding(end); err != nil || passed {
		return passed, blocked, err
	}
	return passed, blocked, j.mayGoOn()
}

func (j *job) countAttempt(f feature.Feature, attempt int) error {
	if j.list.Attempts == nil {
		j.list.Attempts = map[string]int{}
	}
	j.list.Attempts[f.ID] = attempt
	return j.list.Save(j.state.root, featuresFile)
}

// decideCoding answers a coding session's finish: done is what the host sees,
// not what the model says.
func (j *job) decideCoding(ctx context.Context, s *session, use tool.Use) (string, *ending, error) {
	f := s.feature
	if use.Status == tool.StatusBlocked {
		if !s.verified {
			s.verified = true // said once; weak models give up at their third turn
			return prompts.Message("E9", map[string]any{"Verify": f.Verify}), nil, nil
		}
		return "Noted.", &ending{how: endFinish, status: use.Status, note: use.Note}, nil
	}
	if err := s.renewBoxes(); err != nil {
		return "", nil, err
	}
	v, broken, err := j.prove(ctx, f, whyFinish)
	if err != nil {
		return "", nil, err
	}
	if v.passed && len(broken) == 0 {
		return "Verified.", &ending{how: endFinish, status: use.Status, note: use.Note}, nil
	}
	if v.passed {
		v = broken[0]
	}
	s.verified = true
	s.rounds++
	text := redMessage(f, v, s.rounds)
	if s.rounds >= redFinishes {
		return text, &ending{how: endRedFinishes, note: use.Note, limit: fmt.Sprintf("%d finishes with a red verify", redFinishes)}, nil
	}
	return text, nil, nil
}

// redMessage is what the model is told of a verdict that is no pass.
func redMessage(f feature.Feature, v verdict, try int) string {
	name := "E10"
	if v.feature.ID != f.ID {
		name = "E10-regression"
	}
	return prompts.Message(name, map[string]any{"Feature": v.feature.ID, "How": v.how, "Verify": v.feature.Verify,
		"Try": try, "Tries": redFinishes, "Output": clipEnds(v.output, verifyShown)})
}

// proveAtEnd is the verdict on a session that did not end with a proven
// finish. Features that it broke don't pass any more.
func (j *job) proveAtEnd(ctx context.Context, f feature.Feature) (bool, error) {
	v, broken, err := j.prove(ctx, f, whyEnd)
	if err != nil {
		return false, err
	}
	if v.passed && len(broken) == 0 {
		return true, nil
	}
	if err := j.commitRest(ctx, f.ID, fmt.Sprintf("%s: leftovers of session %d, not verified", f.ID, j.session)); err != nil {
		return false, err
	}
	return false, j.unpassAll(broken, "after the session for "+f.ID)
}

// block takes a feature out of the work, with the reason.
func (j *job) block(f feature.Feature, why string) error {
	if err := j.update(f.ID, func(f *feature.Feature) { f.Blocked = true }); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Blocked, Session: j.session, Feature: f.ID, Text: j.clip(why, noteBytes)})
}
