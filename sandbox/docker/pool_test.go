package docker

import (
	"os/exec"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

// Pools on Docker keep the contract that sessions are built on.
func TestPool(t *testing.T) {
	e := testEngine(t)
	boxtest.TestPool(t, func(t *testing.T) boxtest.PoolSetup {
		return boxtest.PoolSetup{Engine: e, Spec: testSpec(t, e), Kill: func(id string) {
			if out, err := exec.Command("docker", "kill", id).CombinedOutput(); err != nil {
				t.Errorf("docker kill: %v: %s", err, out)
			}
		}}
	})
}
