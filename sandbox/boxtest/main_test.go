//go:build linux

package boxtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

func TestMain(m *testing.M) {
	boxtest.AgentIfAsked()
	goleak.VerifyTestMain(m)
}

// TestFake: what is built on boxes is tested with the fake, so the fake has to
// keep the same contract as the engines that users run.
func TestFake(t *testing.T) {
	boxtest.TestEngine(t, func(t *testing.T) (sandbox.Engine, sandbox.Spec) {
		return boxtest.NewChecked(t), sandbox.Spec{Limits: sandbox.DefaultLimits()}
	})
}
