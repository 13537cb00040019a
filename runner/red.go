package runner

import (
	"context"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// seeRed runs every verify once, in a new box: a proof that was never seen
// failing proves nothing. All faults of a list are told at once.
func (j *job) seeRed(ctx context.Context, list feature.List) (red map[string]string, planned []treeEntry, problems []string, err error) {
	red = map[string]string{}
	err = j.onCopy(ctx, func(c *checkout) error {
		planned = c.s.entries
		c.guards = j.files.guards(list, plainPaths(planned))
		if err := c.seal(c.guards); err != nil {
			return err
		}
		for _, f := range list {
			v, err := j.runVerify(ctx, c, f, whyRedCheck)
			if err != nil {
				return err
			}
			if fault := redFault(f, v); fault != "" {
				problems = append(problems, fmt.Sprintf("- %s: %s. Its verify (%s) printed:\n%s", f.ID, fault, f.Verify, clipEnds(v.output, verifyHead)))
			}
			red[f.ID] = j.clip(lastLine(v.output), 200)
		}
		return nil
	})
	return red, planned, problems, err
}

// redFault says why a verify that should fail for want of the feature fails,
// or passes, for another reason.
func redFault(f feature.Feature, v verdict) string {
	switch {
	case v.passed:
		return "verify passes before anything is built: it proves nothing, or you have built the feature already"
	case v.exit == 126 || v.exit == 127:
		return fmt.Sprintf("verify can't run (exit %d): a command in it is not there", v.exit)
	case v.exit == -1:
		return "verify " + v.how + ": it must end by itself"
	case ranNoTest(v.output):
		return "verify runs no test: write the tests that it should find"
	case v.exit == 0:
		return "verify " + v.how
	case strings.Contains(f.Verify, "pytest") && (v.exit == 4 || v.exit == 5):
		return fmt.Sprintf("verify collects no test (pytest exit %d)", v.exit)
	case strings.Contains(f.Verify, "pytest") && v.exit == 2:
		return "the test file can't be loaded (pytest exit 2): it must run and fail, not break"
	default:
		return ""
	}
}
