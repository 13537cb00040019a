package tree

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// namesAtOnce bounds what is held of a directory while it is walked.
const namesAtOnce = 1024

// LookOptions say what [Look] looks at.
type LookOptions struct {
	// Skip says what does not travel, with all that is below it; nil is nothing.
	Skip func(path string) bool
	// Have is what the other side has, by the stamps of this one.
	Have map[string]Stamp
	// NamesOnly: files that are not in Have travel without their content, and
	// what is in Have is looked at even where Skip leaves out what is around it.
	NamesOnly bool
	// OpenUp gives the owner of closed files and directories the right to read
	// them; a box closes them to itself.
	OpenUp bool
	// Settle is how old a file's last change must be for its stamp to be
	// trusted the next time; 0 trusts all.
	Settle time.Duration
}

// Changes are what differs between a directory and what the other side has of it.
type Changes struct {
	// Gone are the paths that the other side has and that are not there.
	Gone []string
	// Other counts what is there and does not travel: pipes, sockets, devices,
	// what can't be read, and what lies too deep.
	Other int

	entries []entry // parents first
	settle  time.Duration
}

// entry is one that has changed.
type entry struct {
	path   string
	info   fs.FileInfo
	target string // of a link
	stamp  Stamp
	hollow bool // a file of which only the name travels
}

// None says that both sides are the same.
func (c *Changes) None() bool { return len(c.entries) == 0 && len(c.Gone) == 0 }

// Len is how many entries have changed.
func (c *Changes) Len() int { return len(c.entries) }

// Look walks root, follows no link, and compares what it sees with o.Have. A
// directory that can't be read is counted as other, and what the other side
// has of it is not gone.
func Look(ctx context.Context, root *os.Root, o LookOptions) (*Changes, error) {
	l := looker{ctx: ctx, o: o, changes: &Changes{settle: o.Settle}, seen: make(map[string]struct{}, len(o.Have))}
	if err := l.directory(root, "", 0); err != nil {
		return nil, err
	}
	if o.NamesOnly {
		if err := l.known(root); err != nil {
			return nil, err
		}
	}
	for p := range o.Have {
		if _, seen := l.seen[p]; !seen && !l.inClosed(p) {
			l.changes.Gone = append(l.changes.Gone, p)
		}
	}
	slices.Sort(l.changes.Gone)
	return l.changes, nil
}

type looker struct {
	ctx     context.Context
	o       LookOptions
	changes *Changes
	seen    map[string]struct{} // of o.Have
	closed  []string            // directories that can't be read
}

// directory looks at everything in dir, which lies at prefix.
func (l *looker) directory(dir *os.Root, prefix string, depth int) error {
	names, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer names.Close()
	for {
		some, err := names.Readdirnames(namesAtOnce)
		for _, name := range some {
			if err := l.entry(dir, path.Join(prefix, name), name, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *looker) entry(dir *os.Root, at, name string, depth int) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if l.o.Skip != nil && l.o.Skip(at) {
		return nil
	}
	if len(at) > MaxPath || depth+1 > MaxDepth {
		l.changes.Other++
		return nil
	}
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	if !l.add(dir, at, name, info) || !info.IsDir() {
		return nil
	}
	below, err := Descend(dir, name)
	if err == nil {
		defer below.Close()
		err = l.directory(below, at, depth+1)
	}
	if errors.Is(err, fs.ErrPermission) {
		l.changes.Other++
		l.closed = append(l.closed, at+"/")
		return nil
	}
	return err
}

// add takes an entry up; it says no to what does not travel.
func (l *looker) add(dir *os.Root, at, name string, info fs.FileInfo) bool {
	e := entry{path: at, info: info}
	switch {
	case info.Mode().IsRegular(), info.IsDir():
		e.info = l.openUp(dir, name, info)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := dir.Readlink(name)
		if err != nil || target == "" || len(target) > MaxPath {
			l.changes.Other++
			return false
		}
		e.target = target
	default:
		l.changes.Other++
		return false
	}
	e.stamp = stampOf(e.info, e.target)
	have, known := l.o.Have[at]
	if known {
		l.seen[at] = struct{}{}
	}
	if !known || have != e.stamp {
		e.hollow = l.o.NamesOnly && !known && info.Mode().IsRegular()
		l.changes.entries = append(l.changes.entries, e)
	}
	return true
}

// openUp lets us into what its owner has closed, where that is wanted and
// possible, and describes it as it is then.
func (l *looker) openUp(dir *os.Root, name string, info fs.FileInfo) fs.FileInfo {
	need := fs.FileMode(0o400)
	if info.IsDir() {
		need = 0o700
	}
	if !l.o.OpenUp || info.Mode().Perm()&need == need {
		return info
	}
	if err := dir.Chmod(name, info.Mode().Perm()|need); err != nil {
		return info
	}
	if now, err := dir.Lstat(name); err == nil && now.Mode().Type() == info.Mode().Type() {
		return now
	}
	return info
}

// known looks at what the other side has and the walk did not come to.
func (l *looker) known(root *os.Root) error {
	real := map[string]bool{"": true}
	for _, p := range slices.Sorted(maps.Keys(l.o.Have)) {
		if _, seen := l.seen[p]; seen || !isReal(root, parentOf(p), real) {
			continue
		}
		info, err := root.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		l.add(root, p, p, info)
	}
	return nil
}

// isReal says whether dir is a directory with no link on the way to it.
func isReal(root *os.Root, dir string, real map[string]bool) bool {
	if is, known := real[dir]; known {
		return is
	}
	is := isReal(root, parentOf(dir), real)
	if is {
		info, err := root.Lstat(dir)
		is = err == nil && info.IsDir()
	}
	real[dir] = is
	return is
}

func (l *looker) inClosed(p string) bool {
	return slices.ContainsFunc(l.closed, func(dir string) bool { return strings.HasPrefix(p, dir) })
}
