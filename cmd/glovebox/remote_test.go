package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

const engineSocket = "/var/run/docker.sock"

// socketOf is the path of the engine's socket.
func socketOf(ts *testscript.TestScript) string {
	if path, ok := strings.CutPrefix(ts.Getenv("DOCKER_HOST"), "unix://"); ok {
		return path
	}
	return engineSocket
}

// inContainer runs glovebox in a container that has the engine's socket, and
// none of its directories in common with the engine's machine: the script's
// project is copied in, and DIR is what it holds afterwards: incontainer DIR
func inContainer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: incontainer DIR")
	}
	program, err := filepath.Abs("../../bin/glovebox")
	ts.Check(err)
	if _, err := os.Stat(program); err != nil {
		ts.Fatalf("%v: `make build` makes it", err)
	}
	image, err := exec.Command("docker", "images", "-q", "--filter", "label=glovebox=image", "glovebox/base").Output()
	ts.Check(err)
	id, _, _ := strings.Cut(string(image), "\n")
	// The container is the test's: no label of ours, a name that tells.
	container, err := exec.Command("docker", "create", "--network", "none", "--user", "0:0",
		"-v", socketOf(ts)+":"+engineSocket, "-v", program+":/usr/local/bin/glovebox:ro", "-w", "/srv/ci", id,
		"glovebox", "run", "hello.txt", "--project-dir", "app", "--model", "scripted/hello.yaml", "--features", "1", "--image", "base", "--yes", "--quiet").Output()
	ts.Check(told(err))
	name := strings.TrimSpace(string(container))
	ts.Defer(func() { exec.Command("docker", "rm", "-f", name).Run() })
	from := ts.MkAbs("ci")
	ts.Check(os.Mkdir(from, 0o755))
	for _, file := range []string{"hello.txt", "hello.yaml"} {
		ts.Check(os.WriteFile(filepath.Join(from, file), []byte(ts.ReadFile(file)), 0o644))
	}
	ts.Check(told(exec.Command("docker", "cp", from, name+":/srv/").Run()))
	var out, errs bytes.Buffer
	run := exec.Command("docker", "start", "-a", name)
	run.Stdout, run.Stderr = &out, &errs
	err = run.Run()
	io.Copy(ts.Stdout(), &out)
	io.Copy(ts.Stderr(), &errs)
	ts.Check(err)
	to := ts.MkAbs(args[0])
	ts.Check(os.Mkdir(to, 0o755))
	ts.Check(told(exec.Command("docker", "cp", name+":/srv/ci/app", to).Run()))
	if _, err := os.Stat("/srv/ci"); err == nil {
		ts.Fatalf("/srv/ci was made on this machine")
	}
}

// told is an error of a command with what it said.
func told(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
