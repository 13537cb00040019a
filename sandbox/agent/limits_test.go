//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// cgroup is a directory that looks like a mounted control group.
type cgroup string

func (c cgroup) write(t *testing.T, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(string(c), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// events is memory.events as https://docs.kernel.org/admin-guide/cgroup-v2.html has it.
func events(oom, killed string) string {
	return "low 0\nhigh 0\nmax 7\noom " + oom + "\noom_kill " + killed + "\noom_group_kill 0\n"
}

func control(killed string) string {
	return "oom_kill_disable 0\nunder_oom 0\noom_kill " + killed + "\n"
}

// What the kernel counts, in the form of either version of control groups, is
// the limit that is named; a count that did not rise, or can't be read, is none.
func TestCounters(t *testing.T) {
	for name, c := range map[string]struct {
		before, after map[string]string
		want          []string
	}{
		"v2, nothing": {map[string]string{"memory.events": events("3", "3"), "pids.events": "max 9\n"}, nil, nil},
		"v2, memory": {map[string]string{"memory.events": events("3", "3"), "pids.events": "max 9\n"},
			map[string]string{"memory.events": events("4", "6")}, []string{wire.LimitMemory}},
		"v2, reached, nobody killed": {map[string]string{"memory.events": events("3", "3")},
			map[string]string{"memory.events": events("4", "3")}, nil},
		"v2, the machine's memory": {map[string]string{"memory.events": events("3", "3")},
			map[string]string{"memory.events": events("3", "4")}, []string{wire.LimitHostMemory}},
		"v2, pids": {map[string]string{"memory.events": events("0", "0"), "pids.events": "max 0\n"},
			map[string]string{"pids.events": "max 2\n"}, []string{wire.LimitPIDs}},
		"v2, both": {map[string]string{"memory.events": events("0", "0"), "pids.events": "max 0\n"},
			map[string]string{"memory.events": events("1", "1"), "pids.events": "max 2\n"}, []string{wire.LimitMemory, wire.LimitPIDs}},
		"v2, an older kernel": {map[string]string{"memory.events": "low 0\nhigh 0\nmax 0\noom 0\n"}, map[string]string{"memory.events": "low 0\nhigh 0\nmax 0\noom 1\n"}, nil},
		"v1, memory": {map[string]string{"memory/memory.oom_control": control("0"), "memory/memory.max_usage_in_bytes": "3960832\n", "memory/memory.limit_in_bytes": "100663296\n"},
			map[string]string{"memory/memory.oom_control": control("1"), "memory/memory.max_usage_in_bytes": "100663296\n"}, []string{wire.LimitMemory}},
		"v1, the machine's memory": {map[string]string{"memory/memory.oom_control": control("0"), "memory/memory.max_usage_in_bytes": "3960832\n", "memory/memory.limit_in_bytes": "100663296\n"},
			map[string]string{"memory/memory.oom_control": control("1")}, []string{wire.LimitHostMemory}},
		"v1, pids": {map[string]string{"pids/pids.events": "max 1\n"}, map[string]string{"pids/pids.events": "max 5\n"}, []string{wire.LimitPIDs}},
		"none":     {nil, map[string]string{"memory.events": events("9", "9")}, nil},
		"nonsense": {map[string]string{"memory.events": "oom_kill many\noom_kill\n", "pids.events": ""}, map[string]string{"memory.events": events("9", "9")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := cgroup(t.TempDir())
			root.write(t, c.before)
			counters := openCounters(string(root))
			before := counters.now()
			root.write(t, c.after)
			if got, _ := counters.since(before); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A command shares the box with every other one that ran at any moment between
// its beginning and its end, and with no other.
func TestCompany(t *testing.T) {
	var c company
	first := c.enter()
	second := c.enter()
	if !second() {
		t.Error("the second ran beside the first")
	}
	if !first() {
		t.Error("the first had the second beside it, which has ended")
	}
	if alone := c.enter(); alone() {
		t.Error("the third was alone")
	}
}

// An exit code of a shell means a signal; of another program it is its own.
func TestHitFileSize(t *testing.T) {
	for _, c := range []struct {
		result  wire.Result
		program string
		want    bool
	}{
		{wire.Result{Exit: -1, Signal: "SIGXFSZ"}, "dd", true},
		{wire.Result{Exit: 153}, "/bin/sh", true},
		{wire.Result{Exit: 153}, "bash", true},
		{wire.Result{Exit: 153}, "python3", false},
		{wire.Result{Exit: -1, Signal: "SIGKILL"}, "sh", false},
		{wire.Result{}, "sh", false},
	} {
		if got := hitFileSize(c.result, c.program); got != c.want {
			t.Errorf("%+v of %s: %v", c.result, c.program, got)
		}
	}
}
