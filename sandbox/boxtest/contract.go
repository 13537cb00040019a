//go:build linux

package boxtest

import (
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Setup returns the engine under test and the spec of a box for one subtest.
// The image must have sh; the workspace must be writable for the box's user.
type Setup func(t *testing.T) (sandbox.Engine, sandbox.Spec)

// TestEngine is the contract of an engine together with the agent: what
// everything that is built on boxes relies on.
func TestEngine(t *testing.T, setup func(t *testing.T) (sandbox.Engine, sandbox.Spec)) {
}
