package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// How a list was accepted, in the state and in the ledger.
const (
	byFlag   = "yes-flag"
	byPerson = "person"
	byFile   = "file"
)

// Proposal is a feature list that waits to be accepted by a person.
type Proposal struct {
	Features []feature.Feature
	Note     string            // what the list does not cover, in the initializer's words
	Red      map[string]string // the last line that each verify printed when it was seen failing, by feature
	Output   map[string]string // and more of it
	Problems []string          // why the list of the last [Answer] was not taken; Features are those before it
}

// Answer is what a person says of a [Proposal]. The zero Answer accepts it.
type Answer struct {
	// List is a feature_list.json to take the proposal's place. It is checked
	// and run red like the initializer's, then shown again.
	List []byte
	// Remark is for the initializer, which makes another list.
	Remark string
}

// approve asks for the list to be accepted and commits the plan. Without an
// error the list may still wait: the person wants another one.
func (j *job) approve(ctx context.Context) error {
	how := byFlag
	switch {
	case j.o.SignedOff != nil:
		how = byFile
	case j.o.Approve != nil:
		how = byPerson
		if accepted, err := j.askPerson(ctx); err != nil || !accepted {
			return err
		}
	}
	if err := j.commitPlan(ctx); err != nil {
		return err
	}
	j.list.Approved, j.list.By, j.list.AcceptedHash = how, j.o.Person, feature.Hash(j.list.Features)
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Approved, List: j.listInfo(how)})
}

// askPerson shows the list until it is accepted, rejected (an error) or given
// back to the initializer. A changed list counts once the host has checked it.
func (j *job) askPerson(ctx context.Context) (accepted bool, err error) {
	var problems []string
	for {
		answer, err := j.o.Approve(ctx, Proposal{Features: slices.Clone(j.list.Features), Note: j.list.Note,
			Red: maps.Clone(j.list.Red), Output: maps.Clone(j.past.red), Problems: problems})
		switch {
		case err != nil:
			return false, err
		case answer.Remark != "":
			return false, j.planAgain(answer.Remark)
		case answer.List == nil:
			return true, nil
		}
		list, faults := feature.ParseStrict(answer.List)
		if problems = texts(faults); len(problems) > 0 {
			continue
		}
		if problems, err = j.takeList(ctx, list, j.list.Note, byPerson); err != nil {
			return false, err
		}
	}
}

// planAgain gives the list back to the initializer, with what a person says of it.
func (j *job) planAgain(remark string) error {
	if err := j.files.write(publicList, feature.Public(j.list.Features), 0o644); err != nil { // as the person may have edited it
		return err
	}
	j.list.Remark = j.clip(remark, remarkMax)
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Remarked, Text: j.list.Remark, List: j.listInfo(byPerson)})
}

// commitPlan commits what the initializer has made.
func (j *job) commitPlan(ctx context.Context) error {
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
	return err
}

// listInfo is the list for the ledger, with how it came to be so, if a person or a flag had a say.
func (j *job) listInfo(how string) *ledger.ListInfo {
	info := &ledger.ListInfo{Hash: feature.Hash(j.list.Features), Note: j.list.Note, How: how}
	if how != "" {
		info.By = j.o.Person
	}
	for _, f := range j.list.Features {
		info.IDs = append(info.IDs, f.ID)
	}
	return info
}

// wanted is how many features a list must have.
func (j *job) wanted() int {
	switch {
	case j.o.SignedOff != nil:
		return len(j.o.SignedOff)
	case j.list.Remark != "" || j.old != nil:
		return feature.AnyNumber
	default:
		return j.state.job.Features
	}
}

// takeSignedOff compares a list that was signed off before (--approve) with the
// job's. An accepted list must be the same; another one is planned anew.
func (j *job) takeSignedOff() error {
	if j.o.SignedOff == nil || len(j.list.Features) == 0 {
		return nil
	}
	given := feature.Hash(j.o.SignedOff)
	if j.list.Approved == "" {
		if given != feature.Hash(j.list.Features) {
			j.list = feature.State{}
		}
		return nil
	}
	if accepted := cmp.Or(j.list.AcceptedHash, j.list.Hash); given != accepted {
		return &Error{Outcome: Usage,
			Reason: fmt.Sprintf("the list of --approve (hash %.12s) is not the one that this job was begun with (%.12s): %s",
				given, accepted, difference(j.o.SignedOff, j.list.Features)),
			Hint: "leave --approve out to go on (`glovebox features DIR` shows the list), or begin in another --project-dir"}
	}
	return nil
}

// difference says in a few words what is not the same in two lists.
func difference(given, has []feature.Feature) string {
	var words []string
	for _, g := range given {
		i := slices.IndexFunc(has, func(f feature.Feature) bool { return f.ID == g.ID })
		switch {
		case i < 0:
			words = append(words, g.ID+" is new")
		case feature.Hash([]feature.Feature{g}) != feature.Hash([]feature.Feature{has[i]}):
			words = append(words, g.ID+" differs")
		}
	}
	for _, h := range has {
		if !slices.ContainsFunc(given, func(f feature.Feature) bool { return f.ID == h.ID }) {
			words = append(words, h.ID+" is missing")
		}
	}
	if len(words) == 0 {
		return "the order or an earlier version differs"
	}
	return clip(strings.Join(words, ", "), 200)
}

// texts are the problems of a list, a line each.
func texts(faults []feature.Problem) (lines []string) {
	for _, f := range faults {
		lines = append(lines, "- "+f.String())
	}
	return lines
}
