package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Open opens the regular file name below root. It refuses everything else that
// may lie there: a link is not followed, a pipe does not block. flag and perm
// are those of os.OpenFile; with O_CREATE a new file is made if there is none.
func Open(root *os.Root, name string, flag int, perm fs.FileMode) (*os.File, error) {
	before, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0:
		return root.OpenFile(name, flag|os.O_EXCL, perm)
	case err != nil:
		return nil, err
	case !before.Mode().IsRegular():
		return nil, fmt.Errorf("open %s: not a regular file but %s", name, kind(before.Mode()))
	}
	f, err := root.OpenFile(name, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	// What was looked at must be what was opened: the name may have been swapped in between.
	after, err := f.Stat()
	if err != nil || !os.SameFile(before, after) {
		f.Close()
		return nil, fmt.Errorf("open %s: it changed while it was opened", name)
	}
	return f, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeSymlink != 0:
		return "a link"
	default:
		return "a pipe, socket or device"
	}
}
