package runner

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func gitOut(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "safe.directory=*", "-C", dir}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return out
}

// The host's hash of a tree is git's own, for every kind of entry.
func TestTreeHashIsGits(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "1\n", "b/c": "", "b.txt": "2", "b-x/y": "3", "ü/x y": "\x00\xff", "sub/deep/er": "4"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o755))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "link")))
	gitOut(t, dir, "init", "-q")
	gitOut(t, dir, "add", "-A")
	tree := strings.TrimSpace(string(gitOut(t, dir, "write-tree")))
	entries, err := parseListing(gitOut(t, dir, "ls-tree", "-r", "-z", tree))
	must(t, err)
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	w := workspace{root: root}
	if got, err := treeHash(entries); err != nil || got != tree {
		t.Fatalf("treeHash = %s, %v; git says %s", got, err, tree)
	}
	must(t, w.compare(t.Context(), entries))
	for name, change := range map[string]func(file string) error{
		"content": func(file string) error { return os.WriteFile(file, []byte("changed"), 0o644) },
		"mode":    func(file string) error { return os.Chmod(file, 0o755) },
		"gone":    os.Remove,
		"a link":  func(file string) error { return os.Symlink("/etc/passwd", file) },
	} {
		file := filepath.Join(dir, "b/c")
		must(t, os.RemoveAll(file))
		if name != "a link" {
			must(t, os.WriteFile(file, nil, 0o644))
		}
		must(t, change(file))
		var refused *refusedTree
		if err := w.compare(t.Context(), entries); !errors.As(err, &refused) {
			t.Errorf("%s: a changed file is taken for git's: %v", name, err)
		}
	}
}

// I7: what the host reads to hash it has a bound, and reading can be stopped.
func TestI7HashingIsBounded(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		must(t, os.Truncate(filepath.Join(dir, name), proofMax/2+1)) // sparse: it costs no disk
	}
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	w := workspace{root: root}
	within(t, func() {
		var refused *refusedTree
		if err := w.compare(t.Context(), []treeEntry{{mode: modeFile, path: "a"}, {mode: modeFile, path: "b"}}); !errors.As(err, &refused) {
			t.Errorf("compare: %v", err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.hashFile(ctx, "a", proofMax, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("hashFile: %v", err)
	}
	if _, _, err := w.hashFile(t.Context(), "a", 10, io.Discard); err == nil {
		t.Error("a file over the limit was read")
	}
}

func TestListingIsChecked(t *testing.T) {
	hash := strings.Repeat("a", 40)
	for name, line := range map[string]string{
		"cut":       "100644 blob " + hash + "\tx",
		"no tab":    "100644 blob " + hash + " x\x00",
		"type":      "100644 tree " + hash + "\tx\x00",
		"mode":      "100666 blob " + hash + "\tx\x00",
		"hash":      "100644 blob abcd\tx\x00",
		"leaves":    "100644 blob " + hash + "\t../x\x00",
		"absolute":  "100644 blob " + hash + "\t/etc/passwd\x00",
		"state":     "100644 blob " + hash + "\t.glovebox/job.json\x00",
		"submodule": "160000 commit " + hash + "\tsub\x00",
	} {
		_, err := parseListing([]byte(line))
		if err == nil {
			t.Errorf("%s: accepted %q", name, line)
		}
		if name == "submodule" && !strings.Contains(err.Error(), "submodule") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListingNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if entries, err := parseListing(rapid.SliceOf(rapid.Byte()).Draw(t, "out")); err == nil {
			_, _ = treeHash(entries)
		}
	})
}
