package tree

import (
	"fmt"
	"os"
)

// rootOf is the open directory dir as a root, whatever its name leads to by now.
func rootOf(_ *os.Root, _ string, dir *os.File) (*os.Root, error) {
	return os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
}
