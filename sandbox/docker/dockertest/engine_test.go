//go:build linux

package dockertest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox/docker/dockertest"
)

// An engine comes up, comes up again after each kind of end, and leaves
// nothing: no process, no mount, no file.
func TestEngineLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Docker engine; -short leaves it out")
	}
	var dir string
	t.Run("life", func(t *testing.T) {
		e := dockertest.Start(t, dockertest.Options{})
		dir = filepath.Dir(e.Socket())
		first := e.PID()
		e.Stop()
		e.Start()
		e.Kill()
		e.Start()
		if e.PID() == first {
			t.Error("it is the same process")
		}
	})
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dir, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounts are left, %v", err)
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, line := range lines {
		if b, err := os.ReadFile(line); err == nil && strings.Contains(string(b), dir) {
			t.Errorf("a process is left: %q", b)
		}
	}
}
