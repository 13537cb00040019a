package docker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// watchedSpec is a box whose workspace and home may hold 64 MiB together.
func watchedSpec(t testing.TB, e *Engine) sandbox.Spec {
	s := testSpec(t, e)
	s.Limits.Disk = 64 << 20
	dir := ownFileSystem(t)
	s.Workspace, s.Home = filepath.Join(dir, "workspace"), filepath.Join(dir, "home")
	for _, d := range []string{s.Workspace, s.Home} {
		mkdir(t, d)
		if err := os.Chown(d, s.User.UID, s.User.GID); err != nil {
			t.Fatal(err)
		}
	}
	meter, err := sandbox.NewDirMeter(s.Workspace, nil, s.Home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { meter.Close() })
	s.Disk = sandbox.NewDisk(s.Limits, meter)
	return s
}

// ownFileSystem is a directory on a file system that nobody else writes to,
// where the test may mount one; else whatever else the machine does counts.
func ownFileSystem(t testing.TB) string {
	dir := t.TempDir()
	if os.Getuid() != 0 {
		return dir
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1800m,mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillers are ways to fill the disk. Each writes far more than the quota if
// nobody stops it, and then waits.
func fillers() map[string]struct {
	script string
	want   sandbox.Limit
	names  string // in what is named as largest
} {
	return map[string]struct {
		script string
		want   sandbox.Limit
		names  string
	}{
		"big files": {"mkdir data; n=0; while test $n -lt 20; do dd if=/dev/zero of=data/$n bs=1M count=32 2>&1; n=$((n+1)); done; sleep 30",
			sandbox.LimitDisk, "/workspace/data"},
		"home": {"n=0; while test $n -lt 20; do dd if=/dev/zero of=/home/glovebox/$n bs=1M count=32 2>&1; n=$((n+1)); done; sleep 30",
			sandbox.LimitDisk, "$HOME"},
		"small files": {"mkdir many; n=0; while test $n -lt 15000; do printf %16384d 0 >many/$n; n=$((n+1)); done; sleep 30",
			sandbox.LimitDisk, "/workspace/many"},
		"empty files": {"mkdir empty; a=0; while test $a -lt 100; do mkdir empty/$a; cd empty/$a; n=0; while test $n -lt 1000; do >$n; n=$((n+1)); done; cd ../..; a=$((a+1)); done; sleep 30",
			sandbox.LimitFiles, "/workspace/empty"},
		"deleted and open": {"n=0; while test $n -lt 7; do eval \"exec $((n+2))>d$n\"; dd if=/dev/zero bs=1M count=60 >&$((n+2)) 2>/dev/null; rm d$n; n=$((n+1)); done; (n=0; while test $n -lt 7; do eval \"exec $((n+2))>e$n\"; dd if=/dev/zero bs=1M count=60 >&$((n+2)) 2>/dev/null; rm e$n; n=$((n+1)); done; sleep 30); sleep 30",
			sandbox.LimitUnseen, ""},
	}
}

// The call that fills the disk is ended, its box is gone, and it is told what
// was crossed and where. Afterwards what is left can be deleted, and then work
// goes on.
func TestI7DiskQuotaEndsTheCall(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	for name, fill := range fillers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watchedSpec(t, e)
			b := openBox(t, e, s)
			c := shell("echo begun; " + fill.script)
			c.Timeout = 60 * time.Second
			r, err := b.Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			f := r.Full
			if f == nil || f.Limit != fill.want || len(r.Hit) == 0 || r.Hit[len(r.Hit)-1] != fill.want || r.Success() {
				t.Fatalf("exit %d %s, hit %q, full %+v: %.300s", r.ExitCode, r.Signal, r.Hit, f, r.Output())
			}
			t.Logf("after %s: %+v", r.Duration, *f)
			if !strings.HasPrefix(string(r.Head), "begun\n") {
				t.Errorf("what it had written is lost: %q", r.Head)
			}
			if fill.names != "" && (len(f.Usage.Largest) == 0 || !strings.HasPrefix(f.Usage.Largest[0].Path, fill.names)) {
				t.Errorf("largest: %+v, want %s", f.Usage.Largest, fill.names)
			}
			if _, err := b.Run(t.Context(), shell("true")); !errors.Is(err, sandbox.ErrBoxLost) {
				t.Errorf("the box is still there: %v", err)
			}
			awaitGone(t, e, b.ID())
			if fill.want != sandbox.LimitUnseen {
				recovers(t, e, s)
			}
		})
	}
}

// recovers shows that a session goes on after the disk was full.
func recovers(t *testing.T, e *Engine, s sandbox.Spec) {
	b := openBox(t, e, s)
	output(t, b, "du -s /workspace; ls | head -3; echo note >note")
	output(t, b, "rm -rf /workspace/* /home/glovebox/*")
	output(t, b, "dd if=/dev/zero of=half bs=1M count=30 2>&1; sleep 0.5; ls")
}

// A call that adds to a disk that is too full is ended too; one that does not, is not.
func TestDiskQuotaLetsDeleteOnly(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	s := watchedSpec(t, e)
	b := openBox(t, e, s)
	if r, err := b.Run(t.Context(), shell("for n in 1 2 3 4; do dd if=/dev/zero of=$n bs=1M count=30 2>&1; done; sleep 30")); err != nil || r.Full == nil {
		t.Fatalf("%+v, %v", r, err)
	}
	b = openBox(t, e, s)
	output(t, b, "echo a little >more; cat more; sleep 0.5")
	r, err := b.Run(t.Context(), shell("dd if=/dev/zero of=5 bs=1M count=30 2>&1; sleep 30"))
	if err != nil || r.Full == nil || r.Full.Limit != sandbox.LimitDisk {
		t.Fatalf("30 MiB more: %+v, %v", r, err)
	}
}

// What takes no room is not counted: holes, and further names of a file.
func TestDiskQuotaCountsBlocks(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	b := openBox(t, e, watchedSpec(t, e))
	output(t, b, "for n in 1 2 3 4 5 6; do dd if=/dev/zero of=hole$n bs=1 count=1 seek=62000000 2>&1; done; sleep 0.5")
	output(t, b, "dd if=/dev/zero of=one bs=1M count=30 2>&1; for n in $(seq 50); do ln one name$n; done; sleep 0.5")
	output(t, b, "echo alive")
}

// A short call is over before the watch has seen anything. It is told all the
// same, with its own exit code, and its box is gone.
func TestDiskQuotaOfAShortCall(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	b := openBox(t, e, watchedSpec(t, e))
	r, err := b.Run(t.Context(), shell("for n in 1 2; do fallocate -l 60M f$n 2>/dev/null || dd if=/dev/zero of=f$n bs=1M count=60 2>/dev/null; done"))
	if err != nil || r.Full == nil || r.Full.Limit != sandbox.LimitDisk {
		t.Fatalf("%+v, %v", r, err)
	}
	if b.Lost() == nil {
		t.Error("the box lives on")
	}
}

// A file that is written whole by the host's order counts as well.
func TestDiskQuotaOfAWrittenFile(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	b := openBox(t, e, watchedSpec(t, e))
	var full *sandbox.Full
	var err error
	for n := 0; n < 6 && err == nil; n++ {
		_, _, err = b.WriteFile(t.Context(), strings.Repeat("f", n+1), make([]byte, 20<<20))
	}
	if !errors.As(err, &full) || !errors.Is(err, sandbox.ErrBoxLost) || full.Limit != sandbox.LimitDisk {
		t.Errorf("%v", err)
	}
}

// Where the host can't see the files, the agent measures, with the same result.
func TestDiskQuotaMeasuredInTheBox(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	s := watchedSpec(t, e)
	s.Disk = sandbox.NewDisk(s.Limits, nil)
	b := openBox(t, e, s)
	output(t, b, "mkdir data; dd if=/dev/zero of=data/half bs=1M count=30 2>&1; dd if=/dev/zero of=data/hole bs=1 count=1 seek=62000000 2>&1")
	u, err := b.Usage(t.Context(), sandbox.RankBytes)
	if err != nil || u.Bytes < 30<<20 || u.Bytes > 32<<20 || len(u.Largest) != 1 || u.Largest[0].Path != "/workspace/data/half" {
		t.Errorf("usage: %+v, %v", u, err)
	}
	space, err := b.Space(t.Context())
	if err != nil || space.Free <= 0 || space.Used <= 0 || space.Size < space.Free {
		t.Errorf("space: %+v, %v", space, err)
	}
	r, err := b.Run(t.Context(), shell("for n in 1 2 3 4 5 6; do dd if=/dev/zero of=data/$n bs=1M count=30 2>&1; done; sleep 30"))
	if err != nil || r.Full == nil || r.Full.Limit != sandbox.LimitDisk || len(r.Full.Usage.Largest) == 0 {
		t.Errorf("%+v, %v", r.Full, err)
	}
}
