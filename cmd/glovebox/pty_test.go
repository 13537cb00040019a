package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

var failureForm = regexp.MustCompile(`\Aglovebox: [^\n]+\nhint: [^\n]+\n\z`)

// onTerminal runs a command on a terminal of 80 columns, on which a person has
// typed already, and writes what is on it to a file:
// terminal CODE TYPED FILE COMMAND ARGS...
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: terminal CODE TYPED FILE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	control, tty, err := openTerminal(80)
	ts.Check(err)
	defer control.Close()
	_, err = io.WriteString(control, strings.ReplaceAll(args[1], `\n`, "\n"))
	ts.Check(err)
	program, err := exec.LookPath(args[3])
	ts.Check(err)
	cmd := exec.Command(program, args[4:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(scriptEnv(ts), "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	tty.Close()
	var screen bytes.Buffer
	// A terminal whose program has ended answers with an error, not with an end.
	if _, err := io.Copy(&screen, control); err != nil && !errors.Is(err, syscall.EIO) {
		ts.Check(err)
	}
	err = cmd.Wait()
	ts.Logf("[terminal]\n%q", screen.String())
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), screen.Bytes(), 0o644))
	checkCode(ts, want, err)
}

// scriptEnv is the part of a script's environment that glovebox reads.
func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "EDITOR", "DOCKER_HOST", "NO_COLOR", "BASE_URL", "GITLAB_CI"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// openTerminal makes a terminal: its controlling side and the side for a program.
func openTerminal(columns uint16) (control, tty *os.File, err error) {
	control, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(control.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, fmt.Errorf("unlock the terminal: %w", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, fmt.Errorf("number of the terminal: %w", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		return nil, nil, err
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	return control, tty, err
}
