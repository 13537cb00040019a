package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/tool"
)

// revisionDir is the copy of the project that a revision session works in:
// what it changes there besides the test reaches nothing.
const revisionDir = "revision"

// givenUp says why no further session should try f, "" if one may: the model
// disputes its test, or it had its chances.
func (j *job) givenUp(f feature.Feature, v verdict) string {
	if why := j.list.Disputes[f.ID]; why != "" {
		return why
	}
	if attempts := j.list.Attempts[f.ID]; attempts >= codingAttempts {
		return fmt.Sprintf("%d sessions did not make it pass; verify %s:\n%s", attempts, v.how, tailOf(strings.TrimSpace(v.output), blockedOutput))
	}
	return ""
}

// disputes says that a blocked session's reason is about the test.
func disputes(f feature.Feature, reason string) bool {
	reason = strings.ToLower(reason)
	words := []string{"test", "verify", "assert"}
	for _, name := range f.Frozen {
		words = append(words, strings.ToLower(path.Base(name)))
	}
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(reason, w) })
}

// dispute keeps that the model disputes f's test, until it is settled.
func (j *job) dispute(f feature.Feature, reason string) error {
	if j.list.Disputes == nil {
		j.list.Disputes = map[string]string{}
	}
	j.list.Disputes[f.ID] = j.clip(reason, noteBytes)
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Disputed, Session: j.session, Feature: f.ID, Text: j.list.Disputes[f.ID]})
}

// settle decides about a feature that is given up. Once a feature its test may
// be revised: by itself where the list was accepted unseen, and where a person
// has accepted it only if that person says so now.
func (j *job) settle(ctx context.Context, f feature.Feature, why string, red verdict) (revised bool, err error) {
	if slices.Contains(j.list.Tried, f.ID) || len(j.ownGraders(f)) == 0 || !j.inventory.Git {
		return false, nil
	}
	if j.list.Approved != byFlag {
		if j.o.Dispute == nil {
			return false, nil
		}
		if allowed, err := j.o.Dispute(ctx, f, why, red.output); err != nil || !allowed {
			return false, err
		}
	}
	return j.revise(ctx, f, why, red)
}

// ownGraders are f's frozen files by which no other feature is judged.
func (j *job) ownGraders(f feature.Feature) (names []string) {
	for _, name := range f.Frozen {
		shared := slices.ContainsFunc(j.list.Features, func(other feature.Feature) bool {
			return other.ID != f.ID && slices.Contains(other.Frozen, name)
		})
		if !shared {
			names = append(names, name)
		}
	}
	return names
}

// revise is one session in the initializer's role that may correct f's test.
func (j *job) revise(ctx context.Context, f feature.Feature, why string, red verdict) (revised bool, err error) {
	if err := j.needSession(); err != nil {
		return false, err
	}
	task, err := j.o.Prompts.Render(revision, map[string]any{"Spec": headOf(j.o.Spec.Text, specInPlan), "Feature": f, "Why": why,
		"Red": clipEnds(strings.TrimSpace(red.output), verifyPrompt), "Files": j.ownGraders(f)})
	if err != nil {
		return false, err
	}
	staged, err := j.stage(ctx)
	var copied *checkout
	if err == nil {
		copied, err = j.newCheckout(ctx, revisionDir, staged, j.files)
	}
	if _, refused := refusal(f, err); refused {
		return false, nil // there is no telling what the session would look at
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, copied.close(j)) }()
	if err := j.openSession(revision, f, 1); err != nil {
		return false, err
	}
	s := j.newSessionIn(copied, revision, f, revisionTurns, task)
	s.decide = func(ctx context.Context, use tool.Use) (string, *ending, error) {
		answer, end, err := j.decideRevision(ctx, s, use)
		revised = revised || end != nil && err == nil && end.status == tool.StatusDone
		return answer, end, err
	}
	end, err := s.run(ctx)
	if err != nil {
		return false, err
	}
	if usesAttempt(end.how) {
		j.list.Tried = append(j.list.Tried, f.ID)
		if err := j.list.Save(j.state.root, featuresFile); err != nil {
			return false, err
		}
	}
	if err := j.closeSession(revision, f, 1, end); err != nil {
		return false, err
	}
	if err := j.writeNotes(); err != nil {
		return false, err
	}
	if err := j.providerEnding(end); err != nil {
		return revised, err
	}
	return revised, j.mayGoOn()
}

// decideRevision answers the finish of a revision: the corrected test counts if
// the host sees it fail on what there was before the feature's work.
func (j *job) decideRevision(ctx context.Context, s *session, use tool.Use) (string, *ending, error) {
	end := &ending{how: endFinish, status: use.Status, note: use.Note}
	if use.Status == tool.StatusBlocked {
		return "Noted.", end, nil
	}
	if err := s.renewBoxes(); err != nil {
		return "", nil, err
	}
	changed, steps, fault := j.readRevision(s)
	if fault == "" {
		frozen, err := j.frozen()
		if err != nil {
			return "", nil, err
		}
		fault = unguardedRevision(s.feature, changed, frozen)
	}
	if fault == "" {
		red, err := j.seeRevisedRed(ctx, s.feature, changed)
		if v, refused := refusal(s.feature, err); refused {
			return "", &ending{how: endFinish, status: tool.StatusBlocked, note: v.output}, nil
		}
		if err != nil {
			return "", nil, err
		}
		if fault = redFault(s.feature, red); fault == "" {
			return "The corrected test counts from now on.", end, j.takeRevision(s.feature, changed, steps, use.Note, red)
		}
		fault = "on the program as it was before this feature, " + fault + ". It printed:\n" + clipEnds(red.output, verifyHead)
	}
	if s.rounds++; s.rounds >= redFinishes {
		return fault, &ending{how: endRedFinishes, note: use.Note, limit: fmt.Sprintf("%d revisions that were not taken", redFinishes)}, nil
	}
	return fmt.Sprintf("Not accepted (try %d of %d): %s", s.rounds, redFinishes, fault), nil, nil
}

// readRevision takes from the session's copy what it may change: the feature's
// own frozen files and its steps. Nothing else of the copy is looked at.
func (j *job) readRevision(s *session) (changed []grader, steps []string, fault string) {
	for _, name := range j.ownGraders(s.feature) {
		data, err := s.copy.files.read(name, frozenMax)
		if err != nil {
			return nil, nil, fmt.Sprintf("%s is not there or no plain file of at most %d KB", name, frozenMax>>10)
		}
		kept, err := j.grader(name)
		if err == nil && bytes.Equal(kept.data, data) {
			continue
		}
		changed = append(changed, grader{path: name, data: data, perm: kept.perm})
	}
	if len(changed) == 0 {
		return nil, nil, "the test is as it was; correct it, or finish blocked if it is right"
	}
	data, err := s.copy.files.read(publicList, listMax)
	if err != nil {
		return changed, s.feature.Steps, ""
	}
	list, _ := feature.Parse(data, feature.AnyNumber)
	steps = s.feature.Steps
	for _, f := range list {
		if f.ID == s.feature.ID {
			steps = f.Steps
		}
	}
	return changed, steps, ""
}

// unguardedRevision says what corrected tests take over that a builder can change.
func unguardedRevision(f feature.Feature, changed []grader, frozen []string) string {
	var problems []string
	for _, g := range changed {
		if isShell(g.path) {
			problems = append(problems, unfrozenSources(f.ID, g.path, string(g.data), frozen)...)
		}
	}
	return strings.Join(problems, "\n")
}

// seeRevisedRed runs a feature's verify with its corrected test on the commit
// before the feature's first session.
func (j *job) seeRevisedRed(ctx context.Context, f feature.Feature, changed []grader) (v verdict, err error) {
	graders, err := j.graders()
	if err != nil {
		return v, err
	}
	graders = append(graders, changed...) // the later of a name counts
	err = j.onCommit(ctx, j.past.before[f.ID], graders, func(c *checkout) error {
		v, err = j.runVerify(ctx, c, f, whyRedCheck)
		return err
	})
	return v, err
}

// takeRevision makes a corrected test the feature's grader and gives the
// builders new tries. It passes no more until they have shown that it does.
func (j *job) takeRevision(f feature.Feature, changed []grader, steps []string, reason string, red verdict) error {
	delete(j.list.Attempts, f.ID)
	delete(j.list.Disputes, f.ID)
	if j.list.Red == nil {
		j.list.Red = map[string]string{}
	}
	j.list.Red[f.ID] = j.clip(lastLine(red.output), 200)
	err := j.update(f.ID, func(f *feature.Feature) { f.Steps, f.Passes, f.Blocked, f.Revised = steps, false, false, true })
	if err != nil {
		return err
	}
	// After the mark: a crash must not leave a revised test without it.
	var names []string
	for _, g := range changed {
		if err := j.keepGrader(g); err != nil {
			return err
		}
		if err := j.files.write(g.path, g.data, g.perm); err != nil {
			return err
		}
		names = append(names, g.path)
	}
	return j.record(ledger.Event{Kind: ledger.Revised, Session: j.session, Feature: f.ID,
		Text: j.clip(strings.Join(names, ", ")+": "+reason, noteBytes), List: j.listInfo("")})
}
