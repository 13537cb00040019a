package docker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// smallSpec is a box that soon meets its limits.
func smallSpec(t testing.TB, e *Engine) sandbox.Spec {
	s := testSpec(t, e)
	s.Limits = sandbox.Limits{Memory: 96 << 20, CPUs: 0.5, PIDs: 64, Disk: 4 << 20, Timeout: 30 * time.Second}
	return s
}

// The limits as the kernel has them, under either version of control groups.
func TestI7LimitsAreInTheKernel(t *testing.T) {
	e := testEngine(t)
	s := smallSpec(t, e)
	b := openBox(t, e, s)
	f, err := e.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"memory.max": fmt.Sprint(s.Limits.Memory), "memory.swap.max": "0", "pids.max": "64", "cpu.max": "50000 100000",
	}
	if f.Cgroup == "1" {
		want = map[string]string{
			"memory/memory.limit_in_bytes": fmt.Sprint(s.Limits.Memory), "memory/memory.memsw.limit_in_bytes": fmt.Sprint(s.Limits.Memory),
			"pids/pids.max": "64", "cpu/cpu.cfs_quota_us": "50000",
		}
	}
	if !f.Swap { // the kernel may then count none
		delete(want, "memory.swap.max")
		delete(want, "memory/memory.memsw.limit_in_bytes")
	}
	for file, value := range want {
		if got := strings.TrimSpace(output(t, b, "cat /sys/fs/cgroup/"+file)); got != value {
			t.Errorf("%s is %s, want %s", file, got, value)
		}
	}
	limits := output(t, b, "cat /proc/self/limits")
	for name, value := range map[string]int64{"Max core file size": 0, "Max file size": s.Limits.Disk, "Max open files": openFiles, "Max msgqueue size": queueBytes} {
		if !hasLimit(limits, name, value) {
			t.Errorf("%s is not %d:\n%s", name, value, limits)
		}
	}
}

func hasLimit(limits, name string, value int64) bool {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			f := strings.Fields(rest)
			return len(f) > 1 && f[0] == fmt.Sprint(value) && f[1] == f[0]
		}
	}
	return false
}

// What takes too much memory is killed; its box lives on and says so.
func TestI7MemoryLimitBites(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, smallSpec(t, e))
	r, err := b.Run(t.Context(), shell("head -c 500m /dev/zero | tail"))
	if err != nil {
		t.Fatal(err)
	}
	if r.ExitCode != 137 { // the shell says that its child got SIGKILL
		t.Errorf("500 MB in a box of 96: exit code %d, signal %q", r.ExitCode, r.Signal)
	}
	if got := output(t, b, "echo alive"); got != "alive\n" {
		t.Errorf("afterwards: %q", got)
	}
}

func TestI7ProcessLimitBites(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, smallSpec(t, e))
	// The shell ends at the first fork that fails.
	r, err := b.Run(t.Context(), shell("n=0; while test $n -lt 100; do sleep 60 & n=$((n+1)); echo $n; done"))
	if err != nil {
		t.Fatal(err)
	}
	if r.ExitCode == 0 || len(strings.Fields(string(r.Head))) == 0 {
		t.Errorf("100 processes in a box of 64: exit code %d, %.200s", r.ExitCode, r.Output())
	}
}

// No file grows beyond the limit of disk, and /tmp is full before memory is.
func TestI7DiskLimitBites(t *testing.T) {
	e := testEngine(t)
	s := smallSpec(t, e)
	b := openBox(t, e, s)
	for _, file := range []string{"/workspace/big", "/tmp/big"} {
		r, err := b.Run(t.Context(), shell("dd if=/dev/zero of="+file+" bs=1M count=8; code=$?; stat -c %s "+file+"; exit $code"))
		if err != nil {
			t.Fatal(err)
		}
		if r.ExitCode == 0 || !strings.Contains(r.Output(), fmt.Sprint(s.Limits.Disk)+"\n") {
			t.Errorf("8 MiB in %s: exit code %d, %s", file, r.ExitCode, r.Output())
		}
	}
}

// An empty workspace and home are writable by the box's user and gone with the box.
func TestEmptyWorkspaceAndHome(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	s.Workspace, s.Home = "", ""
	for range 2 {
		b := openBox(t, e, s)
		got := output(t, b, "ls -A /workspace /home/glovebox; touch /workspace/x /home/glovebox/y; cp /bin/true /workspace/t; /workspace/t && echo ran")
		if got != "/home/glovebox:\n\n/workspace:\nran\n" {
			t.Errorf("got %q", got)
		}
		b.Close()
	}
}

// Any image will do that has a shell, and nothing is taken from it but that.
func TestImageWithOnlyAShell(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	s.Image = testImage(t, e, shellTag, []string{"sh"})
	b := openBox(t, e, s)
	if got := output(t, b, "echo hello; echo $0"); got != "hello\n/bin/sh\n" {
		t.Errorf("got %q", got)
	}
	if _, _, err := b.WriteFile(t.Context(), "dir/file", []byte("content")); err != nil {
		t.Fatal(err)
	}
	_, data, err := b.ReadFile(t.Context(), "dir/file", 100)
	if err != nil || string(data) != "content" {
		t.Errorf("got %q, %v", data, err)
	}
}

// What is wrong with a spec is said before anything is made.
func TestStartRefuses(t *testing.T) {
	e := testEngine(t)
	tests := map[string]func(*sandbox.Spec){
		"a tag":               func(s *sandbox.Spec) { s.Image = toolsTag },
		"an unknown image":    func(s *sandbox.Spec) { s.Image = "sha256:" + strings.Repeat("0", 64) },
		"root":                func(s *sandbox.Spec) { s.User.UID = 0 },
		"a missing workspace": func(s *sandbox.Spec) { s.Workspace += "/missing" },
		"a missing home":      func(s *sandbox.Spec) { s.Home += "/missing" },
		"hidden and missing":  func(s *sandbox.Spec) { s.Hidden = []string{".glovebox"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := testSpec(t, e)
			s.Job = word()
			change(&s)
			c, err := e.Start(t.Context(), s)
			if err == nil {
				c.Close()
				t.Fatal("started")
			}
			t.Log(err)
			nothingLeft(t, e, s.Job)
		})
	}
}
