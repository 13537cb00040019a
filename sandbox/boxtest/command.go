//go:build linux

package boxtest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// commandContract is about what a command is given and how its end is told.
func commandContract() map[string]func(*testing.T, contract) {
	return map[string]func(*testing.T, contract){
		"exit code":       exitCode,
		"signal":          signalled,
		"arguments":       arguments,
		"environment":     environment,
		"directory":       directory,
		"stdin":           stdin,
		"stdin unread":    stdinUnread,
		"no stdin":        noStdin,
		"missing program": missingProgram,
		"refused":         refusedCommand,
	}
}

func exitCode(t *testing.T, c contract) {
	b := c.open(t)
	for _, want := range []int{0, 1, 42, 255} {
		r := run(t, b, shell("exit "+itoa(want)))
		equal(t, "exit code", r.ExitCode, want)
		equal(t, "success", r.Success(), want == 0)
		equal(t, "signal", r.Signal, "")
	}
}

func signalled(t *testing.T, c contract) {
	b := c.open(t)
	for _, want := range []string{"SIGKILL", "SIGTERM", "SIGSEGV"} {
		r := run(t, b, shell("kill -"+strings.TrimPrefix(want, "SIG")+" $$; sleep 60"))
		equal(t, "signal", r.Signal, want)
		equal(t, "exit code", r.ExitCode, -1)
		equal(t, "success", r.Success(), false)
	}
}

// arguments: what a model writes must reach the program byte by byte, or a
// file name or a pattern is silently another.
func arguments(t *testing.T, c contract) {
	b := c.open(t)
	args := []string{"", " ", "a b", "$HOME", "'", `"`, `\`, "\n", "*", "-n", "ä", "\xff\xfe", "\x01", strings.Repeat("x", 100<<10)}
	cmd := shell(`for a; do printf '%s\036' "$a"; done`)
	cmd.Args = append(cmd.Args, "sh")
	cmd.Args = append(cmd.Args, args...)
	cmd.Head = 1 << 20
	equal(t, "arguments", run(t, b, cmd).Output(), strings.Join(args, "\036")+"\036")
}

func environment(t *testing.T, c contract) {
	b := c.open(t)
	want := []string{path, "A=1", "B=two words", "C=", "D=\xff", "E=a=b"}
	cmd := shell("exec cat /proc/self/environ")
	cmd.Env = want
	got := strings.Split(strings.TrimSuffix(run(t, b, cmd).Output(), "\x00"), "\x00")
	// A shell may add what it keeps for itself; what it was given must be there, and nothing of the host.
	own := map[string]bool{"PWD": true, "OLDPWD": true, "SHLVL": true, "_": true}
	var rest []string
	for _, entry := range got {
		if name, _, _ := strings.Cut(entry, "="); !own[name] {
			rest = append(rest, entry)
		}
	}
	if !sameSet(rest, want) {
		t.Errorf("environment: got %q, want %q", rest, want)
	}
	empty := sandbox.Command{Args: []string{"/bin/cat", "/proc/self/environ"}, Timeout: patience, Head: 1 << 10}
	equal(t, "empty environment", run(t, b, empty).Output(), "")
}

func directory(t *testing.T, c contract) {
	b := c.open(t)
	workspace := strings.TrimSpace(output(t, b, "mkdir -p sub/dir && pwd -P"))
	for dir, want := range map[string]string{"": workspace, "sub/dir": workspace + "/sub/dir", sandbox.Workspace + "/sub": workspace + "/sub", "/": "/"} {
		cmd := shell("pwd -P")
		cmd.Dir = dir
		equal(t, "directory of "+dir, strings.TrimSpace(run(t, b, cmd).Output()), want)
	}
	cmd := shell("pwd")
	cmd.Dir = "missing"
	r := run(t, b, cmd)
	equal(t, "exit code in a missing directory", r.ExitCode, 126)
	if !strings.Contains(r.Output(), "missing") {
		t.Errorf("output does not name the missing directory: %q", r.Output())
	}
}

func stdin(t *testing.T, c contract) {
	b := c.open(t)
	for _, size := range []int{0, 1, 1 << 20} {
		cmd := shell("wc -c")
		cmd.Stdin = bytes.Repeat([]byte("x"), size)
		equal(t, "bytes of stdin", strings.TrimSpace(run(t, b, cmd).Output()), itoa(size))
	}
}

// stdinUnread: a program need not read its input, and must not be waited for
// because of it.
func stdinUnread(t *testing.T, c contract) {
	b := c.open(t)
	cmd := shell("exit 3")
	cmd.Stdin = make([]byte, 8<<20)
	equal(t, "exit code", run(t, b, cmd).ExitCode, 3)
	equal(t, "after it", output(t, b, "echo on"), "on\n")
}

func noStdin(t *testing.T, c contract) {
	b := c.open(t)
	equal(t, "stdin", output(t, b, "readlink /proc/self/fd/0; cat"), "/dev/null\n")
	// No descriptor but the three: the fourth is the one that ls reads the directory with.
	equal(t, "descriptors", output(t, b, "exec ls /proc/self/fd"), "0\n1\n2\n3\n")
}

func missingProgram(t *testing.T, c contract) {
	b := c.open(t)
	output(t, b, "printf 'no program' > plain; printf '#!/no/interpreter\n' > orphan; chmod +x orphan; mkdir folder")
	for name, want := range map[string]int{"no-such-program": 127, "./no-such-program": 127, "./orphan": 127, "./plain": 126, "./folder": 126} {
		r := run(t, b, sandbox.Command{Args: []string{name}, Env: []string{path}, Timeout: patience, Head: 1 << 10})
		equal(t, "exit code of "+name, r.ExitCode, want)
		if !strings.Contains(r.Output(), name) {
			t.Errorf("output of %s does not name it: %q", name, r.Output())
		}
	}
	r := run(t, b, sandbox.Command{Args: []string{"sh"}, Timeout: patience, Head: 1 << 10})
	equal(t, "exit code without PATH", r.ExitCode, 127)
}

// refusedCommand: what can't be a command is our error, and no reason to lose the box.
func refusedCommand(t *testing.T, c contract) {
	b := c.open(t)
	for name, cmd := range map[string]sandbox.Command{
		"no arguments":     {},
		"NUL":              {Args: []string{"a\x00b"}},
		"negative timeout": {Args: []string{"true"}, Timeout: -time.Second},
		"negative head":    {Args: []string{"true"}, Head: -1},
		"endless tail":     {Args: []string{"true"}, Tail: 1 << 40},
		"endless argument": {Args: []string{strings.Repeat("x", 8<<20)}},
	} {
		if _, err := b.Run(context.Background(), cmd); err == nil {
			t.Errorf("%s: was run", name)
		}
	}
	r := run(t, b, sandbox.Command{Args: []string{"sh", "-c", strings.Repeat("#", 1<<20)}, Env: []string{path}, Timeout: patience, Head: 1 << 10})
	equal(t, "exit code of an argument that is too long for Linux", r.ExitCode, 126)
	equal(t, "after them", output(t, b, "echo on"), "on\n")
}
