package runner

import (
	"os"
	"slices"
	"testing"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/model"
)

// What verify names, finds or has beside it is frozen; the program is not.
func TestGuards(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	w := workspace{root: root}
	must(t, w.write("run_tests.sh", []byte("sh check.sh\n"), 0o644))
	files := []string{"app.py", "check.sh", "pkg/a.go", "pkg/a_test.go", "run_tests.sh", "src/app_test.py", "tests/data/x.txt", "tests/helpers.py",
		"tests/test_a.py", "tests/.pytest_cache/v", "tests/__pycache__/helpers.cpython-311.pyc", "tests2/x.py"}
	tests := []string{"tests/data/x.txt", "tests/helpers.py", "tests/test_a.py"}
	for _, c := range []struct {
		verify string
		frozen []string
		want   []string
	}{
		{"python3 -m pytest -q tests/test_a.py::test_x", nil, tests},
		{"pytest tests", nil, tests},
		{"python3 -m pytest -q tests/test_a.py", []string{"tests/test_a.py"}, tests},
		{"go test ./pkg/...", nil, []string{"pkg/a_test.go"}},
		{"sh run_tests.sh", []string{"run_tests.sh"}, []string{"check.sh", "run_tests.sh"}},
		{`for t in src/*_test.py; do python3 "$t"; done`, nil, []string{"src/app_test.py"}},
		{"sh app.sh", []string{"app.py"}, []string{"app.py"}},
	} {
		if got := w.guards(feature.List{{ID: "x", Verify: c.verify, Frozen: c.frozen}}, files); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.verify, got, c.want)
		}
	}
	// A verify that names none has all that look like tests.
	if got := w.guards(feature.List{{ID: "x", Verify: "pytest -q"}}, files); !slices.Contains(got, "src/app_test.py") || slices.Contains(got, "app.py") {
		t.Errorf("%q", got)
	}
}

// A file beside the accepted tests is refused, what Python and pytest keep there is not.
func TestIntrudes(t *testing.T) {
	graders := []string{"tests/unit/test_a.py", "top_test.sh", "pkg/a_test.go", "app/in/x_test.py"}
	for name, want := range map[string]bool{"tests/json.py": true, "tests/unit/x": true, "pkg/zz_test.go": true, "argparse.py": true, "json/__init__.py": true, "src/abc.cpython-311-x86_64-linux-gnu.so": true,
		"__init__.py": true, "app/__init__.py": true, "other/__init__.py": false, "pkg/a.go": false, "cmd/b_test.go": false, "app/types.py": false, "json/a.py": false, "email.txt": false, "tests/__pycache__/x.py": true,
		"app.py": false, "own_tests/a.py": false, "tests/__pycache__/x.pyc": false, "tests/.pytest_cache/README.md": false} {
		if got := intrudes(name, graders) != ""; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Tests that are links can't be frozen.
func TestLinkedGraders(t *testing.T) {
	planned := []treeEntry{{path: "tests/a.sh"}, {path: "tests/b.sh", mode: modeLink}, {path: "bin/x", mode: modeLink}}
	if got := linkedGraders(planned, []string{"tests/a.sh"}); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// A corrected test may take over nothing that a builder can change.
func TestUnguardedRevision(t *testing.T) {
	changed := []grader{{path: "tests/a.sh", data: []byte(". ./lib.sh\n. tests/lib.sh\n")}}
	f := feature.Feature{ID: "a"}
	if got := unguardedRevision(f, changed, []string{"tests/a.sh", "tests/lib.sh"}); got == "" {
		t.Error("an unfrozen library was taken")
	}
	if got := unguardedRevision(f, changed, []string{"lib.sh", "tests/lib.sh"}); got != "" {
		t.Error(got)
	}
}

// Python reads and writes no compiled code beside the sources of a proof.
func TestProofsHaveNoPythonCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t, planned(`[ -n "$PYTHONDONTWRITEBYTECODE" ] && [ -n "$PYTHONPYCACHEPREFIX" ] && [ -e x ]`, func(model.Request) model.Reply {
		return says(write("x", "x"), finish("done"), blocked("no"))
	}))
	w.o.Features = 1
	w.done()
}
