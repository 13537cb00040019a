package tool_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// What the model is told of a script, for every way in which one ends.
func TestBashResults(t *testing.T) {
	out := func(s string) sandbox.Result {
		return sandbox.Result{Head: []byte(s), Duration: 410 * time.Millisecond}
	}
	exit := func(code int, s string) sandbox.Result { r := out(s); r.ExitCode = code; return r }
	killed := func() sandbox.Result {
		return sandbox.Result{ExitCode: -1, Signal: "SIGKILL", Duration: 3200 * time.Millisecond}
	}
	hit := func(r sandbox.Result, limits ...sandbox.Limit) sandbox.Result { r.Hit = limits; return r }
	full := func(r sandbox.Result) sandbox.Result {
		r.Hit = []sandbox.Limit{sandbox.LimitDisk}
		r.Full = &sandbox.Full{Limit: sandbox.LimitDisk, Most: 4 << 30, Usage: sandbox.Usage{Bytes: 4403 << 20, Files: 12, Largest: []sandbox.Item{
			{Path: "/workspace/data", Bytes: 4198 << 20, Files: 3, Dir: true}, {Path: "$HOME/core", Bytes: 102 << 10, Files: 1}}}}
		return r
	}
	for _, c := range []struct {
		name   string
		result sandbox.Result
		env    func(*tool.Env)
		want   string
		ok     bool
	}{
		{"fine", out("hello\n"), nil, "exit 0 · 0.41 s\nhello", true},
		{"silent", out(""), nil, "exit 0 · 0.41 s · no output", true},
		{"only blanks", out("\n\n"), nil, "exit 0 · 0.41 s · no output", true},
		{"failed", exit(1, "no\n"), nil, "exit 1 · 0.41 s\nno", false},
		{"escapes and bytes", out("\x1b[31mred\x1b[0m\xff\r\nb"), nil, "exit 0 · 0.41 s\nred�\nb", true},
		{"signal", sandbox.Result{ExitCode: -1, Signal: "SIGSEGV", Duration: 12 * time.Second}, nil, "killed by SIGSEGV · 12.0 s · no output", false},
		{"killed by a shell's account", exit(137, ""), nil, "exit 137 · 0.41 s · SIGKILL · no limit was seen to be hit, memory limit as set 2 GB · no output", false},
		{"killed", killed(), nil, "killed by SIGKILL · 3.20 s · no limit was seen to be hit, memory limit as set 2 GB · no output", false},
		{"memory", hit(exit(137, ""), sandbox.LimitMemory), nil, "exit 137 · 0.41 s · memory limit 2 GB hit · no output", false},
		{"memory of somebody", func() sandbox.Result { r := hit(out("x"), sandbox.LimitMemory); r.Shared = true; return r }(), nil,
			"exit 0 · 0.41 s · memory limit 2 GB hit · something else ran in the box too\nx", true},
		{"memory of the machine", hit(killed(), sandbox.LimitHostMemory), nil,
			"killed by SIGKILL · 3.20 s · killed for want of memory on the machine, below this box's limit · no output", false},
		{"pids", hit(exit(2, "sh: Cannot fork\n"), sandbox.LimitPIDs), nil, "exit 2 · 0.41 s · pids limit 2048 hit\nsh: Cannot fork", false},
		{"file size", hit(exit(153, ""), sandbox.LimitFileSize), nil, "exit 153 · 0.41 s · file size limit 4 GB hit · no output", false},
		{"tmp", hit(exit(1, ""), sandbox.LimitTemp), nil, "exit 1 · 0.41 s · /tmp limit 1 GB hit · no output", false},
		{"two limits", hit(exit(1, ""), sandbox.LimitMemory, sandbox.LimitPIDs), nil, "exit 1 · 0.41 s · memory limit 2 GB hit · pids limit 2048 hit · no output", false},
		{"output", hit(exit(0, "x"), sandbox.LimitOutput), nil, "exit 0 · 0.41 s\nx", true},
		{"disk", full(killed()), nil, "ended · 3.20 s · disk limit 4 GB hit · no output\n" +
			"This command, and its box, were ended: /workspace and $HOME may hold 4 GB together, they hold 4.3 GB. " +
			"Largest: /workspace/data/ 4.1 GB in 3 files, $HOME/core 102 KB. What was written is still there. " +
			"Delete what isn't needed; until then a call that adds to it is ended, too.", false},
		{"disk, just after the end", full(out("done\n")), nil, "exit 0 · 0.41 s · disk limit 4 GB hit\ndone\n" +
			"This command, and its box, were ended: /workspace and $HOME may hold 4 GB together, they hold 4.3 GB. " +
			"Largest: /workspace/data/ 4.1 GB in 3 files, $HOME/core 102 KB. What was written is still there. " +
			"Delete what isn't needed; until then a call that adds to it is ended, too.", false},
		{"timeout", sandbox.Result{ExitCode: -1, Signal: "SIGKILL", TimedOut: true, Hit: []sandbox.Limit{sandbox.LimitTime}, Head: []byte("up\n")}, nil,
			"timed out after 120 s\nup\nStopped after 120 s, with everything that ran in the box. If this is a server, start it with & in the same script, test it, kill it.", false},
		{"no bash", out("x\n"), func(e *tool.Env) { e.Shell = "sh" }, "exit 0 · 0.41 s\nx\n[This image has no bash: scripts run with sh.]", true},
		{"left behind", sandbox.Result{Left: []sandbox.Process{{PID: 7, Command: "sleep 9\x1b[m"}}}, nil,
			"exit 0 · 0.00 s · no output\n[Still running: sleep 9 (pid 7). Its box is kept for this session; later calls reach its servers on localhost. bash with box=\"b1\" and no command shows its output, with command=\"stop\" ends it.]", true},
		{"left running", sandbox.Result{Left: []sandbox.Process{{PID: 7, Command: "sleep 9"}}}, func(e *tool.Env) { e.Scope = sandbox.ScopeSession },
			"exit 0 · 0.00 s · no output\n[Still running: sleep 9 (pid 7). It runs on in this session's box. bash with box=\"b1\" and no command shows its output, with command=\"stop\" ends it.]", true},
		{"E7", exit(1, "cat: /tmp/out.log: No such file or directory\n"), nil,
			"exit 1 · 0.41 s\ncat: /tmp/out.log: No such file or directory\n/tmp/out.log isn't there: /tmp is new in every call. Use $HOME for files that must stay.", false},
		{"no E7 where /tmp stays", exit(1, "cat: /tmp/out.log: No such file or directory\n"), func(e *tool.Env) { e.Scope = sandbox.ScopeSession },
			"exit 1 · 0.41 s\ncat: /tmp/out.log: No such file or directory", false},
		{"E12", exit(1, "npm error getaddrinfo EAI_AGAIN registry\n"), func(e *tool.Env) { e.Installed = "python3 3.11" },
			"exit 1 · 0.41 s\nnpm error getaddrinfo EAI_AGAIN registry\nBoxes have no network; this can't work in any form. Installed: python3 3.11", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := usual()
			if c.env != nil {
				c.env(env)
			}
			r := run(t, &memory{result: c.result}, tool.Use{Name: tool.Bash, Command: "x"}, env)
			if r.Text != c.want {
				t.Errorf("\ngot  %q\nwant %q", r.Text, c.want)
			}
			if r.OK != c.ok || r.TimedOut != c.result.TimedOut || r.Exit != c.result.ExitCode || r.Changed {
				t.Errorf("flags: %+v", r)
			}
		})
	}
}

// That there is no bash is said once in a session, not with every call.
func TestNoBashIsSaidOnce(t *testing.T) {
	env, b := usual(), &memory{}
	env.Shell = "sh"
	first := run(t, b, tool.Use{Name: tool.Bash, Command: "x"}, env).Text
	second := run(t, b, tool.Use{Name: tool.Bash, Command: "x"}, env).Text
	if !strings.Contains(first, "no bash") || strings.Contains(second, "no bash") {
		t.Errorf("first %q, second %q", first, second)
	}
	if b.ran[0].Args[0] != "sh" {
		t.Errorf("ran %q", b.ran[0].Args)
	}
}

// How a script is run: by the shell, with our environment, empty input, both
// ends of its output and all of it in a file of its own.
func TestBashCommand(t *testing.T) {
	env, b := usual(), &memory{}
	env.Vars, env.Saved = []string{"A=b"}, 41
	run(t, b, tool.Use{Name: tool.Bash, Command: "a 'b'\nc"}, env)
	c := b.ran[0]
	if !slices.Equal(c.Args, []string{"bash", "-c", "a 'b'\nc"}) || !slices.Equal(c.Env, []string{"A=b"}) || c.Stdin != nil || c.Dir != "" {
		t.Errorf("command: %+v", c)
	}
	if c.Head != 4096 || c.Tail != 8192 || c.Save != "/home/glovebox/out/42.txt" || c.Timeout != 2*time.Minute {
		t.Errorf("bounds: %+v", c)
	}
	for _, at := range []struct {
		usual, asked, want time.Duration
		said               bool
	}{
		{0, 0, 2 * time.Minute, false},
		{30 * time.Second, 0, 30 * time.Second, false},
		{30 * time.Second, time.Minute, time.Minute, false},
		{0, time.Hour, 10 * time.Minute, true},
		{20 * time.Minute, time.Hour, 20 * time.Minute, true},
	} {
		env.Limits.Timeout = at.usual
		text := run(t, b, tool.Use{Name: tool.Bash, Command: "x", Timeout: at.asked}, env).Text
		if got := b.ran[len(b.ran)-1].Timeout; got != at.want || strings.Contains(text, "s is the most") != at.said {
			t.Errorf("%+v: timeout %s, %q", at, got, text)
		}
	}
}

// Long output: whole lines from both ends, what is missing counted to the
// byte, and where to find it.
func TestLongOutput(t *testing.T) {
	r := sandbox.Result{Head: []byte("one\ntwo\nthr"), Tail: []byte("efour\nfive\nsix\n"), Elided: 5000, ExitCode: 1, Saved: true}
	got := run(t, &memory{result: r}, tool.Use{Name: tool.Bash, Command: "x"}, nil).Text
	want := "exit 1 · 0.00 s\none\ntwo\n[4.9 KB left out here; all of it is in $HOME/out/1.txt: grep it or read it in parts]\nfive\nsix"
	if got != want {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}

	line := strings.Repeat("é", 2000)
	got = run(t, &memory{result: sandbox.Result{Head: []byte(line + "\nend")}}, tool.Use{Name: tool.Bash, Command: "x"}, nil).Text
	if want := "exit 0 · 0.00 s\n" + strings.Repeat("é", 500) + "… [2.9 KB more in this line]\nend"; got != want {
		t.Errorf("a long line became %q", got)
	}
}

// A box that is lost is no result: the model must not take it for one.
func TestLostBox(t *testing.T) {
	lost := fmt.Errorf("run: %w", sandbox.ErrBoxLost)
	for _, u := range []tool.Use{
		{Name: tool.Bash, Command: "x"}, {Name: tool.Read, Path: "a"}, {Name: tool.Write, Path: "a"}, {Name: tool.Edit, Path: "a", Old: "b"},
	} {
		r, err := tool.Run(t.Context(), &memory{err: lost}, u, usual())
		if !errors.Is(err, sandbox.ErrBoxLost) || r.Text != "" {
			t.Errorf("%s: %+v, %v", u.Name, r, err)
		}
	}
	if _, err := tool.Run(t.Context(), &memory{}, tool.Use{Name: tool.Finish}, usual()); err == nil {
		t.Error("finish ran in a box")
	}
}

// What every command in a box can rely on.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"/opt/bin:/bin", "PATH=/opt/bin:/bin"},
		{"", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		{".:/bin", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		{"/bin\n/x", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	} {
		env := tool.Environment(c.path)
		if !slices.Contains(env, c.want) {
			t.Errorf("%q: no %q in %q", c.path, c.want, env)
		}
		seen := map[string]bool{}
		for _, kv := range env {
			k, _, ok := strings.Cut(kv, "=")
			if !ok || seen[k] {
				t.Errorf("%q is no variable or there twice", kv)
			}
			seen[k] = true
		}
	}
}

// Where the rest of an output lies is told as far as it was kept, and that it
// was more than is kept is a limit like any other.
func TestOutputBeyondWhatIsKept(t *testing.T) {
	for _, at := range []struct {
		elided int64
		saved  bool
		where  string
		hit    string
	}{
		{5000, true, "all of it is in $HOME/out/1.txt", ""},
		{5 << 20, true, "only its first 4 MB are in $HOME/out/1.txt", "output limit 4 MB hit"},
		{5000, false, "it could not be saved", ""},
		{5 << 20, false, "it could not be saved", "output limit 4 MB hit"},
	} {
		r := sandbox.Result{Head: []byte("a\n"), Tail: []byte("b\n"), Elided: at.elided, Saved: at.saved, Hit: []sandbox.Limit{sandbox.LimitOutput}}
		got := run(t, &memory{result: r}, tool.Use{Name: tool.Bash, Command: "x"}, nil)
		words := ""
		for _, hit := range got.Hits {
			words += hit.Words
		}
		first, _, _ := strings.Cut(got.Text, "\n")
		if !strings.Contains(got.Text, at.where) || !at.saved && strings.Contains(got.Text, "/out/") || words != at.hit || !strings.Contains(first, at.hit) {
			t.Errorf("%+v: hits %q in %q", at, words, got.Text)
		}
	}
}

// A command that was stopped for two reasons is explained once.
func TestFullDiskExplainsTheTimeout(t *testing.T) {
	r := sandbox.Result{TimedOut: true, Hit: []sandbox.Limit{sandbox.LimitTime, sandbox.LimitDisk},
		Full: &sandbox.Full{Limit: sandbox.LimitDisk, Most: 4 << 30}}
	text := run(t, &memory{result: r}, tool.Use{Name: tool.Bash, Command: "x"}, nil).Text
	timeout := strings.TrimSpace(prompts.Message("E13", map[string]any{"Seconds": "120"}))
	if strings.Contains(text, timeout) || !strings.Contains(text, "were ended") {
		t.Errorf("it says %q", text)
	}
}
