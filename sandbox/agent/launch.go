//go:build linux

package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Exit codes of what could not be started, as shells have them.
const (
	exitCannotRun = 126
	exitNotFound  = 127
)

// execError says that a command could not be started. It is a result, like a shell's.
type execError struct {
	exit    int
	message string
}

func (e *execError) Error() string { return e.message }

// child is a command's own process.
type child struct {
	status <-chan syscall.WaitStatus
	output *os.File // its standard output and error
	stdin  *os.File // nil: it has /dev/null
}

// launch starts the command in a session of its own, with exactly its
// environment and three descriptors.
func (s *commands) launch(asked wire.Run) (*child, error) {
	args, env := asStrings(asked.Args), s.where.environment(asStrings(asked.Env))
	dir := s.where.path(string(asked.Dir))
	if info, err := os.Stat(dir); err != nil {
		return nil, &execError{exitCannotRun, "can't start in " + wire.Printable(dir, wire.MaxName) + ": " + reason(err)}
	} else if !info.IsDir() {
		return nil, &execError{exitCannotRun, "can't start in " + wire.Printable(dir, wire.MaxName) + ": not a directory"}
	}
	path, err := lookPath(args[0], dir, env)
	if err != nil {
		return nil, err
	}
	var fds []int // the child's ends
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	c := &child{}
	stdin, err := c.openStdin(asked.Stdin)
	if err != nil {
		return nil, err
	}
	fds = append(fds, stdin)
	output, err := c.openOutput()
	if err != nil {
		c.close()
		return nil, err
	}
	fds = append(fds, output)
	attr := &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{uintptr(stdin), uintptr(output), uintptr(output)},
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	_, c.status, err = s.family.start(path, args, attr)
	if err != nil {
		c.close()
		return nil, startError(err)
	}
	return c, nil
}

// startError tells a command that can't be started from an agent that can't start one.
func startError(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR:
		return &execError{exitNotFound, "not found"} // it, or the interpreter that it names
	case syscall.EAGAIN:
		return &execError{exitCannotRun, "can't start: " + errno.Error() + " (too many processes?)"}
	}
	return &execError{exitCannotRun, "can't start: " + errno.Error()}
}

// lookPath finds the program as a shell does, in the PATH of env.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil // relative to dir, where the child is when it executes it
	}
	denied := false
	for _, element := range filepath.SplitList(variable(env, "PATH")) {
		if !filepath.IsAbs(element) {
			element = filepath.Join(dir, element)
		}
		path := filepath.Join(element, name)
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		if unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
		denied = true
	}
	if denied {
		return "", &execError{exitCannotRun, "can't start: permission denied"}
	}
	return "", &execError{exitNotFound, "not found"}
}

// variable is the value of the last entry for name, "" without one.
func variable(env []string, name string) (value string) {
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// openStdin returns the child's end.
func (c *child) openStdin(wanted bool) (int, error) {
	if !wanted {
		return unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	read, write, err := pipe()
	if err != nil {
		return -1, err
	}
	c.stdin, err = pollable(write, "stdin")
	return read, err
}

// openOutput returns the child's end.
func (c *child) openOutput() (int, error) {
	read, write, err := pipe()
	if err != nil {
		return -1, err
	}
	c.output, err = pollable(read, "output")
	return write, err
}

func (c *child) close() {
	for _, f := range []*os.File{c.stdin, c.output} {
		if f != nil {
			f.Close()
		}
	}
}

func pipe() (read, write int, err error) {
	var p [2]int
	err = unix.Pipe2(p[:], unix.O_CLOEXEC)
	return p[0], p[1], err
}

// pollable makes the agent's end of a pipe one whose reads and writes need no
// thread and end at a deadline. The other end, which the child gets, blocks as programs expect.
func pollable(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// reason is an error of the file system without the path in it.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

func asStrings(bs [][]byte) []string {
	ss := make([]string, len(bs))
	for i, b := range bs {
		ss[i] = string(b)
	}
	return ss
}
