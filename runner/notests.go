package runner

import (
	"regexp"
	"strings"
)

// Lines in which test runners say that they have run no test, and that they
// have run some. A runner that ran nothing proves nothing, whatever its exit
// code: go test, cargo and node --test exit 0 then.
var (
	ranNothing = regexp.MustCompile(`(?m)^\s*(?:` + strings.Join([]string{
		`collected 0 items\b.*`, `=*\s*no tests ran in [\d.]+s.*`, // pytest
		`=*\s*\d+ (?:skipped|deselected)(?:, \d+ (?:skipped|deselected|warnings?))* in [\d.]+s.*`,
		`Ran 0 tests in .*`, `NO TESTS RAN.*`, // unittest
		`\?\s+\S+\s+\[no test files\]`, `ok\s+\S+\s+\S+\s+\[no tests to run\]`, `testing: warning: no tests to run`, // go
		`running 0 tests`,                                               // cargo
		`No tests found.*`, `No test files found.*`, `Tests:\s+0 total`, // jest, vitest
		`[#ℹ] tests 0`, `1\.\.0`, `0 passing.*`, `(?:Tests|Test Files)\s+no tests`, // node --test, TAP, mocha, vitest
	}, "|") + `)\s*$`)
	ranSome = regexp.MustCompile(`(?m)^\s*(?:` + strings.Join([]string{
		`(?:.*[^\d])?[1-9]\d* (?:passed|failed|passing|failing|errors?|xfailed|xpassed)\b.*`,
		`Ran [1-9]\d* tests? in .*`, `running [1-9]\d* tests?`, `[#ℹ] tests [1-9]\d*`, `(?:not )?ok [1-9]\d*\b.*`,
		`--- (?:PASS|FAIL): .*`, `FAIL\s+\S+\s+(?:[\d.]+s|\[.*\])`, `ok\s+\S+\s+(?:[\d.]+s|\(cached\))(?:\s+coverage: .*)?`,
	}, "|") + `)\s*$`)
)

// ranNoTest says that the output of a verify is that of a test runner which has
// run no test.
func ranNoTest(output string) bool {
	return ranNothing.MatchString(output) && !ranSome.MatchString(output)
}
