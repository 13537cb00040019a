package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Tidy removes what killed processes have left in the state of the job in dir
// and no process needs: the copies that proofs ran on. The job's truth (list,
// ledger, frozen files, reports) stays. It returns the names of what it
// removed. A job that a process works on is an [ErrBusy].
func Tidy(dir string) (removed []string, err error) {
	root, err := openForReading(dir)
	if err != nil {
		return nil, noJob(dir, err)
	}
	defer root.Close()
	if _, err := root.Lstat(jobFile); err != nil {
		return nil, noJob(dir, err)
	}
	lock, err := takeLock(root)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("look into the state: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !isCopy(e.Name()) {
			continue
		}
		if copied, opened := root.OpenRoot(e.Name()); opened == nil {
			err = errors.Join(err, openUp(copied))
			copied.Close()
		}
		if gone := root.RemoveAll(e.Name()); gone != nil {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", e.Name(), gone))
			continue
		}
		removed = append(removed, e.Name())
	}
	return removed, err
}

// isCopy says that a directory of the state is a copy of the project for
// proofs, or what was left of one that could not be removed.
func isCopy(name string) bool {
	copied, _, _ := strings.Cut(name, "-")
	return slices.Contains([]string{proofDir, cloneDir, baseDir, beforeDir}, copied)
}
