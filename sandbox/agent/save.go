//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// saver writes the beginning of an output to a file. Its errors are one bit:
// a full disk must not fail the command that filled it.
type saver struct {
	file *os.File // nil: it could not be made, or not be written
	left int
}

// create makes the file new, whatever was there before, and drops the oldest
// of its numbered neighbours.
func create(path string) *saver {
	s := &saver{left: wire.MaxSave}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return s
	}
	os.Remove(path) // a pipe or a link of this name would be opened otherwise
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return s
	}
	s.file = f
	if _, ok := number(filepath.Base(path)); ok {
		prune(filepath.Dir(path), filepath.Ext(path))
	}
	return s
}

func (s *saver) write(p []byte) {
	if s.file == nil || s.left == 0 {
		return
	}
	n := min(s.left, len(p))
	s.left -= n
	if _, err := s.file.Write(p[:n]); err != nil {
		s.file.Close()
		s.file = nil
	}
}

// close says whether the file holds what it should.
func (s *saver) close() bool { return s.file != nil && s.file.Close() == nil }

// prune removes all but the files with the highest numbers.
func prune(dir, ext string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(1000)
	names = slices.DeleteFunc(names, func(name string) bool {
		_, ok := number(name)
		return !ok || filepath.Ext(name) != ext
	})
	slices.SortFunc(names, func(a, b string) int {
		x, _ := number(a)
		y, _ := number(b)
		return y - x
	})
	for _, name := range names[min(len(names), wire.MaxSaved):] {
		os.Remove(filepath.Join(dir, name))
	}
}

// number is the 7 of "7.txt".
func number(name string) (int, bool) {
	base, ok := strings.CutSuffix(name, filepath.Ext(name))
	if !ok || base == name {
		return 0, false
	}
	n, err := strconv.Atoi(base)
	return n, err == nil && n >= 0
}
