package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A promise whose test was renamed or removed is no longer proven, and nobody
// would notice.
func TestInvariantsNameRealTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/invariants.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t, "../..")
	for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1) {
		if !tests[name[1]] {
			t.Errorf("there is no %s", name[1])
		}
	}
	for _, script := range regexp.MustCompile("`((?:script|docker)/[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat("testdata/" + script[1] + ".txtar"); err != nil {
			t.Error(err)
		}
	}
	for i := 1; i <= 12; i++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| I%d \|.*(Test|script)`, i))
		if !row.Match(page) {
			t.Errorf("I%d has no row with a test", i)
		}
	}
}

// testNames are the names of all tests below dir.
func testNames(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "demo") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
