package handover

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// namesAtOnce bounds what is held of a directory's names.
const namesAtOnce = 1024

// directory looks at everything below dir. inGit says that it is git's own,
// where no file is one of the project.
func (l *look) directory(dir *os.Root, at string, depth int, inGit bool) error {
	isGit := path.Base(at) == ".git"
	if isGit || looksLikeRepository(dir) {
		if err := l.repository(dir, at, inGit); err != nil {
			return err
		}
	}
	inGit = inGit || isGit // what only looks like a repository hides no file of the project
	names, err := dir.Open(".")
	if err != nil {
		l.unseen(at, "the directory can't be read: "+cause(err))
		return nil
	}
	defer names.Close()
	for {
		some, err := names.Readdirnames(namesAtOnce)
		for _, name := range some {
			if err := l.entry(dir, name, path.Join(at, name), depth, inGit); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || l.report.Entries > entriesMax {
			return nil
		}
		if err != nil {
			l.unseen(at, "the directory can't be read to its end: "+cause(err))
			return nil
		}
	}
}

// entry looks at one entry of a directory, and at what is below it.
func (l *look) entry(dir *os.Root, name, at string, depth int, inGit bool) error {
	if at == l.o.Skip {
		return nil
	}
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if l.report.Entries++; l.report.Entries > entriesMax {
		if l.report.Entries == entriesMax+1 {
			l.unseen(at, fmt.Sprintf("there are more than %d entries; this one and others were not looked at", entriesMax))
		}
		return nil
	}
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // moved aside since it was listed
	}
	if err != nil {
		l.unseen(at, cause(err))
		return nil
	}
	e := entry{dir, name, at, info}
	l.special(e)
	if name == ".git" && !info.IsDir() {
		return l.pointer(e)
	}
	if !inGit {
		l.names(e)
		l.rules(e)
	}
	if !info.IsDir() {
		return nil
	}
	if depth >= depthMax {
		l.unseen(at, fmt.Sprintf("more than %d directories deep", depthMax))
		return nil
	}
	below, err := sandbox.Descend(dir, name)
	if err != nil {
		l.unseen(at, "the directory can't be entered: "+cause(err))
		return nil
	}
	defer below.Close()
	return l.directory(below, at, depth+1, inGit)
}

// read is the content of a plain file. What can't be read, or is too large, is
// not ok; the caller decides what that means.
func (l *look) read(dir *os.Root, name string) (data []byte, ok bool) {
	data, err := atomicfile.Read(dir, name, fileMax)
	return data, err == nil
}

// where says where a link leads to.
type where int

const (
	inside  where = iota // to something in the project, or to nothing
	leaves               // out of it
	skipped              // into what is no part of it
)

// linksMax is how many links of a chain are resolved, as the kernel does.
const linksMax = 40

// resolve follows a path through the links of the tree, never out of it: each
// is read, not used. at is "" for the top.
func (l *look) resolve(at string) (string, where) {
	todo, done, links := strings.Split(at, "/"), []string{}, 0
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if len(done) == 0 {
				return at, leaves
			}
			done = done[:len(done)-1]
			continue
		}
		here := path.Join(append(done, name)...)
		if here == l.o.Skip {
			return here, skipped
		}
		info, err := l.top.Lstat(here)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			done = append(done, name)
			continue
		}
		target, err := l.top.Readlink(here)
		if links++; err != nil || links > linksMax || path.IsAbs(target) {
			return at, leaves
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return path.Join(done...), inside
}

// cause is an error without the path, which the finding names.
func cause(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}
