package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Why a verification is run, in the ledger.
const (
	whyRedCheck   = "red-check"
	whyBefore     = "before-session"
	whyFinish     = "finish"
	whyEnd        = "session-end"
	whyRegression = "regression"
	whyBaseline   = "baseline"   // before a session: what fails already is not its doing
	whyAgain      = "again"      // what contradicts an earlier result
	whyAcceptance = "acceptance" // the user's own test
	whyFinal      = "final"
	whyWithout    = "without-work" // on the state before it, where it must still fail
)

// verdict is what the host saw.
type verdict struct {
	passed  bool
	feature feature.Feature // whose command decided
	exit    int
	how     string // "exited 1", "was stopped after 2m0s", or why nothing could be proven
	output  string // bounded
	took    time.Duration
	flaky   bool // it gave different results on the same files
	unsure  bool // a limit was hit: on another day it may end otherwise
}

// runVerify runs one feature's command on a copy of the project, in a new box
// with an empty $HOME and a network of its own, and says what it saw.
func (j *job) runVerify(ctx context.Context, c *checkout, f feature.Feature, why string) (verdict, error) {
	if c.used { // what an earlier verification left proves nothing
		if err := c.renew(ctx, j); err != nil {
			return verdict{}, err
		}
	}
	c.used = true
	info := ledger.VerifyInfo{Command: f.Verify, Why: why, Tree: c.s.tree, Program: c.s.program()}
	if err := j.record(ledger.Event{Kind: ledger.VerifyStart, Session: j.session, Feature: f.ID, Verify: &info}); err != nil {
		return verdict{}, err
	}
	v := verdict{feature: f}
	result := info
	err := j.withBox(ctx, forVerify, c.boxSpec(j), func(box *sandbox.Box) error {
		result.Box = box.ID()
		r, err := box.Run(ctx, sandbox.Command{Args: j.verifyArgs(f.Verify), Env: j.proofEnv(), Head: verifyHead, Tail: verifyTail})
		if err != nil {
			return boxError(ctx, err)
		}
		v.passed, v.exit, v.how = r.Success(), r.ExitCode, howEnded(r, j.o.Limits)
		v.output = j.clip(r.Output(), 2*verifyShown)
		if r.Full != nil {
			v.passed = false
			v.output += "\n[" + tool.ProofFullText(r, j.o.Limits) + "]"
		}
		if v.passed && ranNoTest(r.Output()) {
			v.passed, v.how = false, "ran no test"
			v.output += "\n[verify exited 0, but its test runner ran no test]"
		}
		result.Limits = limitInfo(tool.Hits(r, j.o.Limits))
		if !v.passed && c.init != "" {
			v.output += "\n[init.sh on this copy " + c.init + "]"
		}
		result.Took, v.took, v.unsure = r.Duration, r.Duration, r.TimedOut || len(result.Limits) > 0
		return nil
	})
	if err != nil {
		return verdict{}, err
	}
	err = c.unchanged(ctx, "verify")
	if err == nil {
		err = c.untouched("verify")
	}
	if err != nil {
		changed, refused := refusal(f, err)
		if !refused {
			return verdict{}, err
		}
		v = changed
	}
	result.Exit, result.Passed, result.Output = v.exit, v.passed, clipEnds(v.output, verifyShown)
	return v, j.record(ledger.Event{Kind: ledger.VerifyEnd, Session: j.session, Feature: f.ID, Text: v.how, Verify: &result})
}

// proofEnv is the environment of a proof: Python reads no compiled code that
// lies in the project, whose source it may not be, and writes none beside the tests.
func (j *job) proofEnv() []string {
	return append(slices.Clone(j.env), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPYCACHEPREFIX=/tmp/glovebox-no-cache")
}

// verifyArgs is the command line of a verification. A pipe fails with its
// first failing part, or `pytest | tail` would always pass. Of the shells that
// stand in where there is no bash, dash knows that from 0.5.13 on.
func (j *job) verifyArgs(command string) []string {
	if j.inventory.Bash {
		return []string{"bash", "-o", "pipefail", "-c", command}
	}
	return []string{"sh", "-c", `(set -o pipefail) 2>/dev/null && set -o pipefail; command=$1; shift; eval "$command"`, "sh", command}
}

// howEnded is how a command of the host's ended, with the limits that it met.
func howEnded(r sandbox.Result, l sandbox.Limits) string {
	how := fmt.Sprintf("exited %d", r.ExitCode)
	switch {
	case r.TimedOut:
		how = fmt.Sprintf("was stopped after %s", l.Timeout)
	case r.Full != nil && r.Signal == "SIGKILL":
		how = "was ended"
	case r.Signal != "":
		how = "was ended by " + r.Signal
	}
	if reasons := tool.Reasons(r, l); len(reasons) > 0 {
		how += " (" + strings.Join(reasons, ", ") + ")"
	}
	return how
}

// onCopy stages the workspace and gives use a copy of exactly what was staged.
// No box of a session may run. A tree that can't be proven is a *refusedTree.
func (j *job) onCopy(ctx context.Context, use func(*checkout) error) (err error) {
	s, err := j.stage(ctx)
	if err != nil {
		return err
	}
	if err := j.checkGraders(ctx, s.entries, j.files); err != nil {
		return err
	}
	return j.onCopyOf(ctx, s, j.files, use)
}

// onCopyOf gives use a copy of the files of s, which lie in from.
func (j *job) onCopyOf(ctx context.Context, s staged, from workspace, use func(*checkout) error) (err error) {
	c, err := j.newCheckout(ctx, proofDir, s, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close(j)) }()
	return use(c)
}

// prove decides whether f works on the tree as it is, and with it everything
// that passed before. Only when all of it is seen green, that tree is committed
// and f.Passes written. What passed before and does not now is returned in
// broken, whether f is green or not; what is flaky among it is nobody's doing
// and only loses its pass.
func (j *job) prove(ctx context.Context, f feature.Feature, why string) (v verdict, broken []verdict, err error) {
	if err := j.restore(); err != nil {
		return verdict{}, nil, err
	}
	var flaky []verdict
	err = j.onCopy(ctx, func(c *checkout) error {
		if v, err = j.judge(ctx, c, f, why); err != nil {
			return err
		}
		if broken, flaky, err = j.regressions(ctx, c, f, !v.passed && why == whyBefore); err != nil || !v.passed || len(broken) > 0 {
			return err
		}
		if v, err = j.needsWork(ctx, f, v); err != nil || !v.passed {
			return err
		}
		commit, err := j.commit(ctx, c.s, f.ID, fmt.Sprintf("%s: %s", f.ID, clip(f.Description, 100)))
		if err != nil {
			return err
		}
		if err := j.pass(f, c.s.tree, commit); err != nil {
			return err
		}
		return j.acceptEach(ctx, c)
	})
	if refused, ok := refusal(f, err); ok {
		v, err = refused, nil
	}
	if err == nil {
		err = j.unpassAll(flaky, "")
	}
	return v, broken, err
}

// regressions verifies every other feature that passes and returns the red
// ones. As a baseline, what was seen green on the very same files is left out.
func (j *job) regressions(ctx context.Context, c *checkout, f feature.Feature, baseline bool) (broken, flaky []verdict, err error) {
	why := whyRegression
	if baseline {
		why = whyBaseline
	}
	for _, other := range j.list.Features {
		if !other.Passes || other.ID == f.ID || baseline && j.past.seen(other, c.s.program()).green {
			continue
		}
		v, err := j.judge(ctx, c, other, why)
		switch {
		case err != nil:
			return broken, flaky, err
		case v.flaky:
			flaky = append(flaky, v)
		case !v.passed:
			broken = append(broken, v)
		}
	}
	return broken, flaky, nil
}

// refusal turns a tree that can't be proven into a verdict for the model.
func refusal(f feature.Feature, err error) (verdict, bool) {
	var refused *refusedTree
	if !errors.As(err, &refused) {
		return verdict{}, false
	}
	return verdict{feature: f, how: "proved nothing", output: refused.reason}, true
}

// pass writes what was proven, to the state first and then where the model sees it.
func (j *job) pass(f feature.Feature, tree, commit string) error {
	delete(j.list.Flaky, f.ID)
	if err := j.update(f.ID, func(f *feature.Feature) { f.Passes, f.Blocked = true, false }); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Passed, Session: j.session, Feature: f.ID,
		Commit: &ledger.CommitInfo{Hash: commit, Tree: tree}})
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
