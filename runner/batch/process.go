package batch

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/holder"
)

// Several processes may work on one batch. Each holds a lock file of its own
// in its directory; gateFile is held by whoever makes or removes one.
const (
	gateFile      = "processes.lock"
	processPrefix = "process-"
)

// Enter says that this process works on the batch in root, until leave is called.
func Enter(root *os.Root) (leave func(), err error) {
	gate, err := atomicfile.Open(root, gateFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("enter the batch: %w", err)
	}
	defer gate.Close()
	if err := syscall.Flock(int(gate.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("enter the batch: %w", err)
	}
	names, err := processFiles(root)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !holder.Held(root, name) { // of one that was killed
			_ = root.Remove(name) // the next one tries it again
		}
	}
	name := processPrefix + strings.ToLower(rand.Text()[:10]) // an id may be another's in another container
	f, err := atomicfile.Open(root, name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("enter the batch: %w", err)
	}
	if err := holder.Lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("enter the batch: %w", err)
	}
	return func() {
		_ = root.Remove(name)
		f.Close()
	}, nil
}

// Processes are those that work on the batch in out. The caller closes them.
// What is held by a process that can't be made sure of is an error beside them.
func Processes(out string) (found []*holder.Process, err error) {
	root, names, err := lockFiles(out)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, name := range names {
		p, perr := holder.Of(root, name)
		if !errors.Is(perr, fs.ErrNotExist) {
			err = errors.Join(err, perr)
		}
		if p != nil {
			found = append(found, p)
		}
	}
	return found, err
}

// Works says whether a process works on the batch in out.
func Works(out string) bool {
	root, names, err := lockFiles(out)
	if err != nil {
		return false
	}
	defer root.Close()
	for _, name := range names {
		if holder.Held(root, name) {
			return true
		}
	}
	return false
}

func lockFiles(out string) (root *os.Root, names []string, err error) {
	if root, err = openRecord(out); err != nil {
		return nil, nil, err
	}
	if names, err = processFiles(root); err != nil {
		root.Close()
	}
	return root, names, err
}

func processFiles(root *os.Root) (names []string, err error) {
	list, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("read the batch's directory: %w", err)
	}
	for _, entry := range list {
		if strings.HasPrefix(entry.Name(), processPrefix) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// Owns says whether a process that works on the batch in dir's parent directory
// has the id pid.
func Owns(dir string, pid int) bool {
	found, _ := Processes(filepath.Dir(dir)) // where there is no batch, there is nobody
	owns := false
	for _, p := range found {
		owns = owns || p.ID == pid
		p.Close()
	}
	return owns
}
