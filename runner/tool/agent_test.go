package tool_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

func TestMain(m *testing.M) { boxtest.Main(m) }

// bench is a box with the real agent in a workspace and a home of its own.
type bench struct {
	*sandbox.Box
	workspace, home string
	env             *tool.Env
}

func openBench(t *testing.T) bench {
	t.Helper()
	b := bench{workspace: t.TempDir(), home: t.TempDir(), env: usual()}
	b.env.Vars = tool.Environment(os.Getenv("PATH"))
	box, err := sandbox.Open(t.Context(), boxtest.New(t), sandbox.Spec{
		Workspace: b.workspace, Home: b.home, Limits: sandbox.DefaultLimits(), User: sandbox.User{UID: 10001, GID: 10001}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	b.Box = box
	return b
}

func (b bench) do(t *testing.T, u tool.Use) tool.Result {
	t.Helper()
	return run(t, b.Box, u, b.env)
}

func (b bench) bash(t *testing.T, script string) tool.Result {
	t.Helper()
	return b.do(t, tool.Use{Name: tool.Bash, Command: script, Timeout: 20 * time.Second})
}

// A model's usual way through a file, with the agent that works in every box.
func TestAgentFiles(t *testing.T) {
	b := openBench(t)
	for _, step := range []struct {
		u    tool.Use
		want string
	}{
		{tool.Use{Name: tool.Write, Path: "src/todo.py", Content: "print('a')\n"}, "wrote src/todo.py · 1 line · 11 B"},
		{tool.Use{Name: tool.Edit, Path: "/workspace/src/todo.py", Old: "'a'", New: "'b'"}, "edited src/todo.py · line 1 · -1 +1"},
		{tool.Use{Name: tool.Read, Path: "src/todo.py"}, "src/todo.py · lines 1-1 of 1 · 11 B\nprint('b')"},
		{tool.Use{Name: tool.Write, Path: "src/todo.py", Content: "x\ny\n"}, "wrote src/todo.py · 2 lines · 4 B (was: 1 line)"},
		{tool.Use{Name: tool.Read, Path: "."}, "/workspace · folder · 2 entries, 2 levels\nsrc/\nsrc/todo.py"},
		{tool.Use{Name: tool.Read, Path: "src/nope.py"}, "src/nope.py isn't there. In src: todo.py"},
		{tool.Use{Name: tool.Read, Path: "src/todo.py/x"}, "A part of the path src/todo.py/x is a file, not a folder. Nothing was read."},
		{tool.Use{Name: tool.Write, Path: "src", Content: "x"}, "src is a folder. Nothing was written."},
		{tool.Use{Name: tool.Edit, Path: "src", Old: "x", New: "y"}, "src is a folder. Nothing was changed."},
		{tool.Use{Name: tool.Read, Path: "/dev/null"}, "/dev/null is a pipe, socket or device. Nothing was read."},
	} {
		if got := b.do(t, step.u).Text; got != step.want {
			t.Errorf("%s %s:\ngot  %q\nwant %q", step.u.Name, step.u.Path, got, step.want)
		}
	}
	data, err := os.ReadFile(filepath.Join(b.workspace, "src/todo.py"))
	if err != nil || string(data) != "x\ny\n" {
		t.Errorf("the workspace holds %q, %v", data, err)
	}
}

// A script starts in the workspace with empty input; its exit code and output come back.
func TestAgentBash(t *testing.T) {
	b := openBench(t)
	r := b.bash(t, "echo out; echo err >&2; cat; touch made; exit 3")
	if line, rest, _ := strings.Cut(r.Text, "\n"); !strings.HasPrefix(line, "exit 3 · 0.") || rest != "out\nerr" || r.Exit != 3 || r.OK {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(filepath.Join(b.workspace, "made")); err != nil {
		t.Errorf("the script did not run in the workspace: %v", err)
	}
	if r := b.bash(t, "git config --get user.name; git config init.defaultBranch; echo $CI"); !strings.HasSuffix(r.Text, "main\n1") {
		t.Errorf("the environment is not set: %q", r.Text)
	}
}

// Of long output both ends are shown, and all of it can be read afterwards
// under the name that the result gives.
func TestAgentLongOutput(t *testing.T) {
	b := openBench(t)
	r := b.bash(t, "seq 1 20000")
	if !strings.Contains(r.Text, "\n1\n2\n3\n") || !strings.HasSuffix(r.Text, "\n19999\n20000") || len(r.Text) > 13_000 {
		t.Errorf("%d bytes of result: %.100q", len(r.Text), r.Text)
	}
	if !strings.Contains(r.Text, "left out here; all of it is in $HOME/out/1.txt") {
		t.Error("the result does not say where all of it is")
	}
	full := b.do(t, tool.Use{Name: tool.Read, Path: "$HOME/out/1.txt", Offset: 10000, Limit: 1})
	if !strings.Contains(full.Text, "lines 10000-10000 of 20000 ·") || !strings.Contains(full.Text, "\n10000\n") {
		t.Errorf("the full output: %q", full.Text)
	}
}

// A server left in the background does not hold the call, and is named.
func TestAgentLeftBehind(t *testing.T) {
	b := openBench(t)
	start := time.Now()
	r := b.bash(t, "sleep 300 & echo started")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the call took %s", took)
	}
	if !r.OK || !strings.Contains(r.Text, "\nstarted\n[Still running: sleep 300 (pid ") {
		t.Errorf("%q", r.Text)
	}
}

// Time that is over ends the script and the box; what it printed is kept.
func TestAgentTimeout(t *testing.T) {
	b := openBench(t)
	r := b.do(t, tool.Use{Name: tool.Bash, Command: "echo up; sleep 300", Timeout: time.Second})
	if !strings.HasPrefix(r.Text, "timed out after 1 s\nup\nStopped after 1 s") || !r.TimedOut || r.OK {
		t.Errorf("%+v", r)
	}
	if _, err := tool.Run(t.Context(), b.Box, tool.Use{Name: tool.Bash, Command: "true"}, b.env); err == nil {
		t.Error("the box still works")
	}
}
