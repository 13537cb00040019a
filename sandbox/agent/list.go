//go:build linux

package agent

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

func (s *files) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	depth, err1 := strconv.Atoi(q.Get("depth"))
	most, err2 := strconv.Atoi(q.Get("max"))
	if err1 != nil || err2 != nil || most > wire.MaxEntries {
		http.Error(w, "depth or max is no number", http.StatusBadRequest)
		return
	}
	root := s.where.path(q.Get("path"))
	info, err := os.Stat(root)
	if err != nil {
		refuse(w, err, nil)
		return
	}
	if !info.IsDir() {
		refuse(w, wire.ErrNotDir, describe(info))
		return
	}
	l := lister{root: root, most: most, space: wire.MaxList - 4<<10}
	if err := l.walk(depth); err != nil {
		refuse(w, err, nil)
		return
	}
	slices.SortFunc(l.entries, func(a, b wire.File) int { return slices.Compare(a.Path, b.Path) })
	answer(w, http.StatusOK, wire.List{Entries: l.entries, More: l.more})
}

// lister walks a tree level by level, within bounds.
type lister struct {
	root    string
	most    int // entries
	space   int // bytes of JSON
	entries []wire.File
	more    bool
}

// walk lists depth levels. A directory below the first that can't be read is
// listed, but not what is in it.
func (l *lister) walk(depth int) error {
	level := []string{"."}
	for n := 0; n < max(depth, 1) && len(level) > 0 && !l.more; n++ {
		var next []string
		for _, dir := range level {
			below, err := l.directory(dir)
			if err != nil && n == 0 {
				return err
			}
			next = append(next, below...)
			if l.more {
				break
			}
		}
		slices.Sort(next)
		level = next
	}
	return nil
}

// directory adds the entries of one and returns the directories among them.
func (l *lister) directory(rel string) (below []string, err error) {
	flags := os.O_RDONLY | syscall.O_DIRECTORY
	if rel != "." {
		flags |= syscall.O_NOFOLLOW
	}
	d, err := os.OpenFile(filepath.Join(l.root, rel), flags, 0)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for {
		batch, err := d.ReadDir(256)
		for _, entry := range batch {
			path := filepath.Join(rel, entry.Name())
			if !l.add(path, entry) {
				l.more = true
				return below, nil
			}
			if entry.IsDir() {
				below = append(below, path)
			}
		}
		if err != nil {
			return below, nil // the end, or as far as it went
		}
	}
}

// add says no when there is no room.
func (l *lister) add(path string, entry fs.DirEntry) bool {
	cost := len(path)*4/3 + 80 // base64 and the rest of the JSON
	if len(l.entries) >= l.most || cost > l.space {
		return false
	}
	info, err := entry.Info()
	if err != nil {
		return true // gone meanwhile
	}
	l.space -= cost
	f := describe(info)
	f.Path = []byte(path)
	l.entries = append(l.entries, *f)
	return true
}
