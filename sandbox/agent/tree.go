//go:build linux

package agent

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/tree"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// settle is how old a file's last change must be for its times to be believed:
// more than the grain of a file system's clock, see [tree.Stamp].
const settle = 20 * time.Millisecond

// trees answers wire.PathTree. What lies in the directories is hostile, also to
// the agent, which must not hang on it; what the host sends is not.
type trees struct {
	where places
}

// skipping are the paths that the host wants left out: "/NAME" is one at the
// top, "NAME" one anywhere.
func skipping(names []string) func(string) bool {
	return func(p string) bool {
		first, _, _ := strings.Cut(p, "/")
		return first == wire.TreeIncoming || slices.Contains(names, "/"+first) || slices.Contains(names, path.Base(p))
	}
}

func (s *trees) send(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	root, err := s.open(q.Get("path"))
	if err != nil {
		refuse(w, err, nil)
		return
	}
	defer root.Close()
	have, err := tree.ReadStamps(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	changes, err := tree.Look(r.Context(), root, tree.LookOptions{
		Skip: skipping(q["skip"]), Have: have, NamesOnly: q.Get("names") != "", OpenUp: true, Settle: settle,
	})
	if err != nil {
		refuse(w, err, nil)
		return
	}
	if _, err := changes.Write(r.Context(), w, root); err != nil {
		panic(http.ErrAbortHandler) // half an archive must not look like one
	}
}

func (s *trees) take(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	root, err := s.open(q.Get("path"))
	if err != nil {
		io.Copy(io.Discard, r.Body)
		refuse(w, err, nil)
		return
	}
	defer root.Close()
	taken, err := tree.Unpack(r.Context(), r.Body, root, tree.UnpackOptions{
		Limits:  tree.Limits{Bytes: math.MaxInt64, Entries: math.MaxInt}, // the disk's and the box's are what counts
		Staging: wire.TreeIncoming, Skip: skipping(q["skip"]),
	})
	if err != nil {
		io.Copy(io.Discard, r.Body) // the host reads no answer before it has sent everything
		refuse(w, err, nil)
		return
	}
	for _, stamp := range taken.Mine {
		if _, err := w.Write(stamp[:]); err != nil {
			return
		}
	}
}

// open opens a directory; a link to one is none.
func (s *trees) open(dir string) (*os.Root, error) {
	at := s.where.path(dir)
	info, err := os.Lstat(at)
	if err == nil && !info.IsDir() {
		err = wire.ErrNotDir
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(at)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: wire.ErrNotDir}
	}
	return root, err
}
