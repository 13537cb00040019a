// Package atomicfile reads and writes small state files below an [os.Root]:
// whole or not at all, never through a link.
package atomicfile

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Write replaces the file name below root by data: a new file beside it, synced,
// renamed, and the directory synced. After a crash the old or the new content
// is there, never a part. What lies at name, a link included, is replaced and
// not followed. The directory of name must exist.
func Write(root *os.Root, name string, data []byte, perm fs.FileMode) error {
	tmp := path.Join(path.Dir(name), "."+path.Base(name)+"."+rand.Text())
	if err := writeSynced(root, tmp, data, perm); err != nil {
		_ = root.Remove(tmp)
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := root.Rename(tmp, name); err != nil {
		_ = root.Remove(tmp)
		return fmt.Errorf("write %s: %w", name, err)
	}
	return SyncDir(root, path.Dir(name))
}

func writeSynced(root *os.Root, name string, data []byte, perm fs.FileMode) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// SyncDir makes what was created or renamed in the directory name below root last.
func SyncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// Read returns the file name below root, which must be a regular file of at
// most max bytes. Its last element must not be a link. A missing file is
// fs.ErrNotExist.
func Read(root *os.Root, name string, max int64) ([]byte, error) {
	f, err := Open(root, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("read %s: larger than %d bytes", name, max)
	}
	return data, nil
}
