package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

type fakeEngine = *boxtest.Fake

// inVolume is a world whose boxes don't see its directory.
func inVolume(t *testing.T, a actor) *world {
	t.Helper()
	w := newWorld(t, a)
	w.o.Workspace = WorkspaceVolume
	t.Cleanup(func() {
		if left := w.engine.Volumes(); len(left) > 0 && !t.Failed() {
			t.Errorf("volumes are left: %v", left)
		}
	})
	return w
}

// longTest leaves a whole job out of the short tests: they have others of it.
func longTest(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("one more whole job; -short leaves it out")
	}
}

// The same job ends the same, wherever its boxes work: the same trees under the
// same commits, nothing left behind.
func TestVolumeJobIsTheSame(t *testing.T) {
	t.Parallel()
	there, here := inVolume(t, greeter), newWorld(t, greeter)
	if status := there.done(); status.Passing() != 2 {
		t.Errorf("status = %+v", status)
	}
	here.done()
	const format = "--format=%s %T"
	if a, b := there.git("log", format), here.git("log", format); a != b {
		t.Errorf("with a volume the history is\n%s\nwithout\n%s", a, b)
	}
	if dirty := there.git("status", "--porcelain"); dirty != "" {
		t.Errorf("left uncommitted:\n%s", dirty)
	}
	if _, err := os.Lstat(there.path(".glovebox/volume")); err == nil {
		t.Error("the record of the volume is left")
	}
	for _, dir := range []string{".glovebox/incoming", ".glovebox/proof"} {
		if _, err := os.Lstat(there.path(dir)); err == nil {
			t.Errorf("%s is left", dir)
		}
	}
}

// An engine on another machine can't mount the directory: the workspace moves
// into a volume by itself, unless the directory was asked for.
func TestVolumeWhereMountsFail(t *testing.T) {
	longTest(t)
	t.Parallel()
	w := inVolume(t, greeter)
	w.o.Workspace = WorkspaceAuto
	w.engine.Elsewhere()
	w.done()
	bind := inVolume(t, greeter)
	bind.o.Workspace = WorkspaceBind
	bind.engine.Elsewhere()
	if e := bind.ends(NoSandbox); !strings.Contains(e.Reason, "another directory") {
		t.Errorf("%v", e)
	}
}

// The nonce is not seen where an engine mounts a directory of the same name of
// another machine.
func TestVolumeWhereNonceIsNotSeen(t *testing.T) {
	longTest(t)
	t.Parallel()
	w := inVolume(t, greeter)
	w.o.Workspace = ""
	w.o.Engine = &otherMachine{fakeEngine: w.engine, dir: t.TempDir()}
	w.done()
	if entries, err := os.ReadDir(w.o.Engine.(*otherMachine).dir); err != nil || len(entries) > 0 {
		t.Errorf("in the other directory there is now %v, %v", entries, err)
	}
}

// otherMachine mounts an empty directory in the place of any that it is told.
type otherMachine struct {
	fakeEngine
	dir string
}

func (o *otherMachine) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	if s.Workspace != "" {
		s.Workspace = o.dir
	}
	if s.Home != "" {
		s.Home = o.dir
	}
	return o.fakeEngine.Start(ctx, s)
}

// Wherever a process ends, the same command goes on and nothing is done twice.
func TestVolumeResumes(t *testing.T) {
	longTest(t)
	t.Parallel()
	whole := inVolume(t, greeter)
	whole.done()
	step := len(whole.events)/3 + 1
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		step = 1
	}
	for stop := 3; stop <= len(whole.events); stop += step {
		w := inVolume(t, greeter)
		ctx, cancel := context.WithCancel(context.Background())
		seen := 0
		w.on = func(ledger.Event) {
			if seen++; seen == stop {
				cancel()
			}
		}
		_, err := Run(ctx, w.o)
		cancel()
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Outcome != Interrupted) {
			t.Fatalf("stopped at event %d: %v", stop, err)
		}
		w.done()
		if log := w.git("log", "--format=%s"); strings.Count(log, "Plan 2 features") != 1 || strings.Count(log, "hello:") != 1 || strings.Count(log, "bye:") != 1 {
			t.Errorf("stopped at event %d: history is\n%s", stop, log)
		}
	}
}

// dying is an engine that is out of reach once it is dead, as for a process
// that was killed: it fetches nothing and removes nothing any more.
type dying struct {
	fakeEngine
	dead atomic.Bool
}

func (d *dying) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	if d.dead.Load() {
		return nil, errors.New("dead")
	}
	return d.fakeEngine.Start(ctx, s)
}

func (d *dying) RemoveVolume(ctx context.Context, name string) error {
	if d.dead.Load() {
		return errors.New("dead")
	}
	return d.fakeEngine.RemoveVolume(ctx, name)
}

// What a killed process has left in its volume is fetched by the next one, and
// what somebody has done in the directory meanwhile stays.
func TestVolumeOfKilledProcessIsFetched(t *testing.T) {
	t.Parallel()
	draft := "echo draft > draft.txt; echo theirs > both.txt; rm README.md"
	w := inVolume(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") && turnOf(r) == 0 {
			return says(bash("[ -e mine.txt ] || { " + draft + "; }"))
		}
		return greeter(r)
	})
	engine := &dying{fakeEngine: w.engine}
	w.o.Engine = engine
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.CallEnd && strings.Contains(w.history(), "draft.txt") {
			engine.dead.Store(true)
			kill()
		}
	}
	if _, err := Run(ctx, w.o); err == nil {
		t.Fatal("it was not killed")
	}
	if _, err := os.Stat(w.path("draft.txt")); err == nil {
		t.Fatal("the draft is here already")
	}
	engine.dead.Store(false)
	w.on = nil
	for _, name := range []string{"mine.txt", "both.txt"} {
		if err := os.WriteFile(w.path(name), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.done()
	if w.content("draft.txt") != "draft\n" || w.content("mine.txt") != "mine" || w.content("both.txt") != "theirs\n" {
		t.Errorf("draft %q, mine %q, both %q", w.content("draft.txt"), w.content("mine.txt"), w.content("both.txt"))
	}
	if _, err := os.Stat(w.path("README.md")); err == nil {
		t.Error("what was removed is here again")
	}
	if left := len(w.engine.Volumes()); left > 0 {
		t.Errorf("%d volumes are left", left)
	}
}

// A hostile tree in the volume hurts neither the job nor the host.
func TestVolumeOfHostileTree(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(outside, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := inVolume(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") && turnOf(r) == 0 {
			return says(bash("mkfifo pipe; ln -s " + outside + " progress.md; rm feature_list.json; ln -s " + outside + " feature_list.json; " +
				"mkdir -p .glovebox && echo forged > .glovebox/features.json; ln -s .glovebox state; mkdir closed; echo x > closed/x; chmod 000 closed; mkdir .glovebox-incoming"))
		}
		if isFor(r, "hello") && turnOf(r) == 1 {
			return says(bash("chmod 700 closed; rm -rf closed pipe .glovebox state; echo 'echo hello' > hello.sh"), finish("hello"))
		}
		return greeter(r)
	})
	w.done()
	if data, _ := os.ReadFile(outside); string(data) != "precious" {
		t.Errorf("the file outside holds %q", data)
	}
	if strings.Contains(w.content(".glovebox/features.json"), "forged") {
		t.Error("the state was written by a box")
	}
}

// A sparse file is small in the volume and large on its way: what is far more
// than the quota is not fetched, the directory stays as it was, and without the
// volume the job goes on from there.
func TestVolumeTooLarge(t *testing.T) {
	longTest(t)
	t.Parallel()
	w := inVolume(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") {
			return says(bash("truncate -s 3G big"), blocked("x"), blocked("x"))
		}
		return greeter(r)
	})
	w.o.Limits.Disk = 32 << 20
	if e := w.ends(FailedRun); !strings.Contains(e.Reason, "--disk") || !strings.Contains(e.Hint, "glovebox clean") {
		t.Errorf("%v", e)
	}
	if _, err := os.Stat(w.path("big")); err == nil {
		t.Error("it was fetched")
	}
	left := w.engine.Volumes()
	if len(left) == 0 {
		t.Error("the volume is gone, and with it the work")
	}
	for name := range left { // as glovebox clean
		if err := w.engine.RemoveVolume(context.Background(), name); err != nil {
			t.Fatal(err)
		}
	}
	w.o.Model = actor(greeter)
	w.done()
}

// Files of the project belong to its owner, not to the box's user.
func TestVolumeKeepsTheOwner(t *testing.T) {
	longTest(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	t.Parallel()
	w := inVolume(t, greeter)
	lent := false
	w.on = func(e ledger.Event) { lent = lent || e.Kind == ledger.Lent }
	w.done()
	for _, name := range []string{"hello.sh", "tests/hello.sh", "feature_list.json", ".git/HEAD"} {
		info, err := os.Lstat(w.path(name))
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	if lent {
		t.Error("the directory was lent")
	}
}

// Fetching that takes too long ends the job with a reason and what to do.
func TestLateFetchIsExplained(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	var e *Error
	if err := late(ctx, ctx.Err()); !errors.As(err, &e) || e.Outcome != FailedRun || !strings.Contains(e.Reason, "15m") || e.Hint == "" {
		t.Errorf("it says %v", err)
	}
}
