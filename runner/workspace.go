package runner

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// workspace is the project directory as the host may touch it. What lies in it
// was written by something that nobody trusts, so no link is ever followed,
// not even one that stays inside: feature_list.json may be a link to the state.
type workspace struct {
	root  *os.Root
	owner sandbox.User // of new files: the box's user, where boxes work in this very directory
	wrote func()       // told of everything that the host writes; nil is nobody
}

// checkPath refuses names that leave the workspace or reach the state. Unlike
// fs.ValidPath it takes names that are no UTF-8: git and Linux do.
func checkPath(name string) error {
	elements := strings.Split(name, "/")
	for _, e := range elements {
		if e == "" || e == "." || e == ".." || strings.ContainsRune(e, 0) {
			return fmt.Errorf("path %.200q: %w", name, fs.ErrInvalid)
		}
	}
	if elements[0] == stateDir {
		return fmt.Errorf("path %.200q: %w", name, fs.ErrInvalid)
	}
	return nil
}

// enter opens the directory dir step by step: a box that still runs may put a
// link in the place of a directory between a look and the opening, and os.Root
// follows links that stay inside, into the state say. With make, what is no
// directory becomes one. leave closes it.
func (w workspace) enter(dir string, make bool) (at *os.Root, leave func(), err error) {
	at = w.root
	if dir != "." {
		for name := range strings.SplitSeq(dir, "/") {
			below, err := w.step(at, name, make)
			if at != w.root {
				at.Close()
			}
			if err != nil {
				return nil, nil, err
			}
			at = below
		}
	}
	return at, func() {
		if at != w.root {
			at.Close()
		}
	}, nil
}

// step opens the directory name that lies directly in above.
func (w workspace) step(above *os.Root, name string, make bool) (*os.Root, error) {
	if make {
		if err := w.makeDir(above, name); err != nil {
			return nil, err
		}
	}
	return sandbox.Descend(above, name)
}

// lstat is Lstat with every parent proven to be a directory and no link.
func (w workspace) lstat(name string) (fs.FileInfo, error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	dir, leave, err := w.enter(path.Dir(name), false)
	if err != nil {
		return nil, err
	}
	defer leave()
	return dir.Lstat(path.Base(name))
}

// readlink is where the link name leads.
func (w workspace) readlink(name string) (string, error) {
	if err := checkPath(name); err != nil {
		return "", err
	}
	dir, leave, err := w.enter(path.Dir(name), false)
	if err != nil {
		return "", err
	}
	defer leave()
	return dir.Readlink(path.Base(name))
}

// open opens a regular file for reading; anything else that lies there is refused.
func (w workspace) open(name string) (*os.File, error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	dir, leave, err := w.enter(path.Dir(name), false)
	if err != nil {
		return nil, err
	}
	defer leave()
	return atomicfile.Open(dir, path.Base(name), os.O_RDONLY, 0)
}

// read returns a regular file of at most limit bytes.
func (w workspace) read(name string, limit int64) ([]byte, error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	dir, leave, err := w.enter(path.Dir(name), false)
	if err != nil {
		return nil, err
	}
	defer leave()
	return atomicfile.Read(dir, path.Base(name), limit)
}

// write replaces name by a new regular file. Whatever took the place of the
// file or of one of its parents, a link say, is removed, not followed.
func (w workspace) write(name string, data []byte, perm fs.FileMode) error {
	if err := checkPath(name); err != nil {
		return err
	}
	if w.wrote != nil {
		w.wrote()
	}
	dir, leave, err := w.enter(path.Dir(name), true)
	if err != nil {
		return err
	}
	defer leave()
	base := path.Base(name)
	if info, err := dir.Lstat(base); err == nil && info.IsDir() {
		if err := dir.RemoveAll(base); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(dir, base, data, perm); err != nil {
		return err
	}
	return w.chown(dir, base)
}

// holds says whether name is a regular file with this content and, as far as
// git knows modes, this mode.
func (w workspace) holds(name string, data []byte, perm fs.FileMode) bool {
	info, err := w.lstat(name)
	if err != nil || !info.Mode().IsRegular() || plainMode(info) != perm {
		return false
	}
	have, err := w.read(name, int64(len(data)))
	return err == nil && string(have) == string(data)
}

// makeParents makes dir and its parents real directories.
func (w workspace) makeParents(dir string) error {
	_, leave, err := w.enter(dir, true)
	if err == nil {
		leave()
	}
	return err
}

// makeDir makes the name in above a directory that the host can use.
func (w workspace) makeDir(above *os.Root, name string) error {
	info, err := above.Lstat(name)
	if err == nil && info.IsDir() {
		return makeWritable(above, name, info)
	}
	if err == nil {
		if err := above.Remove(name); err != nil {
			return err
		}
	}
	if err := above.Mkdir(name, 0o755); err != nil {
		return err
	}
	return w.chown(above, name)
}

// makeWritable lets the host into a directory of the box's user that a session
// has closed to everybody.
func makeWritable(above *os.Root, name string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o700 == 0o700 {
		return nil
	}
	return above.Chmod(name, info.Mode().Perm()|0o700)
}

// chown gives what the host made in dir to its owner, where we may.
func (w workspace) chown(dir *os.Root, name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return dir.Lchown(name, w.owner.UID, w.owner.GID)
}
