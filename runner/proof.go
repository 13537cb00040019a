package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Why a verification is run, in the ledger.
const (
	whyRedCheck   = "red-check"
	whyBefore     = "before-session"
	whyFinish     = "finish"
	whyEnd        = "session-end"
	whyRegression = "regression"
	whyFinal      = "final"
)

// verdict is what the host saw.
type verdict struct {
	passed  bool
	feature feature.Feature // whose command decided
	exit    int
	how     string // "exited 1", "was stopped after 2m0s", or why nothing could be proven
	output  string // bounded
}

// runVerify runs one feature's command in a new box with an empty $HOME and a
// network of its own, and says what it saw.
func (j *job) runVerify(ctx context.Context, f feature.Feature, why, tree string) (verdict, error) {
	info := ledger.VerifyInfo{Command: f.Verify, Why: why, Tree: tree}
	if err := j.record(ledger.Event{Kind: ledger.VerifyStart, Session: j.session, Feature: f.ID, Verify: &info}); err != nil {
		return verdict{}, err
	}
	v := verdict{feature: f}
	err := j.withBox(ctx, forVerify, j.boxSpec(false), func(box *sandbox.Box) error {
		info.Box = box.ID()
		result, err := box.Run(ctx, sandbox.Command{Args: j.verifyArgs(f.Verify), Env: j.env, Head: verifyHead, Tail: verifyTail})
		if err != nil {
			return boxError(ctx, err)
		}
		v.passed, v.exit, v.how = result.Success(), result.ExitCode, howEnded(result, j.o.Limits.Timeout)
		v.output = j.clip(result.Output(), 2*verifyShown)
		info.Took = result.Duration
		return nil
	})
	if err != nil {
		return verdict{}, err
	}
	result := info
	result.Exit, result.Passed, result.Output = v.exit, v.passed, clipEnds(v.output, verifyShown)
	return v, j.record(ledger.Event{Kind: ledger.VerifyEnd, Session: j.session, Feature: f.ID, Text: v.how, Verify: &result})
}

// verifyArgs is the command line of a verification. A pipe fails with its
// first failing part, or `pytest | tail` would always pass.
func (j *job) verifyArgs(command string) []string {
	if j.inventory.Bash {
		return []string{"bash", "-o", "pipefail", "-c", command}
	}
	return []string{"sh", "-c", command}
}

func howEnded(r sandbox.Result, timeout time.Duration) string {
	switch {
	case r.TimedOut:
		return fmt.Sprintf("was stopped after %s", timeout)
	case r.Signal != "":
		return "was ended by " + r.Signal
	default:
		return fmt.Sprintf("exited %d", r.ExitCode)
	}
}

// prove decides whether f works on the tree as it is, and with it everything
// that passed before. Only when all of it is seen green on a tree that stayed
// the same is that tree committed and f.Passes written. No box of a session
// may run.
func (j *job) prove(ctx context.Context, f feature.Feature, why string) (verdict, error) {
	if err := j.restore(); err != nil {
		return verdict{}, err
	}
	s, err := j.stage(ctx)
	if v, refused := refusal(f, err); refused {
		return v, nil
	}
	if err != nil {
		return verdict{}, err
	}
	v, err := j.verifyAll(ctx, f, why, s.tree)
	if err != nil || !v.passed {
		return v, err
	}
	if after, err := j.files.hashFiles(s.entries); err != nil || after != s.tree {
		return verdict{feature: f, how: "changed files that are in git while it ran, so what it proved is not what would be committed"}, nil
	}
	commit, err := j.commit(ctx, s.tree, fmt.Sprintf("%s: %s", f.ID, clip(f.Description, 100)))
	if v, refused := refusal(f, err); refused {
		return v, nil
	}
	if err != nil {
		return verdict{}, err
	}
	return v, j.pass(f, s.tree, commit)
}

// verifyAll runs f's command and those of all other features that pass.
func (j *job) verifyAll(ctx context.Context, f feature.Feature, why, tree string) (verdict, error) {
	v, err := j.runVerify(ctx, f, why, tree)
	if err != nil || !v.passed {
		return v, err
	}
	for _, other := range j.list.Features {
		if !other.Passes || other.ID == f.ID {
			continue
		}
		again, err := j.runVerify(ctx, other, whyRegression, tree)
		if err != nil || !again.passed {
			return again, err
		}
	}
	return v, nil
}

// refusal turns a tree that can't be proven into a verdict for the model.
func refusal(f feature.Feature, err error) (verdict, bool) {
	var refused *refusedTree
	if !errors.As(err, &refused) {
		return verdict{}, false
	}
	return verdict{feature: f, how: "was not run", output: refused.reason}, true
}

// pass writes what was proven, to the state first and then where the model sees it.
func (j *job) pass(f feature.Feature, tree, commit string) error {
	if err := j.update(f.ID, func(f *feature.Feature) { f.Passes, f.Blocked = true, false }); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Passed, Session: j.session, Feature: f.ID,
		Commit: &ledger.CommitInfo{Hash: commit, Tree: tree}})
}

// unpass takes back that a feature works.
func (j *job) unpass(f feature.Feature, why string) error {
	if err := j.update(f.ID, func(f *feature.Feature) { f.Passes = false }); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Unpassed, Session: j.session, Feature: f.ID, Text: why})
}

// update changes one feature of the state and saves it.
func (j *job) update(id string, change func(*feature.Feature)) error {
	for i := range j.list.Features {
		if j.list.Features[i].ID == id {
			change(&j.list.Features[i])
		}
	}
	if err := j.list.Save(j.state.root, featuresFile); err != nil {
		return err
	}
	return j.files.write(publicList, feature.Public(j.list.Features), 0o644)
}

// restore puts back what belongs to the host: the list, the spec and the
// frozen graders. What a session changed there is noted.
func (j *job) restore() error {
	if err := j.putBack(specInWorkspace, []byte(j.o.Spec.Text)); err != nil {
		return err
	}
	if j.list.Approved == "" {
		return nil
	}
	if err := j.putBack(publicList, feature.Public(j.list.Features)); err != nil {
		return err
	}
	for _, f := range j.list.Features {
		for _, name := range f.Frozen {
			kept, err := j.state.root.ReadFile(path.Join(frozenDir, name))
			if err != nil {
				return fmt.Errorf("read the frozen copy of %s: %w", name, err)
			}
			if err := j.putBack(name, kept); err != nil {
				return err
			}
		}
	}
	return nil
}

// putBack makes name hold data again if it does not.
func (j *job) putBack(name string, data []byte) error {
	have, err := j.files.read(name, int64(len(data)))
	if err == nil && string(have) == string(data) {
		return nil
	}
	missing := errors.Is(err, fs.ErrNotExist)
	if err := j.files.write(name, data, 0o644); err != nil {
		return fmt.Errorf("put back %s: %w", name, err)
	}
	if missing && name == specInWorkspace {
		return nil
	}
	return j.note(name + " had been changed and was put back")
}

// freeze copies the graders to the state, where no box reaches them.
func (j *job) freeze(list feature.List) error {
	for _, f := range list {
		for _, name := range f.Frozen {
			data, err := j.files.read(name, frozenMax)
			if err != nil {
				return err
			}
			keep := path.Join(frozenDir, name)
			if err := j.state.root.MkdirAll(path.Dir(keep), 0o700); err != nil {
				return err
			}
			if err := j.state.root.WriteFile(keep, data, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
