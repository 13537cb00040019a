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
	owner sandbox.User // new files belong to the box's user
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

// lstat is Lstat with every parent proven to be a directory and no link.
func (w workspace) lstat(name string) (fs.FileInfo, error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		info, err := w.root.Lstat(dir)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
		}
	}
	return w.root.Lstat(name)
}

// open opens a regular file for reading; anything else that lies there is refused.
func (w workspace) open(name string) (*os.File, error) {
	if _, err := w.lstat(name); err != nil {
		return nil, err
	}
	return atomicfile.Open(w.root, name, os.O_RDONLY, 0)
}

// read returns a regular file of at most limit bytes.
func (w workspace) read(name string, limit int64) ([]byte, error) {
	if _, err := w.lstat(name); err != nil {
		return nil, err
	}
	return atomicfile.Read(w.root, name, limit)
}

// write replaces name by a new regular file. Whatever took the place of the
// file or of one of its parents, a link say, is removed, not followed.
func (w workspace) write(name string, data []byte, perm fs.FileMode) error {
	if err := checkPath(name); err != nil {
		return err
	}
	if err := w.makeParents(path.Dir(name)); err != nil {
		return err
	}
	if info, err := w.root.Lstat(name); err == nil && info.IsDir() {
		if err := w.root.RemoveAll(name); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(w.root, name, data, perm); err != nil {
		return err
	}
	return w.chown(name)
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
	if dir != "." {
		if err := w.makeParents(path.Dir(dir)); err != nil {
			return err
		}
	}
	info, err := w.root.Lstat(dir)
	if err == nil && info.IsDir() {
		return w.makeWritable(dir, info)
	}
	if err == nil {
		if err := w.root.Remove(dir); err != nil {
			return err
		}
	}
	if err := w.root.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return w.chown(dir)
}

// makeWritable lets the host into a directory of the box's user that a session
// has closed to everybody.
func (w workspace) makeWritable(dir string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o700 == 0o700 {
		return nil
	}
	return w.root.Chmod(dir, info.Mode().Perm()|0o700)
}

// chown gives what the host made to the box's user, where we may.
func (w workspace) chown(name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return w.root.Lchown(name, w.owner.UID, w.owner.GID)
}
