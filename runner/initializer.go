package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/tool"
)

// plan gets the job a feature list that the host has checked and a person, or
// --yes, has accepted. After a crash it goes on where it stood.
func (j *job) plan(ctx context.Context) error {
	if err := j.takeSignedOff(); err != nil {
		return err
	}
	if j.list.Approved == "" {
		if err := j.loadOld(); err != nil {
			return err
		}
	}
	for j.list.Approved == "" {
		if len(j.list.Features) > 0 && j.list.Remark == "" {
			if err := j.approve(ctx); err != nil {
				return err
			}
			continue
		}
		if j.past.planned >= initializerAttempts {
			return &Error{Outcome: Incomplete,
				Reason: fmt.Sprintf("no usable feature list after %d sessions; the last one was ended by %s%s", initializerAttempts, j.past.plan, j.lastFault),
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
	s := j.newSession(initializer, feature.Feature{}, initializerTurns(max(j.state.job.Features, j.wanted())), task)
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
	list, faults := feature.Parse(data, j.wanted())
	problems = texts(faults)
	if len(problems) == 0 {
		problems = j.unlikeOld(list)
	}
	if len(problems) == 0 {
		problems, err = j.takeList(ctx, list, j.withLeftOut(list, note), "")
	}
	if len(problems) > 0 {
		j.lastFault = "; the list had faults to the end: " + clip(firstLine(strings.TrimPrefix(problems[0], "- ")), 200)
	}
	return problems, err
}

// takeList makes a list the job's, if its graders are there and every verify is
// seen failing. how is by whom it was changed, "" is the initializer itself.
func (j *job) takeList(ctx context.Context, list feature.List, note, how string) (problems []string, err error) {
	if problems := append(j.missingGraders(list), j.unguarded(list)...); len(problems) > 0 {
		return problems, nil
	}
	red, planned, problems, err := j.seeRed(ctx, list)
	if v, refused := refusal(feature.Feature{}, err); refused {
		return []string{"- " + v.output}, nil
	}
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	files := plainPaths(planned)
	if problems := append(linkedGraders(planned, j.files.guards(list, files)), replaced(files, list)...); len(problems) > 0 {
		return problems, nil
	}
	err = j.freeze(list, planned)
	if v, refused := refusal(feature.Feature{}, err); refused {
		return []string{"- " + v.output}, nil
	}
	if err != nil {
		return nil, err
	}
	j.list = feature.State{Features: list, Note: note, Red: red}
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return nil, err
	}
	return nil, j.record(ledger.Event{Kind: ledger.Listed, Session: j.session, List: j.listInfo(how)})
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
