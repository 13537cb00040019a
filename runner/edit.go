package runner

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// EditList lets a person change the accepted list of the job in dir, while no
// process works on it. edit gets the list, and what was wrong with its last
// answer, and returns another feature_list.json, nil to leave it as it is. The
// change is in the ledger with who made it. A feature whose verify or frozen
// files changed passes no more; the next run sees its verify red on the
// commit that the list was accepted with, before it counts.
func EditList(dir, person string, redact func(string) string, edit func(list []feature.Feature, problems []string) ([]byte, error)) (changed bool, err error) {
	s, err := reopenState(dir)
	defer s.close()
	if err != nil {
		return false, err
	}
	j := &job{o: Options{Dir: dir, Person: person, Redact: redact}, state: s}
	if err := j.load(); err != nil {
		return false, err
	}
	defer j.ledger.Close()
	if j.list.Approved == "" {
		return false, &Error{Outcome: Usage, Reason: "no list was accepted here yet", Hint: "`glovebox run` shows it and asks; answer edit there"}
	}
	info, err := s.project.Lstat(".")
	if err != nil {
		return false, err
	}
	owner, err := ownerOf(info)
	if err != nil {
		return false, err
	}
	j.files = workspace{root: s.project, owner: owner}
	var problems []string
	for {
		text, err := edit(slices.Clone(j.list.Features), problems)
		if err != nil || text == nil {
			return false, err
		}
		list, faults := feature.ParseStrict(text)
		if problems = texts(faults); len(problems) == 0 {
			problems = append(j.missingGraders(list), j.unguarded(list)...)
		}
		if len(problems) == 0 {
			return true, j.replaceList(list)
		}
	}
}

// reopenState takes the lock of a job that was begun.
func reopenState(dir string) (s *state, err error) {
	root, err := openForReading(dir)
	if err != nil {
		return &state{}, err
	}
	defer root.Close()
	record, err := readJob(root)
	if err != nil {
		return &state{}, err
	}
	text, err := atomicfile.Read(root, specFile, specMax)
	if err != nil {
		return &state{}, err
	}
	return openState(dir, Spec{Name: record.Spec, Text: string(text)}, 0)
}

// replaceList makes an edited list the job's.
func (j *job) replaceList(list feature.List) error {
	was := j.list.Features
	for i := range list {
		f := &list[i]
		at := slices.IndexFunc(was, func(o feature.Feature) bool { return o.ID == f.ID })
		if at >= 0 && was[at].Verify == f.Verify && slices.Equal(was[at].Frozen, f.Frozen) {
			f.Passes, f.Revised = was[at].Passes, was[at].Revised
			if feature.Hash(list[i:i+1]) == feature.Hash(was[at:at+1]) {
				f.Blocked = was[at].Blocked
				continue
			}
		} else {
			j.list.Unseen = append(j.list.Unseen, f.ID)
		}
		delete(j.list.Attempts, f.ID)
		delete(j.list.Disputes, f.ID)
		j.list.Tried = slices.DeleteFunc(j.list.Tried, func(id string) bool { return id == f.ID })
	}
	if err := j.freezeNew(list); err != nil {
		return err
	}
	what := difference(list, was)
	j.list.Features = list
	j.list.Unseen = slices.DeleteFunc(slices.Compact(j.list.Unseen), func(id string) bool {
		return !slices.ContainsFunc(list, func(f feature.Feature) bool { return f.ID == id })
	})
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return err
	}
	if err := j.record(ledger.Event{Kind: ledger.Edited, Text: what, List: j.listInfo(byPerson)}); err != nil {
		return err
	}
	return j.files.write(publicList, feature.Public(list), 0o644)
}

// freezeNew freezes files that were not; those that were stay as they are kept.
// What is new in a directory of tests that was guarded before is none of the
// person's: a session has left it there.
func (j *job) freezeNew(list feature.List) error {
	kept, err := j.frozen()
	if err != nil {
		return err
	}
	files, err := j.plainFiles()
	if err != nil {
		return err
	}
	var asked []string
	for _, f := range list {
		asked = append(asked, f.Frozen...)
	}
	for _, name := range j.files.guards(list, files) {
		if slices.Contains(kept, name) || !slices.Contains(asked, name) && intrudes(name, kept) != "" {
			continue
		}
		if err := j.freezeOne(name); err != nil {
			return err
		}
	}
	return nil
}

// plainFiles are those of the project, without what is installed there.
func (j *job) plainFiles() (names []string, err error) {
	skip := func(at string) bool {
		return at == stateDir || at == ".git" || slices.Contains(installed(), path.Base(at))
	}
	err = walk(context.Background(), j.files.root, skip, func(f found) error {
		if f.info.Mode().IsRegular() {
			names = append(names, f.path)
		}
		return nil
	})
	return names, err
}

// seeEdited runs every verify that a person has changed once on what there was
// before the work. One that passes there proves nothing. Where that state is in no
// commit that can be read, the log says that nothing was seen.
func (j *job) seeEdited(ctx context.Context) error {
	if len(j.list.Unseen) == 0 {
		return nil
	}
	if err := j.restore(); err != nil {
		return err
	}
	var problems []string
	red := map[string]string{}
	there := false
	check := func(c *checkout) error {
		there = true
		for _, f := range j.list.Features {
			if !slices.Contains(j.list.Unseen, f.ID) {
				continue
			}
			v, err := j.runVerify(ctx, c, f, whyRedCheck)
			if err != nil {
				return err
			}
			red[f.ID] = j.clip(lastLine(v.output), 200)
			if fault := redFault(f, v); fault != "" {
				problems = append(problems, strings.TrimSuffix(f.ID+": "+fault+": "+red[f.ID], ": "))
			}
		}
		return nil
	}
	graders, err := j.graders()
	if err != nil {
		return err
	}
	err = j.onCommit(ctx, j.past.agreed, graders, check)
	switch v, refused := refusal(feature.Feature{}, err); {
	case refused && there:
		problems, err = append(problems, v.output), nil
	case refused:
		// Without git, say: no other edit would help, and the person vouches for this one.
		err = j.note("the changed proofs of " + strings.Join(j.list.Unseen, ", ") + " were not seen failing: " + v.output)
	}
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return &Error{Outcome: Usage, Reason: "the edited list proves nothing: " + clip(strings.Join(problems, "; "), errorKept),
			Hint: "change it with `glovebox features DIR edit`; the same command goes on then"}
	}
	if j.list.Red == nil {
		j.list.Red = map[string]string{}
	}
	for id, line := range red {
		j.list.Red[id] = line
	}
	j.list.Unseen = nil
	return j.list.Save(j.state.root, featuresFile)
}
