package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

var all = Limits{Bytes: 1 << 30, Entries: 10000}

// side is one of two directories that are kept the same.
type side struct {
	dir  string
	root *os.Root
}

func newSide(t testing.TB) *side {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &side{dir, root}
}

// write makes files from PATH, CONTENT, …; "/" at the end of a path makes a
// directory, a content that begins with "->" a link.
func (s *side) write(t testing.TB, files ...string) *side {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		at := filepath.Join(s.dir, files[i])
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		if err == nil {
			os.RemoveAll(at)
			if target, link := strings.CutPrefix(files[i+1], "->"); link {
				err = os.Symlink(target, at)
			} else if strings.HasSuffix(files[i], "/") {
				err = os.MkdirAll(at, 0o755)
			} else {
				err = os.WriteFile(at, []byte(files[i+1]), 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// list is everything there is: path, mode, content or target.
func (s *side) list(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(s.dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == s.dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := ""
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			what, err = os.Readlink(at)
		case info.Mode().IsRegular():
			var data []byte
			data, err = os.ReadFile(at)
			what = string(data)
		}
		rel, _ := filepath.Rel(s.dir, at)
		mode := info.Mode()
		if mode&fs.ModeSymlink != 0 {
			mode = fs.ModeSymlink
		}
		fmt.Fprintf(&b, "%s %v %q\n", rel, mode, what)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// known is what both sides had when they were the same.
type known struct{ mine, theirs map[string]Stamp }

func nothing() *known { return &known{map[string]Stamp{}, map[string]Stamp{}} }

// archive is what s has changed.
func (s *side) archive(t testing.TB, k *known, o LookOptions) ([]byte, Sent) {
	t.Helper()
	o.Have = k.mine
	c, err := Look(context.Background(), s.root, o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	sent, err := c.Write(context.Background(), &b, s.root)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), sent
}

func (s *side) unpack(archive []byte, o UnpackOptions) (Taken, error) {
	if o.Limits == (Limits{}) {
		o.Limits = all
	}
	o.Staging = ".staging"
	return Unpack(context.Background(), bytes.NewReader(archive), s.root, o)
}

// send makes to what s is and returns how many entries travelled.
func (s *side) send(t testing.TB, to *side, k *known) int {
	t.Helper()
	archive, sent := s.archive(t, k, LookOptions{})
	taken, err := to.unpack(archive, UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range taken.Paths {
		k.mine[p], k.theirs[p] = sent.Stamps[i], taken.Mine[i]
		if taken.Theirs[i] != sent.Stamps[i] {
			t.Errorf("%s: the archive brings another stamp", p)
		}
	}
	for _, p := range taken.Gone {
		delete(k.mine, p)
		delete(k.theirs, p)
	}
	return len(taken.Paths)
}

// The copy becomes the same, and then only what has changed travels.
func TestSendsWhatHasChanged(t *testing.T) {
	from, to, k := newSide(t), newSide(t), nothing()
	from.write(t, "a", "one", "d/e/f", "two", "d/link", "->../a", "out", "->/etc/passwd", "empty/", "", "bytes\xff ä", "x",
		strings.Repeat("n", 255)+"/"+strings.Repeat("m", 255), "long")
	if err := os.Chmod(filepath.Join(from.dir, "a"), 0o4755|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if n := from.send(t, to, k); n != 10 {
		t.Errorf("%d entries travelled, want 10", n)
	}
	os.Chmod(filepath.Join(from.dir, "a"), 0o755) // only rwx travels
	same(t, to, from)
	from.send(t, to, k)
	if n := from.send(t, to, k); n != 0 {
		t.Errorf("%d entries travelled although nothing had changed", n)
	}
	old := time.Now().Add(-time.Hour)
	from.write(t, "a", "on3", "d/new", "", "d/link", "a file now")
	os.RemoveAll(filepath.Join(from.dir, "empty"))
	os.Rename(filepath.Join(from.dir, "d/e"), filepath.Join(from.dir, "e"))
	os.Chtimes(filepath.Join(from.dir, "e/f"), old, old)
	if n := from.send(t, to, k); n != 5 {
		t.Errorf("%d entries travelled, want a, d/link, d/new, e, e/f", n)
	}
	same(t, to, from)
	if info, err := os.Stat(filepath.Join(to.dir, "e/f")); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("time of e/f: %v, %v", info, err)
	}
	os.Remove(filepath.Join(from.dir, "a"))
	from.write(t, "e", "a file where a directory was", "a/below", "and the other way round")
	from.send(t, to, k)
	same(t, to, from)
}

func same(t testing.TB, got, want *side) {
	t.Helper()
	if a, b := got.list(t), want.list(t); a != b {
		t.Errorf("the copy is\n%swant\n%s", a, b)
	}
}

// Whatever is done to a directory, the copy follows.
func TestCopyFollows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		from, to, k := newSide(t), newSide(t), nothing()
		name := rapid.SampledFrom([]string{"a", "b", "a/b", "a/b/c", "b/a", "c/a", "c/b/a"})
		for range rapid.IntRange(1, 4).Draw(r, "rounds") {
			for range rapid.IntRange(0, 6).Draw(r, "steps") {
				at := filepath.Join(from.dir, name.Draw(r, "name"))
				switch rapid.IntRange(0, 4).Draw(r, "step") {
				case 0:
					os.RemoveAll(at)
				case 1:
					os.MkdirAll(at, 0o750)
				case 2:
					os.MkdirAll(filepath.Dir(at), 0o755)
					os.Symlink(rapid.SampledFrom([]string{"a", "../b", "/etc", "."}).Draw(r, "target"), at)
				default:
					os.MkdirAll(filepath.Dir(at), 0o755)
					os.WriteFile(at, []byte(rapid.StringN(0, 9, -1).Draw(r, "content")), 0o600)
				}
			}
			from.send(t, to, k)
			if a, b := to.list(t), from.list(t); a != b {
				r.Fatalf("the copy is\n%swant\n%s", a, b)
			}
		}
	})
}

// A box can fill a directory with whatever should make a walk hang, leave it or
// never end.
func TestLookOfHostileTree(t *testing.T) {
	from, to := newSide(t), newSide(t)
	from.write(t, "a", "x", "up", "->..", "loop", "->loop", "closed/file", "secret", "unreadable", "y")
	for _, err := range []error{syscall.Mkfifo(filepath.Join(from.dir, "pipe"), 0o644), syscall.Mknod(filepath.Join(from.dir, "sock"), syscall.S_IFSOCK|0o644, 0),
		os.Chmod(filepath.Join(from.dir, "closed"), 0), os.Chmod(filepath.Join(from.dir, "unreadable"), 0)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	deep, err := os.OpenRoot(from.dir)
	for range 1100 {
		if err == nil {
			err = deep.Mkdir("deepdirectory", 0o755)
		}
		next, err2 := deep.OpenRoot("deepdirectory")
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		deep.Close()
		deep = next
	}
	deep.Close()
	archive, sent := from.archive(t, nothing(), LookOptions{OpenUp: true})
	taken, err := to.unpack(archive, UnpackOptions{})
	if err != nil || taken.Other != 3 || sent.Torn != 0 {
		t.Fatalf("%+v, %v", taken, err)
	}
	for _, name := range []string{"closed/file", "unreadable"} {
		if _, err := os.Stat(filepath.Join(to.dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"pipe", "sock"} {
		if _, err := os.Lstat(filepath.Join(to.dir, name)); err == nil {
			t.Errorf("%s travelled", name)
		}
	}
}

// What lies in a directory that can't be read is not gone because of that: a
// box must not be able to remove files here by closing a directory there.
func TestClosedIsNotGone(t *testing.T) {
	from, to, k := newSide(t), newSide(t), nothing()
	from.write(t, "closed/file", "x", "open", "y")
	from.send(t, to, k)
	if err := os.Chmod(filepath.Join(from.dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(from.dir, "closed"), 0o755)
	if os.Geteuid() == 0 { // who reads everything; for the file system this thread becomes somebody else
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		unix.Setfsuid(10001)
		defer unix.Setfsuid(0)
	}
	c, err := Look(t.Context(), from.root, LookOptions{Have: k.mine})
	if err != nil || len(c.Gone) > 0 || c.Other != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A file that changes while it is read makes the archive torn: nothing of it
// is taken. The change is made between looking and reading.
func TestTornIsNotTaken(t *testing.T) {
	for name, change := range map[string]func(at string) error{
		"replaced": func(at string) error { return errors.Join(os.WriteFile(at+"2", nil, 0o644), os.Rename(at+"2", at)) },
		"gone":     os.Remove,
		"a pipe":   func(at string) error { return errors.Join(os.Remove(at), syscall.Mkfifo(at, 0o644)) },
		"a link":   func(at string) error { return errors.Join(os.Remove(at), os.Symlink("b", at)) },
	} {
		from, to := newSide(t).write(t, "a", "content", "b", "x"), newSide(t)
		c, err := Look(context.Background(), from.root, LookOptions{})
		if err = errors.Join(err, change(filepath.Join(from.dir, "a"))); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := c.Write(context.Background(), &b, from.root); err != nil {
			t.Fatal(err)
		}
		if _, err := to.unpack(b.Bytes(), UnpackOptions{}); !errors.Is(err, ErrTorn) {
			t.Errorf("%s: %v", name, err)
		}
		if got := to.list(t); got != "" {
			t.Errorf("%s: taken: %s", name, got)
		}
	}
}

// Of a copy that only has to be compared, new files come by name only, and
// what was sent is looked at even where it lies in what is left out.
func TestNamesOnly(t *testing.T) {
	from, to, k := newSide(t), newSide(t), nothing()
	from.write(t, "kept", "x", "node_modules/kept", "y")
	from.send(t, to, k)
	skip := func(p string) bool { return filepath.Base(p) == "node_modules" }
	from.write(t, "new", "content", "node_modules/new", "content", "node_modules/kept", "changed")
	archive, _ := from.archive(t, k, LookOptions{NamesOnly: true, Skip: skip})
	taken, err := to.unpack(archive, UnpackOptions{})
	if err != nil || len(taken.Gone) != 0 {
		t.Fatalf("%+v, %v", taken, err)
	}
	if got := to.list(t); !strings.Contains(got, `new -rw-r--r-- ""`) || !strings.Contains(got, `node_modules/kept -rw-r--r-- "changed"`) || strings.Contains(got, "node_modules/new") {
		t.Errorf("taken:\n%s", got)
	}
	os.RemoveAll(filepath.Join(from.dir, "node_modules"))
	os.Symlink("elsewhere", filepath.Join(from.dir, "node_modules"))
	from.write(t, "elsewhere/kept", "y")
	archive, _ = from.archive(t, k, LookOptions{NamesOnly: true, Skip: skip})
	if taken, err := to.unpack(archive, UnpackOptions{}); err != nil || len(taken.Gone) == 0 {
		t.Errorf("behind a link it is not there: %+v, %v", taken, err)
	}
}
