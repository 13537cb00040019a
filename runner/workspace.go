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

// checkPath refuses names that leave the workspace or reach the state.
func checkPath(name string) error {
	if !fs.ValidPath(name) || name == "." || name == stateDir || strings.HasPrefix(name, stateDir+"/") {
		return fmt.Errorf("path %q: %w", name, fs.ErrInvalid)
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

// makeParents makes dir and its parents real directories.
func (w workspace) makeParents(dir string) error {
	if dir == "." {
		return nil
	}
	if err := w.makeParents(path.Dir(dir)); err != nil {
		return err
	}
	info, err := w.root.Lstat(dir)
	if err == nil && info.IsDir() {
		return nil
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

// chown gives what the host made to the box's user, where we may.
func (w workspace) chown(name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return w.root.Lchown(name, w.owner.UID, w.owner.GID)
}
