package runner

import (
	"context"
	"errors"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// verifyFinally commits what is there and proves all of it once more. A feature
// that fails now goes back to work.
func (j *job) verifyFinally(ctx context.Context) (proof *ledger.ProofInfo, err error) {
	if err := j.restore(); err != nil {
		return nil, err
	}
	s, err := j.stage(ctx)
	if err == nil {
		err = j.checkGraders(ctx, s.entries, j.files)
	}
	if err == nil {
		_, err = j.commit(ctx, s, "", "Record verified features and notes")
	}
	var broken []verdict
	if err == nil {
		proof, broken, err = j.proveAll(ctx, func(context.Context) (staged, error) { return s, nil })
	}
	if err == nil && proof.Tree != s.tree {
		err = refuse("a clone has another tree than the one that was committed")
	}
	if v, refused := refusal(feature.Feature{}, err); refused {
		return nil, &Error{Outcome: Incomplete, Reason: "the finished tree can't be proven: " + v.output}
	}
	if err != nil {
		return nil, err
	}
	return proof, j.unpassAll(broken, "at the end")
}

// proveAll verifies everything once more, in a fresh clone of HEAD, or else, and
// it says why, in a copy of the workspace's files. The user's own test follows
// where all features are green. The result is recorded.
func (j *job) proveAll(ctx context.Context, workspace func(context.Context) (staged, error)) (proof *ledger.ProofInfo, broken []verdict, err error) {
	prove := func(g ground) error {
		if err := j.checkGraders(ctx, g.s.entries, g.from); err != nil {
			return err
		}
		proof, broken, err = j.proveOn(ctx, g)
		return err
	}
	why, err := j.onClone(ctx, prove)
	if err == nil && proof == nil {
		var s staged
		if s, err = workspace(ctx); err == nil {
			err = prove(ground{s: s, from: j.files, why: why})
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return proof, broken, j.record(ledger.Event{Kind: ledger.Proved, Session: j.session, Proof: proof})
}

// proveOn verifies everything on one ground.
func (j *job) proveOn(ctx context.Context, g ground) (*ledger.ProofInfo, []verdict, error) {
	proof := &ledger.ProofInfo{Commit: g.commit, Tree: g.s.tree, Clone: g.clone, Why: g.why, Dirty: g.dirty}
	var broken []verdict
	err := j.onCopyOf(ctx, g.s, g.from, func(c *checkout) error {
		for _, f := range j.list.Features {
			v, err := j.judge(ctx, c, f, whyFinal)
			if err != nil {
				return err
			}
			proof.Features = append(proof.Features, j.resultOf(f.ID, v))
			if !v.passed {
				broken = append(broken, v)
			}
		}
		if j.accept == nil || len(broken) > 0 {
			return nil
		}
		v, err := j.runAcceptance(ctx, c)
		if err != nil {
			return err
		}
		result := j.resultOf(acceptanceID, v)
		proof.Acceptance = &result
		return nil
	})
	return proof, broken, err
}

// resultOf is a verdict as the ledger keeps it.
func (j *job) resultOf(id string, v verdict) ledger.ProofResult {
	r := ledger.ProofResult{ID: id, Passed: v.passed, Flaky: v.flaky, How: v.how, Took: v.took}
	if !v.passed {
		r.Output = j.clipEnds(v.output, verifyHead)
	}
	return r
}

// Verify proves the job in o.Dir once more: every feature's verify, and the
// user's own acceptance test, in a fresh clone of the commit. It needs of the
// options Dir, Engine, Image, Limits and what concerns the ledger; no model. It
// changes nothing in the workspace. Where anything is not proved the error is
// Incomplete and the proof says what; without a job it is Usage.
func Verify(ctx context.Context, o Options) (*ledger.ProofInfo, error) {
	j := newJob(o)
	j.looks = true
	var err error
	if j.state, err = openBegun(o.Dir); err != nil {
		return nil, outcomeOf(ctx, err)
	}
	defer j.close()
	if err := j.load(); err != nil {
		return nil, outcomeOf(ctx, err)
	}
	j.session = 0 // none is under way
	if j.past.image != o.Image.ID {
		j.past.results = nil // what another image says is no contradiction
	}
	if j.list.Approved == "" {
		return nil, &Error{Outcome: Incomplete, Reason: "no features are planned and accepted yet: there is nothing to prove",
			Hint: "`glovebox run` goes on with the job"}
	}
	proof, err := j.look(ctx)
	if err != nil {
		return nil, outcomeOf(ctx, err)
	}
	return proof, notProved(proof)
}

// look makes the proof of [Verify].
func (j *job) look(ctx context.Context) (proof *ledger.ProofInfo, err error) {
	if err := j.watchDisk(ctx); err != nil {
		return nil, err
	}
	defer j.meter.Close()
	defer func() { err = errors.Join(err, j.volumes.end()) }()
	if err := j.takeDirectory(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.returnDirectory()) }()
	if err := j.prepareBoxes(ctx); err != nil {
		return nil, err
	}
	if j.accept, err = keptAcceptance(j.state.root); err != nil {
		return nil, err
	}
	proof, _, err = j.proveAll(ctx, j.stageWithoutGit)
	v, refused := refusal(feature.Feature{}, err)
	if !refused {
		return proof, err
	}
	proof = &ledger.ProofInfo{Reason: v.output}
	for _, f := range j.list.Features {
		proof.Features = append(proof.Features, ledger.ProofResult{ID: f.ID})
	}
	return proof, j.record(ledger.Event{Kind: ledger.Proved, Session: j.session, Proof: proof})
}

// notProved is the ending for a proof that failed, nil for one that holds.
func notProved(p *ledger.ProofInfo) error {
	if p.Passed() {
		return nil
	}
	reason := "not proved: " + strings.Join(p.Failed(), ", ")
	if p.Reason != "" {
		reason = "nothing is proved: " + p.Reason
	}
	return &Error{Outcome: Incomplete, Reason: reason, Hint: "`glovebox run` with the job's specification works on it; `glovebox verify --json DIR` has more of what it printed"}
}
