package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/ledger"
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

// Programs read the events by what docs/events.md says: every kind and every
// field stands there, with the version that is written.
func TestEventsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if want := fmt.Sprintf("# Events: version %d\n", ledger.Version); !strings.HasPrefix(text, want) {
		t.Errorf("the page does not begin with %q", want)
	}
	source, err := os.ReadFile("../../runner/ledger/event.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^\t\w+ +Kind = "([^"]+)"`).FindAllSubmatch(source, -1)
	if len(kinds) < 30 {
		t.Fatalf("only %d kinds are found", len(kinds))
	}
	for _, kind := range kinds {
		if !strings.Contains(text, "\n| `"+string(kind[1])+"` |") {
			t.Errorf("kind %s has no row", kind[1])
		}
	}
	for name := range jsonNames(reflect.TypeFor[ledger.Event]()) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("field %s is not there", name)
		}
	}
}

// jsonNames are the names of the fields of a type and of what it holds.
func jsonNames(of reflect.Type) map[string]bool {
	names := map[string]bool{}
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !strings.HasSuffix(of.PkgPath(), "/ledger") {
		return names
	}
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names[name] = true
		maps.Copy(names, jsonNames(f.Type))
	}
	return names
}

// The exit codes that scripts rely on are those that the README and docs/ci.md
// tell, and each is met by a script over the real program.
func TestExitCodesAreToldAndMet(t *testing.T) {
	outcomes := []runner.Outcome{runner.Done, runner.FailedRun, runner.Usage, runner.Incomplete, runner.OverBudget,
		runner.ModelRefused, runner.NoSandbox, runner.Rejected, runner.RateLimit, runner.Interrupted}
	var scripts strings.Builder
	for _, dir := range []string{"script", "docker"} {
		files, err := filepath.Glob("testdata/" + dir + "/*.txtar")
		if err != nil || len(files) == 0 {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			scripts.Write(text)
		}
	}
	for _, page := range []string{"../../README.md", "../../docs/ci.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			code := o.ExitCode()
			if want := i; o != runner.Interrupted && code != want || o == runner.Interrupted && code != 130 {
				t.Errorf("%s has the code %d", o, code)
			}
			if !strings.Contains(string(text), fmt.Sprintf("\n| %d | %s |", code, o)) {
				t.Errorf("%s has no row for %d, %s", page, code, o)
			}
		}
	}
	for _, o := range outcomes {
		met := regexp.MustCompile(fmt.Sprintf(`(?m)^(exits|terminal) %d `, o.ExitCode()))
		if !met.MatchString(scripts.String()) {
			t.Errorf("no script ends as %s", o)
		}
	}
}
