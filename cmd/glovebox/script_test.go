package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the real main a command of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"glovebox":        main,
		"glovebox-killed": killedMain,
		"glovebox-stuck":  stuckMain,
	})
}

// The scripts run the real program: exit code, stdout, the silence of the
// other stream, and what must not exist afterwards.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

// The same with a Docker engine.
func TestDockerScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Docker engine and the python image")
	}
	runScripts(t, "testdata/docker")
}

func runScripts(t *testing.T, dir string) { runScriptsWith(t, dir, scriptCommands()) }

// scriptCommands are the commands of every script besides testscript's own.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":       exits,
		"serve":       serve,
		"terminal":    onTerminal,
		"twolines":    twoLines,
		"noboxes":     noBoxes,
		"noneruns":    noneRuns,
		"nothingleft": nothingLeft,
		"incontainer": inContainer,
		"once":        once,
		"jsonlines":   jsonLines,
		"asked":       asked,
		"private":     private,
		"fakeengine":  fakeEngine,
	}
}

func runScriptsWith(t *testing.T, dir string, commands map[string]func(*testscript.TestScript, bool, []string)) {
	cache := t.TempDir() // what the image holds is found out once, not by every script
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Cmds:                commands,
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"DOCKER_HOST", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
				if value, ok := os.LookupEnv(name); ok {
					e.Setenv(name, value)
				}
			}
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("XDG_CACHE_HOME", cache)
			return copyFiles(e.WorkDir, map[string]string{
				"spec.txt":   "../../prompts/app_spec.txt",
				"hello.txt":  "../../examples/hello/spec.txt",
				"hello.yaml": "../../examples/hello/hello.yaml",
			})
		},
	})
}

// copyFiles puts files into a script's directory.
func copyFiles(dir string, files map[string]string) error {
	for name, from := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(dir+"/"+name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// exits runs a command that must end with a code: exits CODE COMMAND ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	checkCode(ts, want, ts.Exec(args[1], args[2:]...))
}

func checkCode(ts *testscript.TestScript, want int, err error) {
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// twoLines checks what every failure looks like: a line that says what
// happened, a line that says what to do, and nothing on stdout.
// twolines [PATTERN] — use `stderr` for the words.
func twoLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: twolines")
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is not silent: %q", out)
	}
	if err := ts.ReadFile("stderr"); !failureForm.MatchString(err) {
		ts.Fatalf("not two lines of a failure: %q", err)
	}
}

// private checks that nobody but its owner may read a file.
func private(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: private FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if mode := info.Mode().Perm(); mode != 0o600 {
		ts.Fatalf("%s has the mode %v", args[0], mode)
	}
}
