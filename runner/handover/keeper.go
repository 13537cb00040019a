package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// keeper moves things out of the project into a directory that no box and no
// git reaches, under the path that they had.
type keeper struct {
	root *os.Root
	dir  string // of all looks
	this string // of this one; "" until something is moved
}

// move moves what lies at a path and says where it is now. Nothing is followed:
// the directories above were entered one by one.
func (k *keeper) move(at string) (string, error) {
	if err := k.begin(); err != nil {
		return "", err
	}
	to := path.Join(k.this, at)
	if err := k.root.MkdirAll(path.Dir(to), 0o700); err != nil {
		return "", fmt.Errorf("keep %q aside: %w", at, err)
	}
	if err := k.root.Rename(at, to); err != nil {
		return "", fmt.Errorf("keep %q aside: %w", at, err)
	}
	return to, nil
}

// looksMax is how many looks that moved something are told apart.
const looksMax = 10_000

// begin makes a new directory for this look.
func (k *keeper) begin() error {
	if k.this != "" {
		return nil
	}
	if err := k.root.MkdirAll(k.dir, 0o700); err != nil {
		return fmt.Errorf("keep things aside: %w", err)
	}
	for n := 1; n <= looksMax; n++ {
		this := path.Join(k.dir, fmt.Sprint(n))
		err := k.root.Mkdir(this, 0o700)
		if err == nil {
			k.this = this
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("keep things aside: %w", err)
		}
	}
	return fmt.Errorf("keep things aside: %s is full", k.dir)
}

// own gives a new file to the owner of the directory it lies in, where we may.
func (k *keeper) own(dir *os.Root, name string) error {
	info, err := dir.Lstat(".")
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return dir.Lchown(name, int(stat.Uid), int(stat.Gid))
	}
	return nil
}
