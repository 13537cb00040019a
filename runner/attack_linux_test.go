package runner

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/sandbox"
)

// looks is how often the host looks while names change. Without the proof after
// opening, some ten are enough to lead it astray.
func looks() int {
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		return 3000
	}
	return 200
}

// A box that still runs changes names between the host's check and its use: a
// directory becomes a link to the state, a file becomes a link or a pipe. The
// host must not read, hash or write what lies behind, and must not hang.
func TestI6RacesAreLost(t *testing.T) {
	for name, pair := range map[string][2]string{
		"directory and link to the state": {"sub", "to-state"},
		"directory and link out":          {"sub", "to-outside"},
		"directory and pipe":              {"sub", "pipe"},
		"file and link to the state":      {"sub/file", "to-secret"},
		"file and link out":               {"sub/file", "to-out-file"},
		"file and pipe":                   {"sub/file", "pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			w, dir, outside := contested(t)
			stop := swapping(filepath.Join(dir, pair[0]), filepath.Join(dir, pair[1]))
			within(t, func() {
				for n := range looks() {
					if data, err := w.read("sub/file", 100); err == nil && string(data) == "truth" {
						t.Error("read what lies behind")
						break
					}
					var copied strings.Builder
					w.hashFile(context.Background(), "sub/file", 100, io.MultiWriter(&copied))
					if copied.String() == "truth" {
						t.Error("hashed what lies behind")
						break
					}
					if n%20 == 0 { // it waits for the disk
						_ = w.write("sub/new", []byte("written"), 0o644) // may fail
					}
				}
			})
			stop()
			for _, place := range []string{filepath.Join(dir, stateDir), outside} {
				entries, err := os.ReadDir(place)
				must(t, err)
				if len(entries) != 1 {
					t.Errorf("%s holds %v now", place, entries)
				}
				if data, err := os.ReadFile(filepath.Join(place, "file")); err != nil || string(data) != "truth" {
					t.Errorf("the file in %s holds %q, %v", place, data, err)
				}
			}
		})
	}
}

// contested is a workspace with a file that is harmless and links to two that
// are not.
func contested(t *testing.T) (w workspace, dir, outside string) {
	t.Helper()
	dir, outside = t.TempDir(), t.TempDir()
	for _, d := range []string{filepath.Join(dir, "sub"), filepath.Join(dir, stateDir)} {
		must(t, os.Mkdir(d, 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "sub/file"), []byte("harmless"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, stateDir, "file"), []byte("truth"), 0o644))
	must(t, os.WriteFile(filepath.Join(outside, "file"), []byte("truth"), 0o644))
	must(t, os.Symlink(stateDir, filepath.Join(dir, "to-state")))
	must(t, os.Symlink(outside, filepath.Join(dir, "to-outside")))
	must(t, os.Symlink("../"+stateDir+"/file", filepath.Join(dir, "to-secret")))
	must(t, os.Symlink(filepath.Join(outside, "file"), filepath.Join(dir, "to-out-file")))
	must(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return workspace{root: root, owner: sandbox.User{UID: os.Getuid(), GID: os.Getgid()}}, dir, outside
}

// swapping exchanges two names all the time, as one step, until it is stopped.
func swapping(a, b string) (stop func()) {
	done := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	})
	return func() { close(done); swapper.Wait() }
}
