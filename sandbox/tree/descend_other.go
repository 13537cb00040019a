//go:build !linux

package tree

import (
	"fmt"
	"io/fs"
	"os"
)

// rootOf is the directory dir, which is name in above, as a root. There is no
// way from one to the other here, so the name is opened again: a link is still
// noticed, a pipe that takes the place in this moment would be waited for.
func rootOf(above *os.Root, name string, dir *os.File) (*os.Root, error) {
	below, err := above.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	want, err := dir.Stat()
	if err == nil {
		got, e := below.Stat(".")
		if err = e; err == nil && !os.SameFile(want, got) {
			err = fmt.Errorf("%.200q changed while it was opened: %w", name, fs.ErrNotExist)
		}
	}
	if err != nil {
		below.Close()
		return nil, err
	}
	return below, nil
}
