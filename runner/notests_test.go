package runner

import (
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// What runners print, as they do: some without a test, some with.
func TestRanNoTest(t *testing.T) {
	for name, output := range map[string]string{
		"pytest -q":      "\nno tests ran in 0.01s\n",
		"pytest":         "============ test session starts =============\ncollected 0 items\n\n====== no tests ran in 0.00s ======\n",
		"pytest -k":      "3 deselected in 0.01s\n",
		"pytest skipped": "ss                                      [100%]\n2 skipped in 0.01s\n",
		"unittest":       "\n----------------------------------------------------------------------\nRan 0 tests in 0.000s\n\nOK\n",
		"unittest 3.12":  "Ran 0 tests in 0.000s\n\nNO TESTS RAN\n",
		"go":             "?   \texample.com/todo\t[no test files]\n",
		"go -run":        "testing: warning: no tests to run\nPASS\nok  \texample.com/todo\t0.002s [no tests to run]\n",
		"cargo":          "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
		"jest":           "No tests found, exiting with code 1\nRun with `--passWithNoTests` to exit with code 0\n",
		"vitest":         "\nNo test files found, exiting with code 0\n",
		"node":           "ℹ tests 0\nℹ suites 0\nℹ pass 0\nℹ fail 0\n",
		"node in a file": "TAP version 13\n1..0\n# tests 0\n# suites 0\n# pass 0\n# fail 0\n",
		"mocha":          "\n\n  0 passing (1ms)\n\n",
	} {
		if !ranNoTest(output) {
			t.Errorf("%s ran no test, and it is not seen: %q", name, output)
		}
	}
	for name, output := range map[string]string{
		"nothing":          "",
		"prose":            "The tracker says: no tests ran in the last week. running 0 tests is bad\n",
		"pytest":           "...  [100%]\n3 passed in 0.02s\n",
		"pytest red":       "4 failed in 0.09s\n",
		"pytest both":      "1 failed, 3 passed in 0.23s\n",
		"pytest some":      "1 passed, 2 skipped in 0.01s\n",
		"pytest broken":    "1 error in 0.05s\n",
		"unittest":         "Ran 1 test in 0.001s\n\nOK\n",
		"go":               "?   \texample.com/todo\t[no test files]\nok  \texample.com/todo/list\t0.003s\n",
		"go cached":        "?   \texample.com/a\t[no test files]\nok  \texample.com/b\t(cached)\n",
		"go red":           "--- FAIL: TestAdd (0.00s)\nFAIL\nFAIL\texample.com/todo\t0.002s\n?   \texample.com/a\t[no test files]\n",
		"cargo, doc tests": "running 3 tests\n...\ntest result: ok. 3 passed; 0 failed\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed\n",
		"node":             "ℹ tests 2\nℹ pass 2\nℹ fail 0\n",
		"mocha red":        "\n  0 passing (4ms)\n  1 failing\n",
		"TAP":              "ok 1 - adds\n1..1\n# tests 1\n",
	} {
		if ranNoTest(output) {
			t.Errorf("%s: taken for a run without tests: %q", name, output)
		}
	}
}

// A runner that collects nothing is no red at the beginning and no green later.
func TestNoTestProvesNothing(t *testing.T) {
	t.Parallel()
	tries := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		if isPlan(r) {
			tries++
			calls := planCalls("hello")
			if tries == 1 {
				return says(append([]model.Call{calls[0], write("tests/hello.sh", "echo 'Ran 0 tests in 0.000s'\nexit 5\n")}, calls[2:]...)...)
			}
			if !strings.Contains(lastSaid(r), "hello: verify runs no test") {
				t.Errorf("told %q", lastSaid(r))
			}
			return says(append([]model.Call{calls[0], write("tests/hello.sh", "sh hello.sh && echo 'no tests ran in 0.01s'\n")}, calls[2:]...)...)
		}
		if turnOf(r) == 1 && !strings.Contains(lastSaid(r), "verify ran no test") {
			t.Errorf("told %q", lastSaid(r))
		}
		return says(write("hello.sh", "echo hello\n"), finish("done"), blocked("no"))
	})
	w.o.Features, w.o.MaxSessions = 1, 2
	w.ends(Incomplete)
	if w.count(ledger.Approved) != 1 || w.count(ledger.Passed) != 0 {
		t.Errorf("a run without tests proved something\n%s", w.history())
	}
}
