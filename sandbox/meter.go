package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// Space is what a file system says of itself, in bytes and in files. Free is
// what an ordinary user could still take. A file system that counts no files
// has Files 0. If workspace and home lie on two, what is used is the sum, and
// the rest is that of the one with less room.
type Space struct {
	Size, Used, Free            int64
	Files, UsedFiles, FreeFiles int64
}

// Usage is what workspace and home hold together: blocks on the disk, so that
// a file with holes counts as what it takes, and each file once, however many
// names it has.
type Usage struct {
	Bytes, Files int64
	// Unread is how many directories could not be looked into, or lie too
	// deep; Cut says that the time for looking was over. What was not seen is
	// not in the sums.
	Unread int64
	Cut    bool
	// Largest are at most 5 directories and files that hold most of it, if asked for.
	Largest []Item
}

// Item is a directory or file that takes much.
type Item struct {
	Path         string // from /workspace or $HOME on, bounded; a box gave it its name
	Bytes, Files int64  // of a directory: with all that lies in it
	Dir          bool
}

// Rank is by what the largest are chosen.
type Rank string

// The ranks.
const (
	RankNone  Rank = ""
	RankBytes Rank = "bytes"
	RankFiles Rank = "files"
)

// Meter measures workspace and home.
type Meter interface {
	// Space asks the file systems, which takes no time.
	Space(ctx context.Context) (Space, error)
	// Usage looks at every file, until ctx ends, and returns what it has seen.
	Usage(ctx context.Context, by Rank) (Usage, error)
}

// DirMeter measures directories of the machine that it runs on. It follows no
// link and executes nothing: boxes may write in them at the same time.
type DirMeter struct {
	places []place

	// open is held while the directories are used: the last look of a watch may
	// still be under way when they are closed.
	open   sync.RWMutex
	closed bool
}

// place is one directory to be measured.
type place struct {
	name string // as it is called in a box
	root *os.Root
	dir  *os.File // open, for a box may close the directory to its owner
	skip []string // names directly in it that are no part of it
}

var _ Meter = (*DirMeter)(nil)

// NewDirMeter opens workspace, which is measured without the directories named
// hidden, and home; "" is left out. Close lets go of them.
func NewDirMeter(workspace string, hidden []string, home string) (*DirMeter, error) {
	m := &DirMeter{}
	for _, p := range []struct {
		name, dir string
		skip      []string
	}{{Workspace, workspace, hidden}, {"$HOME", home, nil}} {
		if p.dir == "" {
			continue
		}
		root, err := os.OpenRoot(p.dir)
		if err == nil {
			m.places = append(m.places, place{p.name, root, nil, p.skip})
			m.places[len(m.places)-1].dir, err = root.Open(".")
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("measure %s: %w", p.name, err), m.Close())
		}
	}
	return m, nil
}

// Close lets go of the directories.
func (m *DirMeter) Close() (err error) {
	m.open.Lock()
	defer m.open.Unlock()
	m.closed = true
	for _, p := range m.places {
		err = errors.Join(err, p.root.Close())
		if p.dir != nil {
			err = errors.Join(err, p.dir.Close())
		}
	}
	return err
}

// Space is the file systems' word; see [Meter].
func (m *DirMeter) Space(context.Context) (Space, error) {
	m.open.RLock()
	defer m.open.RUnlock()
	if m.closed {
		return Space{}, os.ErrClosed
	}
	var sum Space
	var seen []uint64
	for _, p := range m.places {
		s, device, err := p.space()
		if err != nil {
			return Space{}, fmt.Errorf("measure %s: %w", p.name, err)
		}
		switch {
		case len(seen) == 0:
			sum = s
		case seen[0] != device:
			sum = sum.with(s)
		}
		seen = append(seen, device)
	}
	return sum, nil
}

// space asks the file system that a place lies on.
func (p place) space() (s Space, device uint64, err error) {
	var stat syscall.Stat_t
	var fs syscall.Statfs_t
	fd := int(p.dir.Fd())
	if err := errors.Join(syscall.Fstat(fd, &stat), syscall.Fstatfs(fd, &fs)); err != nil {
		return Space{}, 0, err
	}
	block := int64(fs.Bsize)
	return Space{
		Size: int64(fs.Blocks) * block, Used: int64(fs.Blocks-fs.Bfree) * block, Free: int64(fs.Bavail) * block,
		Files: int64(fs.Files), UsedFiles: int64(fs.Files - fs.Ffree), FreeFiles: int64(fs.Ffree),
	}, uint64(stat.Dev), nil
}

// with adds another file system.
func (s Space) with(o Space) Space {
	tight := s
	if o.Free < s.Free {
		tight = o
	}
	tight.Used, tight.UsedFiles = s.Used+o.Used, s.UsedFiles+o.UsedFiles
	return tight
}

// Usage looks at every file; see [Meter].
func (m *DirMeter) Usage(ctx context.Context, by Rank) (Usage, error) {
	m.open.RLock()
	defer m.open.RUnlock()
	if m.closed {
		return Usage{}, os.ErrClosed
	}
	w := walker{ctx: ctx, by: by, linked: map[[2]uint64]struct{}{}}
	all := &node{by: by}
	for _, p := range m.places {
		top := &node{name: p.name, dir: true, by: by}
		if info, err := p.root.Lstat("."); err == nil {
			w.count(top, info)
		}
		w.skip = p.skip
		w.directory(p.root, top, 0)
		all.add(top)
	}
	if by != RankNone {
		w.usage.Largest = largest(all)
	}
	return w.usage, nil
}
