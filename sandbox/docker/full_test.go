//go:build linux

package docker

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/docker/dockertest"
)

// fill writes files to a directory until its file system is full, and returns
// what takes them away.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	f, err := os.CreateTemp(dir, "filling")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill %s: %v", dir, err)
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// An engine whose disk is full starts no box and says why; nothing is left of
// the try, and with room again it works.
func TestEngineDiskFull(t *testing.T) {
	own := privateEngine(t, dockertest.Options{Disk: 128 << 20})
	e := engineAt(t, own.Host(), Options{})
	s := fewSpec(t, e)
	under := openBox(t, e, s) // the agent's volume is there
	leaves := leavesNothing(t, e)
	empty := fill(t, own.Data())
	if got := output(t, under, "echo here"); got != "here\n" { // it needs none of that disk
		t.Errorf("a box that runs says %q", got)
	}
	if err := under.Close(); err != nil {
		t.Errorf("a box can't be ended: %v", err)
	}
	more := fill(t, own.Data()) // what that box had
	b, err := sandbox.Open(t.Context(), e, s)
	if err == nil {
		b.Close()
		t.Error("a box was started")
	} else if !strings.Contains(err.Error(), "no space left on device") || len(err.Error()) > 1000 {
		t.Errorf("got %v", err)
	}
	t.Log(err)
	more()
	empty()
	b = openBox(t, e, s)
	if got := output(t, b, "echo here"); got != "here\n" {
		t.Errorf("with room again the box says %q", got)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	leaves()
}

// A workspace whose disk is full: a command fails as it does anywhere, a file
// call says that there is no space, what was there is not lost, and the box
// goes on.
func TestWorkspaceDiskFull(t *testing.T) {
	e := testEngine(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can make a small file system")
	}
	s := testSpec(t, e)
	if err := syscall.Mount("tmpfs", s.Workspace, "tmpfs", 0, "size=1m,mode=0777"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(s.Workspace, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	b := openBox(t, e, s)
	if _, _, err := b.WriteFile(t.Context(), "kept", []byte("before")); err != nil {
		t.Fatal(err)
	}
	c := shell("cat /dev/zero >big")
	c.Save = sandbox.Workspace + "/logs/1.txt"
	r, err := b.Run(t.Context(), c)
	if err != nil || r.Success() || !strings.Contains(r.Output(), "No space left on device") {
		t.Errorf("a command: %+v, %v", r, err)
	}
	if r.Saved {
		t.Error("its output is said to be saved")
	}
	var refused *fs.PathError
	_, _, err = b.WriteFile(t.Context(), "kept", make([]byte, 64<<10))
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("a file call: %v", err)
	}
	if got := output(t, b, "cat kept; ls -a"); !strings.HasPrefix(got, "before") || strings.Contains(got, ".glovebox-write") {
		t.Errorf("what is left: %q", got)
	}
	output(t, b, "rm big")
	if _, _, err := b.WriteFile(t.Context(), "kept", make([]byte, 64<<10)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
