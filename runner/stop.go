package runner

import (
	"errors"
	"io/fs"

	"github.com/glovebox-run/glovebox/runner/holder"
)

// Holder is the process that works on the job in dir, nil if none does. The
// caller closes it.
func Holder(dir string) (*holder.Process, error) {
	root, err := openForReading(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p, err := holder.Of(root, lockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return p, err
}
