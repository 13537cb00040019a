package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Owner is whom new entries are given to.
type Owner struct{ UID, GID int }

// UnpackOptions say what [Unpack] takes and how.
type UnpackOptions struct {
	Limits Limits
	// Staging is a path below root, on the same file system, that exists for as
	// long as the archive is read. What lies there before is removed.
	Staging string
	// Skip says what no archive may hold or remove; nil is nothing.
	Skip func(path string) bool
	// Guard, if not nil, is a directory at the top of root that is never
	// touched, whatever name leads to it: on some file systems the case of
	// letters does not matter.
	Guard fs.FileInfo
	// Known says which paths both sides have had: only they may be gone, and
	// only below them may an entry lie whose directory did not come before it;
	// nil is any.
	Known func(path string) bool
	// Keep says of what is gone whether it stays here, as it is now; nil is never.
	Keep func(path string, now Stamp) bool
	// Owner gets what is made, where the process may give it away; nil changes nothing.
	Owner *Owner
	// Sync says which files must be on disk when Unpack returns; nil is none.
	Sync func(path string) bool
}

// Taken is what [Unpack] did: the paths of the entries, in their order, the
// stamps that the sender has given them, and those that they have here.
type Taken struct {
	Paths        []string
	Theirs, Mine []Stamp
	Gone         []string // gone there
	Other        int      // entries there that do not travel
}

// Unpack makes root what the archive says. It is read to its end and checked
// before the first entry of root is touched: an archive that is broken
// ([wire.ErrProtocol]), too large ([ErrTooLarge]) or torn ([ErrTorn]) changes
// nothing. Nobody else may work in root meanwhile.
//
// No link is followed: every directory on the way to an entry is a real one, or
// is made one. Every file is renamed into its place, never written there. Of
// permissions only those of rwx are taken over.
func Unpack(ctx context.Context, r io.Reader, root *os.Root, o UnpackOptions) (t Taken, err error) {
	u := unpacker{ctx: ctx, root: root, o: o, dirs: newChain(root), toSync: map[string]bool{}}
	defer func() { err = errors.Join(err, u.dirs.close()) }()
	if err := u.clear(); err != nil {
		return t, err
	}
	if err := root.MkdirAll(o.Staging, 0o700); err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, u.clear()) }()
	a := newArchive(contextReader{ctx, r}, o)
	if err := a.read(u.stage); err != nil {
		return t, err
	}
	if err := u.apply(a, &t); err != nil {
		return t, err
	}
	t.Gone, t.Other = a.gone, a.other
	return t, nil
}

type unpacker struct {
	ctx    context.Context
	root   *os.Root
	o      UnpackOptions
	dirs   *chain
	stages *os.File        // the directory Staging
	toSync map[string]bool // directories
}

func (u *unpacker) clear() error { return u.root.RemoveAll(u.o.Staging) }

func (u *unpacker) staged(n int) string { return path.Join(u.o.Staging, strconv.Itoa(n)) }

// stage writes one file as it will be.
func (u *unpacker) stage(n int, i item, r io.Reader) error {
	f, err := u.root.OpenFile(u.staged(n), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	written, err := io.Copy(f, r)
	if err != nil {
		return errors.Join(fault(err), f.Close())
	}
	if written != i.size {
		return errors.Join(broken("%d of %d bytes", written, i.size), f.Close())
	}
	if err := f.Chmod(i.mode.Perm()); err != nil {
		return errors.Join(err, f.Close())
	}
	if u.o.Sync != nil && u.o.Sync(i.path) {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return u.root.Chtimes(u.staged(n), time.Time{}, settable(i.mtime))
}

// The first and the last second that [os.Root.Chtimes] can set: it counts
// nanoseconds since 1970.
const (
	firstSecond = math.MinInt64/1_000_000_000 + 1
	lastSecond  = math.MaxInt64/1_000_000_000 - 1
)

// settable is t, or the closest time to it that can be set: in 1677 or 2262.
func settable(t time.Time) time.Time {
	switch {
	case t.Unix() < firstSecond:
		return time.Unix(firstSecond, 0)
	case t.Unix() > lastSecond:
		return time.Unix(lastSecond, 0)
	}
	return t
}

// apply changes root, what is gone first, in the order of a walk.
func (u *unpacker) apply(a *archive, t *Taken) (err error) {
	if u.stages, err = u.root.Open(u.o.Staging); err != nil {
		return err
	}
	defer u.stages.Close()
	slices.SortFunc(a.gone, byWalk)
	for _, p := range slices.Backward(a.gone) {
		if err := u.remove(p); err != nil {
			return fmt.Errorf("remove %.200q: %w", p, err)
		}
	}
	order := make([]int, len(a.items))
	for n := range a.items {
		order[n] = n
		t.Paths, t.Theirs = append(t.Paths, a.items[n].path), append(t.Theirs, a.items[n].theirs)
	}
	slices.SortFunc(order, func(x, y int) int { return byWalk(a.items[x].path, a.items[y].path) })
	t.Mine = make([]Stamp, len(a.items))
	u.dirs.make = u.makeDir
	for _, n := range order {
		if t.Mine[n], err = u.place(n, a.items[n]); err != nil {
			return fmt.Errorf("place %.200q: %w", a.items[n].path, err)
		}
	}
	return u.sync()
}

// remove removes one path. A directory that is not empty stays, with what
// somebody here has put there.
func (u *unpacker) remove(p string) error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	if guarded, err := u.guarded(p); guarded || err != nil {
		return err
	}
	l, err := u.dirs.enter(parentOf(p))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name := path.Base(p)
	info, err := l.dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		target, _ = l.dir.Readlink(name) // what can't be read is like nothing
	}
	if u.o.Keep != nil && u.o.Keep(p, stampOf(info, target)) {
		return nil
	}
	err = l.dir.Remove(name)
	if err != nil && info.IsDir() && !empty(l.dir, name) {
		return nil
	}
	return err
}

// empty says whether a directory has no entries.
func empty(dir *os.Root, name string) bool {
	d, err := dir.Open(name)
	if err != nil {
		return true
	}
	defer d.Close()
	names, _ := d.Readdirnames(1)
	return len(names) == 0
}

// guarded says whether p is, or lies in, what must not be touched.
func (u *unpacker) guarded(p string) (bool, error) {
	if u.o.Guard == nil {
		return false, nil
	}
	info, err := u.root.Lstat(top(p))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(info, u.o.Guard), err
}

// place puts an entry where it belongs and says what it is then.
func (u *unpacker) place(n int, i item) (mine Stamp, err error) {
	if err := u.ctx.Err(); err != nil {
		return mine, err
	}
	if guarded, err := u.guarded(i.path); guarded || err != nil {
		return mine, err // left out, as if it did not travel
	}
	l, err := u.dirs.enter(parentOf(i.path))
	if err != nil {
		return mine, err
	}
	name := path.Base(i.path)
	if i.mode.IsDir() {
		err = u.placeDir(l, name, i)
	} else {
		err = u.placeLeaf(l, name, n, i)
	}
	if err != nil {
		return mine, err
	}
	info, err := l.dir.Lstat(name)
	if err != nil {
		return mine, err
	}
	if u.o.Sync != nil && u.o.Sync(i.path) {
		u.toSync[parentOf(i.path)] = true
	}
	return stampOf(info, i.target), nil
}

// placeDir makes a directory, or gives one its permissions. Its owner must be
// able to work in it.
func (u *unpacker) placeDir(l *level, name string, i item) error {
	info, err := l.dir.Lstat(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil || !info.IsDir() {
		if err := u.makeDir(l.dir, name); err != nil {
			return err
		}
	}
	return l.dir.Chmod(name, i.mode.Perm()|0o700)
}

// makeDir makes a directory in the place of whatever is there.
func (u *unpacker) makeDir(dir *os.Root, name string) error {
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := dir.Mkdir(name, 0o755); err != nil {
		return err
	}
	return u.give(dir, name)
}

// placeLeaf renames a file or a link into its place, over whatever is there.
func (u *unpacker) placeLeaf(l *level, name string, n int, i item) error {
	if i.mode&fs.ModeSymlink != 0 {
		if err := u.root.Symlink(i.target, u.staged(n)); err != nil {
			return err
		}
	}
	if err := u.give(u.root, u.staged(n)); err != nil {
		return err
	}
	if info, err := l.dir.Lstat(name); err == nil && info.IsDir() {
		if err := l.dir.RemoveAll(name); err != nil {
			return err
		}
	}
	fd, err := l.fd()
	if err != nil {
		return err
	}
	return os.NewSyscallError("renameat", unix.Renameat(int(u.stages.Fd()), strconv.Itoa(n), fd, name))
}

func (u *unpacker) give(dir *os.Root, name string) error {
	if u.o.Owner == nil || os.Geteuid() != 0 {
		return nil
	}
	return dir.Lchown(name, u.o.Owner.UID, u.o.Owner.GID)
}

// sync makes the names of what is to be safe last.
func (u *unpacker) sync() error {
	for dir := range u.toSync {
		l, err := u.dirs.enter(dir)
		if err != nil {
			return err
		}
		if _, err := l.fd(); err != nil {
			return err
		}
		if err := l.file.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// contextReader ends a long read between its parts.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
