package batch

import (
	"os"
	"path/filepath"
	"testing"
)

// Each process that works on a batch is known while it does, and what a killed
// one left is cleared away by the next.
func TestProcesses(t *testing.T) {
	out := t.TempDir()
	root, err := Open(out, items(1))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.WriteFile(filepath.Join(out, Dir, processPrefix+"killed"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if Works(out) {
		t.Error("a killed process works")
	}
	first, err := Enter(root)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Enter(root)
	if err != nil {
		t.Fatal(err)
	}
	found, err := Processes(out)
	if err != nil || len(found) != 2 || found[0].ID != os.Getpid() || !Owns(filepath.Join(out, "a"), os.Getpid()) || Owns(filepath.Join(out, "a"), 1) {
		t.Errorf("%+v, %v", found, err)
	}
	for _, p := range found {
		p.Close()
	}
	first()
	if !Works(out) {
		t.Error("nothing works while one does")
	}
	second()
	if names, _ := processFiles(root); Works(out) || len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}
