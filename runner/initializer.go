package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/tool"
)

// plan gets the job a feature list that the host has checked and a person, or
// --yes, has accepted. After a crash it goes on where it stood.
func (j *job) plan(ctx context.Context) error {
	for j.list.Approved == "" {
		if len(j.list.Features) > 0 {
			return j.approve(ctx)
		}
		if j.past.planned >= initializerAttempts {
			return &Error{Outcome: Incomplete,
				Reason: fmt.Sprintf("no usable feature list after %d sessions; the last one was ended by %s", initializerAttempts, j.past.plan),
				Hint:   "try a stronger model, or a specification that says more; `glovebox log DIR` shows what was tried"}
		}
		if err := j.planOnce(ctx); err != nil {
			return err
		}
	}
	return nil
}

// planOnce is one initializer session.
func (j *job) planOnce(ctx context.Context) error {
	if err := j.needSession(); err != nil {
		return err
	}
	if err := j.restore(); err != nil {
		return err
	}
	task, err := j.planTask()
	if err != nil {
		return err
	}
	attempt := j.past.planned + 1
	if err := j.openSession(initializer, feature.Feature{}, attempt); err != nil {
		return err
	}
	s := j.newSession(initializer, feature.Feature{}, initializerTurns(j.state.job.Features), task)
	s.decide = func(ctx context.Context, use tool.Use) (string, *ending, error) { return j.decidePlan(ctx, s, use) }
	end, err := s.run(ctx)
	if err != nil {
		return err
	}
	if end.how != endFinish { // weak models do the work and never say so
		if _, err := j.acceptList(ctx, ""); err != nil {
			return err
		}
	}
	if err := j.closeSession(initializer, feature.Feature{}, attempt, end); err != nil {
		return err
	}
	if len(j.list.Features) == 0 {
		if err := j.commitRest(ctx, "", fmt.Sprintf("Leftovers of session %d (plan), not accepted", j.session)); err != nil {
			return err
		}
	}
	if end.status == tool.StatusBlocked {
		return &Error{Outcome: Incomplete, Reason: "it can't be built here: " + end.note,
			Hint: "an image that has what is missing is chosen with --image"}
	}
	return j.providerEnding(end)
}

// decidePlan answers the initializer's finish.
func (j *job) decidePlan(ctx context.Context, s *session, use tool.Use) (string, *ending, error) {
	end := &ending{how: endFinish, status: use.Status, note: use.Note}
	if use.Status == tool.StatusBlocked {
		return "Noted.", end, nil
	}
	if err := s.renewBoxes(); err != nil {
		return "", nil, err
	}
	problems, err := j.acceptList(ctx, use.Note)
	if err != nil {
		return "", nil, err
	}
	if len(problems) == 0 {
		return "The list is good.", end, nil
	}
	s.rounds++
	if s.rounds >= listRounds {
		return "The list still has faults.", &ending{how: endListRounds, limit: fmt.Sprintf("%d faulty lists", listRounds)}, nil
	}
	return fmt.Sprintf("Not accepted (try %d of %d). Mend all of these, then call finish again:\n%s",
		s.rounds, listRounds, strings.Join(problems, "\n")), nil, nil
}

// acceptList checks what the initializer left in the workspace. Without
// problems the list becomes the job's, and its graders are copied to where no
// box reaches them.
func (j *job) acceptList(ctx context.Context, note string) (problems []string, err error) {
	if err := j.restore(); err != nil {
		return nil, err
	}
	data, err := j.files.read(publicList, listMax)
	if err != nil {
		return []string{listUnreadable(err)}, nil
	}
	list, faults := feature.Parse(data, j.state.job.Features)
	for _, f := range faults {
		problems = append(problems, "- "+f.String())
	}
	problems = append(problems, j.missingGraders(list)...)
	if len(problems) > 0 {
		return problems, nil
	}
	red, planned, problems, err := j.seeRed(ctx, list)
	if v, refused := refusal(feature.Feature{}, err); refused {
		return []string{"- " + v.output}, nil
	}
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	err = j.freeze(list, planned)
	if v, refused := refusal(feature.Feature{}, err); refused {
		return []string{"- " + v.output}, nil
	}
	if err != nil {
		return nil, err
	}
	j.list = feature.State{Features: list, Note: note, Hash: feature.Hash(list), Red: red}
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return nil, err
	}
	return nil, j.record(ledger.Event{Kind: ledger.Listed, Session: j.session, List: j.listInfo()})
}

func listUnreadable(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "- there is no feature_list.json: write it"
	}
	return "- feature_list.json can't be read as a plain file (" + err.Error() + "): write it anew"
}

func (j *job) missingGraders(list feature.List) (problems []string) {
	for _, f := range list {
		for _, name := range f.Frozen {
			if _, err := j.files.read(name, frozenMax); err != nil {
				problems = append(problems, fmt.Sprintf("- %s: frozen names %s, which is not there or no plain file of at most %d KB: write it or take it out of the list", f.ID, name, frozenMax>>10))
			}
		}
	}
	return problems
}

// seeRed runs every verify once, in a new box: a proof that was never seen
// failing proves nothing. All faults of a list are told at once.
func (j *job) seeRed(ctx context.Context, list feature.List) (red map[string]string, planned []treeEntry, problems []string, err error) {
	red = map[string]string{}
	err = j.onCopy(ctx, func(c *checkout) error {
		planned = c.s.entries
		for _, f := range list {
			v, err := j.runVerify(ctx, c, f, whyRedCheck)
			if err != nil {
				return err
			}
			if fault := redFault(f, v); fault != "" {
				problems = append(problems, fmt.Sprintf("- %s: %s. Its verify (%s) printed:\n%s", f.ID, fault, f.Verify, clipEnds(v.output, verifyHead)))
			}
			red[f.ID] = j.clip(lastLine(v.output), 200)
		}
		return nil
	})
	return red, planned, problems, err
}

// redFault says why a verify that should fail for want of the feature fails,
// or passes, for another reason.
func redFault(f feature.Feature, v verdict) string {
	switch {
	case v.passed:
		return "verify passes before anything is built: it proves nothing, or you have built the feature already"
	case v.exit == 126 || v.exit == 127:
		return fmt.Sprintf("verify can't run (exit %d): a command in it is not there", v.exit)
	case v.exit == -1:
		return "verify " + v.how + ": it must end by itself"
	case v.exit == 0:
		return "verify " + v.how
	case strings.Contains(f.Verify, "pytest") && (v.exit == 4 || v.exit == 5):
		return fmt.Sprintf("verify collects no test (pytest exit %d)", v.exit)
	case strings.Contains(f.Verify, "pytest") && v.exit == 2:
		return "the test file can't be loaded (pytest exit 2): it must run and fail, not break"
	default:
		return ""
	}
}

// approve asks for the list to be accepted and commits the plan.
func (j *job) approve(ctx context.Context) error {
	how := "yes-flag"
	if j.o.Approve != nil {
		how = "person"
		if err := j.o.Approve(ctx, slices.Clone(j.list.Features), j.list.Note); err != nil {
			return err
		}
	}
	if err := j.files.write(publicList, feature.Public(j.list.Features), 0o644); err != nil {
		return err
	}
	if err := j.writeNotes(); err != nil {
		return err
	}
	if err := j.ignoreCaches(); err != nil {
		return err
	}
	s, err := j.stage(ctx)
	if err == nil {
		_, err = j.commit(ctx, s, "", fmt.Sprintf("Plan %d features", len(j.list.Features)))
	}
	var refused *refusedTree
	if errors.As(err, &refused) {
		err = j.note("the plan is not committed: " + refused.reason)
	}
	if err != nil {
		return err
	}
	j.list.Approved = how
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return err
	}
	info := j.listInfo()
	info.How = how
	return j.record(ledger.Event{Kind: ledger.Approved, List: info})
}

func (j *job) listInfo() *ledger.ListInfo {
	info := &ledger.ListInfo{Hash: j.list.Hash, Note: j.list.Note}
	for _, f := range j.list.Features {
		info.IDs = append(info.IDs, f.ID)
	}
	return info
}

// ignoreCaches writes a .gitignore if the project has none, so that what
// tools leave behind does not get into commits.
func (j *job) ignoreCaches() error {
	if _, err := j.files.lstat(".gitignore"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := j.o.Prompts.Render("gitignore", nil)
	if err != nil {
		return err
	}
	return j.files.write(".gitignore", []byte(text+"\n"), 0o644)
}
