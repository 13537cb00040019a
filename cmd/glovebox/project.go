package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// stateDir is where a job's own state lies in a project directory.
const stateDir = ".glovebox"

// projectState is what lies where a job is to be built.
type projectState int

const (
	projectMissing projectState = iota // nothing yet; it can be created
	projectEmpty                       // an empty directory
	projectKnown                       // a job was begun there
	projectForeign                     // files of which no job knows
)

// checkProject looks at a project directory without changing anything and
// returns its absolute path. What can't be one is a usage error.
func checkProject(dir, home string) (string, projectState, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", 0, usage("give an absolute path", "project directory %s: %v", dir, err)
	}
	if abs == "/" || abs == filepath.Clean(home) {
		return "", 0, usage("give a directory below it, for example "+filepath.Join(dir, "my-app"), "project directory %s is not a place for one project", dir)
	}
	info, err := os.Lstat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return abs, projectMissing, checkParent(dir, abs)
	case err != nil:
		return "", 0, usage("name another directory", "project directory %s: %v", dir, cause(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return "", 0, usage("name the directory itself, glovebox follows no link there", "project directory %s is a symbolic link", dir)
	case !info.IsDir():
		return "", 0, usage("name a directory, or a path where one can be created", "project directory %s is a file", dir)
	case unix.Access(abs, unix.W_OK|unix.X_OK) != nil:
		return "", 0, usage("check its owner and mode with: ls -ld "+dir, "project directory %s is not writable", dir)
	}
	state, err := projectContent(abs)
	if err != nil {
		return "", 0, usage("check its owner and mode with: ls -ld "+dir, "project directory %s: %v", dir, cause(err))
	}
	return abs, state, nil
}

// checkParent says whether dir can be created, with the directories above it
// that are missing.
func checkParent(dir, abs string) error {
	parent := filepath.Dir(abs)
	info, err := os.Stat(parent)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkParent(dir, parent)
	case errors.Is(err, unix.ENOTDIR), err == nil && !info.IsDir():
		return usage("name a path below a directory", "project directory %s: a part of it is a file", dir)
	case err != nil:
		return usage("name another directory", "project directory %s: %v", dir, cause(err))
	case unix.Access(parent, unix.W_OK|unix.X_OK) != nil:
		return usage("check its owner and mode with: ls -ld "+parent, "project directory %s can't be created: %s is not writable", dir, parent)
	}
	return nil
}

// projectContent tells an empty directory, a known job and foreign files apart.
func projectContent(abs string) (projectState, error) {
	f, err := os.Open(abs)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if names, _ := f.Readdirnames(1); len(names) == 0 {
		return projectEmpty, nil
	}
	if _, err := os.Lstat(filepath.Join(abs, stateDir)); err == nil {
		return projectKnown, nil
	}
	return projectForeign, nil
}

// createProject creates a project directory.
func createProject(abs string) error {
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return usage("name another directory", "create project directory %s: %v", abs, cause(err))
	}
	return nil
}
