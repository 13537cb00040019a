//go:build linux

package main

import (
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/glovebox-run/glovebox/sandbox/docker/dockertest"
)

// ownImage holds what a job needs and no more, so that an engine that has no
// images gets it in a second.
const ownImage = "glovebox-test/job:1"

// Scripts with an engine of their own, which they may stop and restart and whose
// containers they may remove:
//
//	engine stop|kill|start|restart
//	remove-box COMMAND  removes the box in which it runs as a person would, by force
//	await FILE          waits until a file is there
func TestEngineScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Docker engine; -short leaves it out")
	}
	own := ownEngine(t)
	commands := scriptCommands()
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"engine":     engineCommand(own),
		"remove-box": removeBox,
		"await":      await,
	})
	runScriptsWith(t, "testdata/engine", commands)
}

// ownEngine is an engine with the small image, which DOCKER_HOST names for as
// long as the test runs.
func ownEngine(t *testing.T) *dockertest.Engine {
	t.Helper()
	own := dockertest.Start(t, dockertest.Options{})
	t.Setenv("DOCKER_HOST", own.Host())
	load := exec.Command("docker", "import", "-", ownImage)
	programs := []string{"sh", "git", "git-upload-pack", "cat", "chmod", "cp", "env", "head", "id", "ls", "mkdir", "mv", "rm", "sed", "sleep", "sort", "test", "true"}
	load.Stdin = dockertest.Archive(t, dockertest.Files(t, programs), "usr/share/git-core/templates") // without the directory git warns
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("import the image: %v: %s", err, out)
	}
	return own
}

func engineCommand(own *dockertest.Engine) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: engine stop|kill|start|restart")
		}
		switch args[0] {
		case "stop":
			own.Stop()
		case "kill":
			own.Kill()
		case "start":
			own.Start()
		case "restart":
			own.Stop()
			own.Start()
		default:
			ts.Fatalf("engine: unknown %q", args[0])
		}
	}
}

func removeBox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: remove-box COMMAND")
	}
	out, err := exec.Command("docker", "ps", "-q", "--filter", "label=glovebox=box").Output()
	ts.Check(err)
	for _, box := range strings.Fields(string(out)) {
		running, err := exec.Command("docker", "top", box).Output()
		if err == nil && strings.Contains(string(running), args[0]) { // others may be gone meanwhile
			ts.Check(exec.Command("docker", "rm", "-f", box).Run())
			return
		}
	}
	ts.Fatalf("no box runs %s", args[0])
}

// awaitTime is how long a job may take to come to where a script waits for it.
const awaitTime = 5 * time.Minute

func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	deadline := time.Now().Add(awaitTime)
	for {
		if _, err := os.Lstat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not come", args[0])
		}
		time.Sleep(10 * time.Millisecond)
	}
}
