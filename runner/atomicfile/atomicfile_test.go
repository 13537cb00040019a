package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

func openRoot(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// A file is replaced as a whole, and nothing else is left lying about.
func TestWriteReplaces(t *testing.T) {
	root, dir := openRoot(t)
	for _, text := range []string{"a long first content", "short", ""} {
		if err := atomicfile.Write(root, "f", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := atomicfile.Read(root, "f", 100)
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
}

// What can't be written leaves the old content and no new file.
func TestWriteFails(t *testing.T) {
	root, dir := openRoot(t)
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d", "missing/f", "../f"} {
		if err := atomicfile.Write(root, name, []byte("x"), 0o600); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
}

// Nothing but a regular file is opened: no link is followed, no pipe waited for.
func TestOpensRegularFilesOnly(t *testing.T) {
	root, dir := openRoot(t)
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink("precious", filepath.Join(dir, "inside")), os.Symlink("/etc/passwd", filepath.Join(dir, "outside")),
		os.Symlink("nothing", filepath.Join(dir, "dangling")), os.Mkdir(filepath.Join(dir, "dir"), 0o700),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"inside": "a link", "outside": "a link", "dangling": "a link", "dir": "a directory", "pipe": "a pipe, socket or device",
	} {
		if _, err := atomicfile.Read(root, name, 100); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read %s: %v", name, err)
		}
		if f, err := atomicfile.Open(root, name, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			f.Close()
			t.Errorf("%s was opened", name)
		}
	}
	if err := atomicfile.Write(root, "inside", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(precious); string(data) != "x" {
		t.Errorf("the link's target holds %q", data)
	}
}

// A file that is missing or too long says so.
func TestReadBounds(t *testing.T) {
	root, _ := openRoot(t)
	if _, err := atomicfile.Read(root, "f", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := atomicfile.Write(root, "f", []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := atomicfile.Read(root, "f", 3); err == nil || !strings.Contains(err.Error(), "larger than 3 bytes") {
		t.Errorf("too long: %v", err)
	}
	if data, err := atomicfile.Read(root, "f", 4); err != nil || string(data) != "1234" {
		t.Errorf("exactly: %q, %v", data, err)
	}
}
