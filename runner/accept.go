package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// acceptanceID names the user's own test beside the features, of which none
// can have this name with its blank.
const acceptanceID = "acceptance test"

// acceptFile holds the script in the state, where no box sees it.
const acceptFile = "accept.json"

// AcceptanceMax is the longest acceptance test in bytes.
const AcceptanceMax = 1 << 20

// Acceptance is the user's own test of the whole program, which the model never
// sees. It is accepted when it exits 0 in the project's directory.
type Acceptance struct {
	Name   string `json:"name"`   // of the file, for people
	Script []byte `json:"script"` // begins with #!, or is for a shell
}

// hash identifies the script.
func (a *Acceptance) hash() string {
	sum := sha256.Sum256(a.Script)
	return hex.EncodeToString(sum[:])
}

// keepAcceptance copies the script to the state, or takes the one that is kept
// there. One that changes during a job is noted.
func (j *job) keepAcceptance() error {
	kept, err := keptAcceptance(j.state.root)
	if err != nil {
		return err
	}
	j.accept = j.o.Accept
	if j.accept == nil {
		j.accept = kept
		return nil
	}
	if kept != nil && bytes.Equal(kept.Script, j.accept.Script) {
		return nil
	}
	data, err := json.Marshal(j.accept)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(j.state.root, acceptFile, data, 0o600); err != nil || kept == nil {
		return err
	}
	return j.note(fmt.Sprintf("the acceptance test is another one than before: %s (sha256 %.12s), it was %s (%.12s)",
		j.clip(j.accept.Name, 100), j.accept.hash(), j.clip(kept.Name, 100), kept.hash()))
}

// HasAcceptance says whether the job in dir keeps this very test.
func HasAcceptance(dir string, a *Acceptance) bool {
	root, err := openForReading(dir)
	if err != nil {
		return false
	}
	defer root.Close()
	kept, err := keptAcceptance(root)
	return err == nil && kept != nil && bytes.Equal(kept.Script, a.Script)
}

// keptAcceptance is the script in the state, nil if there is none.
func keptAcceptance(state *os.Root) (*Acceptance, error) {
	data, err := atomicfile.Read(state, acceptFile, 2*AcceptanceMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var a Acceptance
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return nil, &Error{Outcome: FailedRun, Reason: "can't read the acceptance test in " + stateDir + "/" + acceptFile, Err: err,
			Hint: "the program is untouched; remove that file and give --accept again"}
	}
	return &a, nil
}

// acceptProgram runs the user's test from its file, which whatever else than a
// shell has read when the test begins. The box's $HOME goes with it.
const acceptProgram = `chmod 500 "$HOME/accept" && exec "$HOME/accept"`

// acceptShell runs it from the shell's memory: a shell reads on in its file
// while the program runs, which could find the file there and rewrite it.
const acceptShell = `glovebox=$(cat "$HOME/accept") && rm "$HOME/accept" || exit 126; eval "$glovebox"`

// acceptArgs is the command line for a script, of which shell runs those that
// do not say by what.
func acceptArgs(script []byte, shell string) []string {
	line, isProgram := bytes.CutPrefix(script, []byte("#!"))
	args := []string{shell}
	if isProgram {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		args = strings.Fields(string(line))
		if len(args) > 0 && path.Base(args[0]) == "env" {
			args = slices.DeleteFunc(args[1:], func(a string) bool { return a == "-S" })
		}
	}
	if len(args) == 0 || !slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"}, path.Base(args[0])) {
		return []string{"sh", "-c", acceptProgram}
	}
	return append(args, "-c", acceptShell, "accept")
}

// runAcceptance runs the user's test on a copy, in a new box. Only the box sees it.
func (j *job) runAcceptance(ctx context.Context, c *checkout) (verdict, error) {
	if c.used {
		if err := c.renew(ctx, j); err != nil {
			return verdict{}, err
		}
	}
	c.used = true
	info := ledger.VerifyInfo{Command: j.clip(j.accept.Name, 100), Why: whyAcceptance, Tree: c.s.tree}
	if err := j.record(ledger.Event{Kind: ledger.VerifyStart, Session: j.session, Verify: &info}); err != nil {
		return verdict{}, err
	}
	v := verdict{feature: feature.Feature{ID: acceptanceID}}
	result := info
	err := j.withBox(ctx, forVerify, c.boxSpec(j), func(box *sandbox.Box) error {
		result.Box = box.ID()
		if _, _, err := box.WriteFile(ctx, sandbox.Home+"/accept", j.accept.Script); err != nil {
			return boxError(ctx, err)
		}
		r, err := box.Run(ctx, sandbox.Command{Args: acceptArgs(j.accept.Script, j.shell()),
			Env: j.proofEnv(), Head: verifyHead, Tail: verifyTail})
		if err != nil {
			return boxError(ctx, err)
		}
		v.passed, v.exit, v.took, v.how = r.Success() && r.Full == nil, r.ExitCode, r.Duration, howEnded(r, j.o.Limits)
		v.output = j.clip(r.Output(), 2*verifyShown)
		result.Limits = limitInfo(tool.Hits(r, j.o.Limits))
		return nil
	})
	if err != nil {
		return verdict{}, err
	}
	result.Exit, result.Passed, result.Took, result.Output = v.exit, v.passed, v.took, clipEnds(v.output, verifyShown)
	return v, j.record(ledger.Event{Kind: ledger.VerifyEnd, Session: j.session, Text: v.how, Verify: &result})
}

// acceptEach runs the user's test after a feature that has passed. Whatever it
// says, the feature passes: the next session is told.
func (j *job) acceptEach(ctx context.Context, c *checkout) error {
	if j.accept == nil || !j.o.AcceptEach {
		return nil
	}
	_, err := j.runAcceptance(ctx, c)
	return err
}

// acceptanceSaid is what a session may know of the test's last verdict.
func (j *job) acceptanceSaid() string {
	v := j.past.accepted
	if v == nil || j.accept == nil {
		return ""
	}
	if v.passed {
		return "passes"
	}
	return "fails: it " + v.how + j.acceptanceOutput(v.output)
}

// acceptanceOutput is what a session may see of the test's output.
func (j *job) acceptanceOutput(output string) string {
	if output = strings.TrimSpace(output); !j.o.AcceptOutput || output == "" {
		return ""
	}
	return ". It printed:\n" + clipEnds(output, verifyPrompt)
}

// mendAcceptance gives a session to a program that has every feature and still
// fails the user's test.
func (j *job) mendAcceptance(ctx context.Context) error {
	if j.past.mended >= acceptanceAttempts {
		return j.notAccepted(fmt.Sprintf("%s after %d sessions", j.past.accepted.how, j.past.mended))
	}
	if err := j.needSession(); err != nil {
		return err
	}
	if err := j.restore(); err != nil {
		return err
	}
	task, err := j.acceptanceTask(ctx)
	if err != nil {
		return err
	}
	attempt := j.past.mended + 1
	if err := j.openSession(acceptance, feature.Feature{}, attempt); err != nil {
		return err
	}
	s := j.newSession(acceptance, feature.Feature{}, codingTurns, task)
	s.decide = func(ctx context.Context, use tool.Use) (string, *ending, error) {
		return j.decideAcceptance(ctx, s, use)
	}
	end, err := s.run(ctx)
	if err != nil {
		return err
	}
	if end.how != endFinish || end.status != tool.StatusDone { // finish has done it already
		if _, err := j.proveMended(ctx, nil); err != nil {
			return err
		}
	}
	if err := j.closeSession(acceptance, feature.Feature{}, attempt, end); err != nil {
		return err
	}
	if err := j.writeNotes(); err != nil {
		return err
	}
	if err := j.commitRest(ctx, "", fmt.Sprintf("Record session %d (acceptance)", j.session)); err != nil {
		return err
	}
	if err := j.providerEnding(end); err != nil {
		return err
	}
	if end.status == tool.StatusBlocked {
		return j.notAccepted(j.past.accepted.how + ", and the session for it is blocked: " + end.note)
	}
	return j.mayGoOn()
}

// notAccepted ends a job whose program the user's test does not accept.
func (j *job) notAccepted(how string) error {
	return &Error{Outcome: Incomplete, Reason: fmt.Sprintf("every feature passes, but the acceptance test (%s) %s", j.accept.Name, how),
		Hint: "`glovebox verify DIR` shows what it prints; mend the program, or give a corrected test with --accept, and the same command goes on"}
}

// decideAcceptance answers the finish of a session for the user's test.
func (j *job) decideAcceptance(ctx context.Context, s *session, use tool.Use) (string, *ending, error) {
	if use.Status == tool.StatusBlocked {
		return "Noted.", &ending{how: endFinish, status: use.Status, note: use.Note}, nil
	}
	if err := s.renewBoxes(); err != nil {
		return "", nil, err
	}
	v, err := j.proveMended(ctx, s)
	if err != nil {
		return "", nil, err
	}
	if v.passed {
		return "Accepted.", &ending{how: endFinish, status: use.Status, note: use.Note}, nil
	}
	s.rounds++
	text := redMessage(s.feature, v, s.rounds)
	if v.feature.ID == acceptanceID {
		text = prompts.Message("E20", map[string]any{"How": v.how, "Try": s.rounds, "Tries": redFinishes, "Output": j.acceptanceOutput(v.output)})
	}
	if s.rounds >= redFinishes {
		return text, &ending{how: endRedFinishes, note: use.Note, limit: fmt.Sprintf("%d finishes with a red acceptance test", redFinishes)}, nil
	}
	return text, nil, nil
}

// proveMended verifies every feature after work for the user's test, and then
// runs that if a session waits for its verdict. What breaks no feature is
// committed. Features that a session which is over has broken pass no more.
func (j *job) proveMended(ctx context.Context, s *session) (v verdict, err error) {
	if err := j.restore(); err != nil {
		return v, err
	}
	what := fmt.Sprintf("acceptance: work of session %d", j.session)
	var broken, flaky []verdict
	err = j.onCopy(ctx, func(c *checkout) error {
		if broken, flaky, err = j.regressions(ctx, c, feature.Feature{}, false); err != nil || len(broken) > 0 {
			return err
		}
		if s != nil {
			if v, err = j.runAcceptance(ctx, c); err != nil || !v.passed {
				return err
			}
		}
		_, err := j.commit(ctx, c.s, acceptance, what)
		return err
	})
	refused, isRefused := refusal(feature.Feature{}, err) // the model is told why
	switch {
	case isRefused && s != nil:
		return refused, nil
	case err != nil && !isRefused:
		return v, err
	case len(broken) > 0 && s != nil:
		return broken[0], nil
	case len(broken) > 0 || isRefused:
		if err := j.commitRest(ctx, acceptance, what+", not verified"); err != nil {
			return v, err
		}
		if err := j.unpassAll(broken, "after the session for the acceptance test"); err != nil {
			return v, err
		}
	}
	return v, j.unpassAll(flaky, "")
}

// keepAccepted remembers the last verdict of the user's test.
func (h *history) keepAccepted(e ledger.Event) {
	if e.Verify.Why == whyAcceptance {
		h.accepted = &verdict{passed: e.Verify.Passed, how: e.Text, output: e.Verify.Output}
	}
}
