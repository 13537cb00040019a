// Package holder finds the process that holds a lock file of ours, and asks it
// to end. A lock file is held by flock, which the kernel drops with its process,
// and says the process's id. That id alone is not believed: files outlive
// processes, and ids are used again.
package holder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

// ErrUnsure says that a lock is held, but not by whom for certain: such a
// process is left alone.
var ErrUnsure = errors.New("the process that holds it can't be made sure of")

// Process is a process that holds a lock.
type Process struct {
	ID   int
	lock *os.File
	own  *os.Process // by its descriptor where the system has them, so that it can be no other
}

// Lock makes this process the one that holds f, and waits for it as long as others do.
func Lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(fmt.Sprintf("%d\n", os.Getpid())), 0)
	return err
}

// Held says whether a process holds the lock file.
func Held(root *os.Root, name string) bool {
	f, err := atomicfile.Open(root, name, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return held(f)
}

func held(f *os.File) bool {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return true
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // closing it would do it
	return false
}

// Of is the process that holds the lock file name below root, nil if none
// does. It is a glovebox of the same user, or the error wraps ErrUnsure. The
// caller closes it.
func Of(root *os.Root, name string) (*Process, error) {
	f, err := atomicfile.Open(root, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if !held(f) {
		f.Close()
		return nil, nil
	}
	p, err := holderOf(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func holderOf(f *os.File) (*Process, error) {
	text := make([]byte, 20)
	n, _ := f.ReadAt(text, 0) // shorter, as a rule
	id, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || id <= 0 {
		return nil, fmt.Errorf("%w: the lock does not say its id", ErrUnsure)
	}
	own, err := os.FindProcess(id) // before it is looked at, so that what is looked at is what is signalled
	if err != nil {
		return nil, fmt.Errorf("%w: process %d: %w", ErrUnsure, id, err)
	}
	if err := recognise(filepath.Join("/proc", strconv.Itoa(id)), f); err != nil {
		_ = own.Release()
		return nil, fmt.Errorf("%w: process %d %w", ErrUnsure, id, err)
	}
	return &Process{ID: id, lock: f, own: own}, nil
}

// recognise says that the process whose directory in /proc is proc is a
// glovebox of this user and holds the lock on f.
func recognise(proc string, f *os.File) error {
	info, err := os.Stat(proc)
	if err != nil {
		return fmt.Errorf("is not to be seen here: %w", err)
	}
	if of, ok := info.Sys().(*syscall.Stat_t); !ok || int(of.Uid) != os.Geteuid() {
		return errors.New("is another user's")
	}
	if !isGlovebox(proc) {
		return errors.New("is no glovebox")
	}
	if !holds(proc, f) {
		return errors.New("does not hold it")
	}
	return nil
}

// isGlovebox says that a process runs this program, or one of its name.
func isGlovebox(proc string) bool {
	exe := filepath.Join(proc, "exe")
	if target, err := os.Readlink(exe); err == nil && strings.TrimSuffix(filepath.Base(target), " (deleted)") == "glovebox" {
		return true
	}
	its, err := os.Stat(exe)
	own, ownErr := os.Stat("/proc/self/exe")
	return err == nil && ownErr == nil && os.SameFile(its, own)
}

// holds says that a process has f's file open and locked there.
func holds(proc string, f *os.File) bool {
	want, err := f.Stat()
	if err != nil {
		return false
	}
	fds, _ := os.ReadDir(filepath.Join(proc, "fd")) // what can't be read holds nothing
	for _, fd := range fds {
		info, err := os.Stat(filepath.Join(proc, "fd", fd.Name()))
		if err != nil || !os.SameFile(info, want) {
			continue
		}
		locks, err := os.ReadFile(filepath.Join(proc, "fdinfo", fd.Name()))
		if err == nil && bytes.Contains(locks, []byte("FLOCK")) {
			return true
		}
	}
	return false
}

// Close lets go of p without ending it.
func (p *Process) Close() {
	_ = p.own.Release()
	p.lock.Close()
}

// looks is how often it is asked whether a process is gone.
const looks = 50 * time.Millisecond

// Stop asks p to end cleanly, and waits until its lock is free or ctx is done,
// whose error it returns then.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.own.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.ID, err)
	}
	tick := time.NewTicker(looks)
	defer tick.Stop()
	for held(p.lock) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
