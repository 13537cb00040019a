package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Descend opens the directory name that lies directly in above, which a box
// may be changing at the same time. It follows no link, and a pipe that is put
// in the directory's place is not waited for: [os.Root.OpenRoot] alone does
// both. What is no directory wraps fs.ErrNotExist.
func Descend(above *os.Root, name string) (*os.Root, error) {
	named, err := above.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, fmt.Errorf("%.200q is no directory: %w", name, fs.ErrNotExist)
	}
	dir, err := above.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENOTDIR) {
		err = fmt.Errorf("%.200q is no directory any more: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	// What was looked at must be what was opened.
	opened, err := dir.Stat()
	if err == nil && !os.SameFile(named, opened) {
		err = fmt.Errorf("%.200q changed while it was opened: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return rootOf(above, name, dir)
}
