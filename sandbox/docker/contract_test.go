package docker

import (
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

// Docker keeps the contract that everything else is built on.
func TestContract(t *testing.T) {
	e := testEngine(t)
	boxtest.TestEngine(t, func(t *testing.T) (sandbox.Engine, sandbox.Spec) { return e, testSpec(t, e) })
}
