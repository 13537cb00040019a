package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// lastGreen is where a feature was last seen to work, and what was committed since.
type lastGreen struct {
	tree   string
	commit string // with that tree, "" as long as there is none
	since  []suspect
}

// suspect is a commit with a session's work.
type suspect struct {
	feature string
	commit  ledger.CommitInfo
}

// keepGreen remembers where a feature was seen to work.
func (h *history) keepGreen(e ledger.Event) {
	if !e.Verify.Passed || e.Feature == "" {
		return
	}
	if h.green == nil {
		h.green = map[string]*lastGreen{}
	}
	if g := h.green[e.Feature]; g == nil || g.tree != e.Verify.Tree {
		h.green[e.Feature] = &lastGreen{tree: e.Verify.Tree}
	}
}

// keepCommit remembers a commit for those features that were not seen to work
// in its very tree.
func (h *history) keepCommit(e ledger.Event) {
	made := e.Commit.Hash != h.commit // where nothing has changed it is the one before
	h.commit = e.Commit.Hash
	for _, g := range h.green {
		switch {
		case g.tree == e.Commit.Tree:
			g.commit, g.since = e.Commit.Hash, nil
		case made && e.Feature != "":
			g.since = append(g.since, suspect{e.Feature, *e.Commit})
		}
	}
}

// blame says which commit broke a feature that worked, as far as commits can
// tell: nil is a change that no session has made.
func (h *history) blame(id string) (text string, commit *ledger.CommitInfo) {
	g := h.green[id]
	if g == nil || len(g.since) == 0 {
		return "no session has changed the files since it was green", nil
	}
	last := g.since[len(g.since)-1]
	text = fmt.Sprintf("broken by commit %.10s (%s)", last.commit.Hash, last.commit.Message)
	if n := len(g.since); n > 1 {
		text = fmt.Sprintf("broken by one of %d commits, the first of them %.10s (%s), the last %.10s (%s)",
			n, g.since[0].commit.Hash, g.since[0].feature, last.commit.Hash, last.feature)
	}
	if g.commit != "" {
		text += fmt.Sprintf("; it was green at %.10s", g.commit)
	}
	return text, &last.commit
}

// unpassAll takes back that features work, and names what broke them.
func (j *job) unpassAll(broken []verdict, when string) error {
	for _, v := range broken {
		if err := j.unpass(v, when); err != nil {
			return err
		}
	}
	return nil
}

// unpass takes back that a feature works: it is the next one to be worked on,
// with one session at least.
func (j *job) unpass(v verdict, when string) error {
	id := v.feature.ID
	if n := j.list.Attempts[id]; n >= codingAttempts {
		j.list.Attempts[id] = codingAttempts - 1
	}
	if err := j.update(id, func(f *feature.Feature) { f.Passes = false }); err != nil {
		return err
	}
	e := ledger.Event{Kind: ledger.Unpassed, Session: j.session, Feature: id}
	if v.flaky {
		e.Text = "its verify is flaky: " + j.list.Flaky[id]
	} else {
		blamed, commit := j.past.blame(id)
		e.Text, e.Commit = fmt.Sprintf("its verify %s %s: %s", v.how, when, blamed), commit
	}
	return j.record(e)
}

// next is the feature to work on: one that worked and was broken before all
// others, then the list's order.
func (j *job) next() (feature.Feature, bool) {
	for _, f := range j.list.Features {
		if j.past.broken[f.ID] != "" && !f.Passes && !f.Blocked {
			return f, true
		}
	}
	return feature.Next(j.list.Features)
}

// secondChance unblocks a feature for one more session if another one has
// passed since it was blocked, on which it may have waited.
func (j *job) secondChance() (feature.Feature, bool, error) {
	for _, f := range j.list.Features {
		if b := j.past.blocked[f.ID]; !f.Blocked || b == nil || !b.helped || b.retried {
			continue
		}
		if j.list.Attempts == nil {
			j.list.Attempts = map[string]int{}
		}
		j.list.Attempts[f.ID] = codingAttempts - 1
		if err := j.update(f.ID, func(f *feature.Feature) { f.Blocked = false }); err != nil {
			return f, false, err
		}
		f.Blocked = false
		return f, true, j.record(ledger.Event{Kind: ledger.Unblocked, Session: j.session, Feature: f.ID,
			Text: "another feature has passed since: one more session"})
	}
	return feature.Feature{}, false, nil
}

// waiting is what became of a blocked feature since.
type waiting struct {
	helped  bool // another feature has passed
	retried bool // it had its second chance
}

// keepBlocked follows what may give blocked features a second chance.
func (h *history) keepBlocked(e ledger.Event) {
	if h.blocked == nil {
		h.blocked = map[string]*waiting{}
	}
	b := h.blocked[e.Feature]
	switch {
	case e.Kind == ledger.Blocked && b == nil:
		h.blocked[e.Feature] = &waiting{}
	case e.Kind == ledger.Unblocked && b != nil:
		b.retried = true
	case e.Kind == ledger.Passed:
		for id, b := range h.blocked {
			b.helped = b.helped || id != e.Feature
		}
	}
}

// commitRest commits what a session has left, so that the next one begins with
// a clean state. What can't be committed is noted and stays.
func (j *job) commitRest(ctx context.Context, feature, message string) error {
	if !j.inventory.Git {
		return nil
	}
	s, err := j.stage(ctx)
	if err == nil {
		_, err = j.commit(ctx, s, feature, message)
	}
	var refused *refusedTree
	if errors.As(err, &refused) {
		return j.note("not committed: " + j.clip(refused.reason, errorKept))
	}
	return err
}
