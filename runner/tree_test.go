package runner

import (
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
	if got, err := w.hashFiles(entries); err != nil || got != tree {
		t.Fatalf("hashFiles = %s, %v; git says %s", got, err, tree)
	}
	must(t, os.WriteFile(filepath.Join(dir, "b/c"), []byte("changed"), 0o644))
	if got, _ := w.hashFiles(entries); got == tree {
		t.Error("a changed file has the same tree")
	}
	must(t, os.Remove(filepath.Join(dir, "b/c")))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "b/c")))
	if got, _ := w.hashFiles(entries); got == tree {
		t.Error("a link in a file's place has the same tree")
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
		if _, err := parseListing([]byte(line)); err == nil {
			t.Errorf("%s: accepted %q", name, line)
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
