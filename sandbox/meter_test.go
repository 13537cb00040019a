package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// plant makes files below a directory; a name that ends with a slash is a directory.
func plant(t *testing.T, files map[string]int) string {
	t.Helper()
	dir := t.TempDir()
	for name, size := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func measure(t *testing.T, dir string, by Rank, hidden ...string) Usage {
	t.Helper()
	m, err := NewDirMeter(dir, hidden, "")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	u, err := m.Usage(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Usage counts what files take on the disk, each once, and nothing that only
// looks large or lies elsewhere.
func TestUsageCountsWhatIsTaken(t *testing.T) {
	outside := plant(t, map[string]int{"big": 8 << 20})
	dir := plant(t, map[string]int{"a/one": 1 << 20, "state/secret": 4 << 20})
	plain := measure(t, dir, RankNone, "state")
	if plain.Bytes < 1<<20 || plain.Bytes > 1<<20+64<<10 || plain.Files != 3 {
		t.Fatalf("one file of 1 MiB in a directory: %+v", plain)
	}
	for what, make := range map[string]func() error{
		"a hole":                 func() error { return os.Truncate(filepath.Join(dir, "a/one"), 1<<32) },
		"another name":           func() error { return os.Link(filepath.Join(dir, "a/one"), filepath.Join(dir, "a/two")) },
		"a third name elsewhere": func() error { return os.Link(filepath.Join(dir, "a/one"), filepath.Join(dir, "three")) },
		"a link to a file":       func() error { return os.Symlink(filepath.Join(outside, "big"), filepath.Join(dir, "file")) },
		"a link to a directory":  func() error { return os.Symlink(outside, filepath.Join(dir, "directory")) },
		"a link to itself":       func() error { return os.Symlink("loop", filepath.Join(dir, "loop")) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if u := measure(t, dir, RankNone, "state"); u.Bytes > plain.Bytes+32<<10 {
			t.Errorf("%s counts %d bytes", what, u.Bytes-plain.Bytes)
		}
	}
	if u := measure(t, dir, RankNone); u.Bytes < 5<<20 {
		t.Errorf("nothing hidden: %+v", u)
	}
}

// What takes most is named as deep as it explains, and no more than five things.
func TestUsageNamesTheLargest(t *testing.T) {
	files := map[string]int{"src/a": 10, "src/b": 10, "build/out/x.bin": 3 << 20, "build/out/y.bin": 2 << 20, "log": 1 << 20}
	for i := range 50 {
		files["modules/m"+strconv.Itoa(i)+"/index"] = 100 << 10
	}
	u := measure(t, plant(t, files), RankBytes)
	var got []string
	for _, item := range u.Largest {
		got = append(got, item.Path)
	}
	if want := "/workspace/modules /workspace/build/out/x.bin /workspace/build/out/y.bin /workspace/log"; strings.Join(got, " ") != want {
		t.Errorf("largest: %q, want %s", got, want)
	}
	if !u.Largest[0].Dir || u.Largest[0].Files != 101 || u.Largest[1].Dir {
		t.Errorf("largest: %+v", u.Largest)
	}
	if u := measure(t, plant(t, files), RankFiles); u.Largest[0].Path != "/workspace/modules" {
		t.Errorf("most files: %+v", u.Largest)
	}
}

// A tree that is deeper than is looked into, or takes too long, is not whole,
// and costs no more.
func TestUsageIsBounded(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, strings.Repeat("d/", deepestWalk+50))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if u := measure(t, dir, RankNone); u.Unread != 1 || u.Files != deepestWalk+2 {
		t.Errorf("a deep tree: %+v", u)
	}
	m, err := NewDirMeter(dir, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if u, err := m.Usage(over, RankBytes); err != nil || !u.Cut {
		t.Errorf("no time: %+v, %v", u, err)
	}
}

// Entries that come and go while they are counted are no error.
func TestUsageWhileItChanges(t *testing.T) {
	dir := t.TempDir()
	m, err := NewDirMeter(dir, nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755)
			os.WriteFile(filepath.Join(dir, "a/b/file"), []byte("x"), 0o644)
			os.RemoveAll(filepath.Join(dir, "a"))
			os.Symlink("/", filepath.Join(dir, "a"))
			os.Remove(filepath.Join(dir, "a"))
		}
	}()
	for range 300 {
		if u, err := m.Usage(t.Context(), RankBytes); err != nil || u.Cut || u.Files > 12 {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	close(stop)
	<-stopped
}

// The file system's word stays to be had when a box closes its directory.
func TestSpaceOfAClosedDirectory(t *testing.T) {
	dir := t.TempDir()
	m, err := NewDirMeter(dir, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	s, err := m.Space(t.Context())
	if err != nil || s.Size <= 0 || s.Used <= 0 || s.Used > s.Size || s.Free > s.Size {
		t.Errorf("%+v, %v", s, err)
	}
}
