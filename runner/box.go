package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// What a box is for, in the ledger.
const (
	forCall   = "call"
	forVerify = "verify"
	forGit    = "git"
	forInit   = "init"
	forProbe  = "probe"
	forSync   = "sync" // of a volume with the host's directory
)

// boxSpec is a box of the job. With home it has the job's $HOME, without an
// empty one: what a session planted there must not reach git or a verification.
func (j *job) boxSpec(home bool) sandbox.Spec {
	spec := sandbox.Spec{
		Image:     j.o.Image.ID,
		Workspace: j.o.Dir,
		Hidden:    []string{stateDir},
		User:      j.user,
		Limits:    j.o.Limits,
		Disk:      j.disk,
		Job:       j.state.job.ID,
	}
	if home {
		spec.Home = filepath.Join(j.o.Dir, stateDir, homeDir)
	}
	return j.volumes.instead(spec)
}

// withBox runs use in a new box that is destroyed after it. What it has changed
// is in the host's directory then, wherever the boxes' lies.
func (j *job) withBox(ctx context.Context, purpose string, spec sandbox.Spec, use func(*sandbox.Box) error) error {
	err := j.inNewBox(ctx, purpose, spec, func(box *sandbox.Box) error {
		if err := j.volumes.enter(ctx, box, spec); err != nil {
			return err
		}
		return use(box)
	})
	// What only looks changes nothing, and what prepares a session goes on in it:
	// it is fetched with what the session leaves.
	if purpose == forProbe || purpose == forInit && spec.HomeVolume != "" {
		return err
	}
	if _, refused := refusal(feature.Feature{}, err); err == nil || refused {
		if fetched := j.volumes.fetch(ctx, spec.WorkspaceVolume); fetched != nil {
			return fetched
		}
	}
	return err
}

func (j *job) inNewBox(ctx context.Context, purpose string, spec sandbox.Spec, use func(*sandbox.Box) error) (err error) {
	if err := j.openUp(); err != nil {
		return err
	}
	start := time.Now()
	box, err := sandbox.Open(ctx, j.o.Engine, spec)
	if err != nil {
		return startError(ctx, err)
	}
	defer func() { err = errors.Join(err, box.Close()) }() // what it started must not go on
	if err := j.recordBox(ledger.BoxInfo{ID: box.ID(), Purpose: purpose, Took: time.Since(start)}); err != nil {
		return err
	}
	return use(box)
}

func (j *job) recordBox(box ledger.BoxInfo) error {
	return j.record(ledger.Event{Kind: ledger.BoxStart, Session: j.session, Box: &box})
}

// startError says how a job ends when a box could not be started.
func startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var wall *sandbox.WallError
	if errors.As(err, &wall) {
		return &Error{Outcome: NoSandbox, Reason: "no box without every wall", Hint: "`glovebox doctor` shows what the engine lacks", Err: err}
	}
	if errors.Is(err, sandbox.ErrNotMounted) {
		return otherMount(err)
	}
	return &Error{Outcome: FailedRun, Reason: "can't start a box", Hint: "`glovebox doctor` checks the engine; the same command goes on", Err: err}
}

// script is a shell script of the host's, with the environment of every command.
func (j *job) script(text string, args ...string) sandbox.Command {
	return sandbox.Command{
		Args:    append([]string{"sh", "-c", text, "glovebox"}, args...),
		Env:     j.env,
		Timeout: gitTimeout,
		Head:    verifyHead,
		Tail:    verifyTail,
	}
}

// makeHome makes $HOME of the job's boxes. What boxes leave there is as hostile
// as the project, so the host touches it in the same careful way.
func makeHome(state *os.Root, user sandbox.User) (workspace, error) {
	if err := state.Mkdir(homeDir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return workspace{}, err
	}
	if os.Geteuid() == 0 {
		if err := state.Lchown(homeDir, user.UID, user.GID); err != nil {
			return workspace{}, err
		}
	}
	root, err := state.OpenRoot(homeDir)
	return workspace{root: root, owner: user}, err
}
