//go:build linux

package boxtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// TestEngine is the contract of an engine together with the agent: what
// everything that is built on boxes relies on. setup returns the engine under
// test and the spec of a box, anew for each subtest. The image must have sh,
// the workspace be writable for the box's user, and nothing else be in use.
func TestEngine(t *testing.T, setup func(t *testing.T) (sandbox.Engine, sandbox.Spec)) {
	testEngine(t, setup, false)
}

// TestOwnKernel is TestEngine for boxes with a kernel of the runtime's own,
// which guards a process less from others of the same user: what runs in a box
// may end the agent, see its environment and open its descriptors, and must
// gain nothing by it but the loss of its box. only names the groups to test;
// none are all.
func TestOwnKernel(t *testing.T, setup func(t *testing.T) (sandbox.Engine, sandbox.Spec), only ...string) {
	testEngine(t, setup, true, only...)
}

func testEngine(t *testing.T, setup func(t *testing.T) (sandbox.Engine, sandbox.Spec), ownKernel bool, only ...string) {
	groups := []struct {
		name string
		of   map[string]func(*testing.T, contract)
	}{
		{"command", commandContract()},
		{"output", outputContract()},
		{"process", processContract()},
		{"file", fileContract()},
		{"life", lifeContract()},
		{"tree", treeContract()},
	}
	for _, g := range groups {
		if len(only) > 0 && !slices.Contains(only, g.name) {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			for name, check := range g.of {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					engine, spec := setup(t)
					check(t, contract{engine: engine, spec: spec, ownKernel: ownKernel})
				})
			}
		})
	}
}

// contract is what one subtest works on.
type contract struct {
	engine sandbox.Engine
	spec   sandbox.Spec
	// ownKernel: the agent is guarded less, see TestOwnKernel.
	ownKernel bool
}

// patience is how long a subtest waits for what must happen: far longer than
// it takes, because machines that test are slow.
const patience = time.Minute

// open starts a box that is closed with the test.
func (c contract) open(t *testing.T) *sandbox.Box {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := sandbox.Open(ctx, c.engine, c.spec)
	if err != nil {
		t.Fatalf("open a box: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close the box: %v", err)
		}
	})
	return b
}

// path is the PATH of the commands here: where images have sh.
const path = "PATH=/usr/local/bin:/usr/bin:/bin"

// shell is a command of sh.
func shell(script string) sandbox.Command {
	return sandbox.Command{Args: []string{"sh", "-c", script}, Env: []string{path}, Timeout: patience, Head: 64 << 10, Tail: 64 << 10}
}

// run runs c, which must not fail to run.
func run(t *testing.T, b *sandbox.Box, c sandbox.Command) sandbox.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	r, err := b.Run(ctx, c)
	if err != nil {
		t.Fatalf("run %q: %v", c.Args, err)
	}
	return r
}

// output runs a script that must succeed and returns what it wrote.
func output(t *testing.T, b *sandbox.Box, script string) string {
	t.Helper()
	r := run(t, b, shell(script))
	if !r.Success() {
		t.Fatalf("%s: exit %d %s: %s", script, r.ExitCode, r.Signal, r.Output())
	}
	return r.Output()
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

func wantLost(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, sandbox.ErrBoxLost) {
		t.Errorf("got error %v, want one that is ErrBoxLost", err)
	}
}

// mustNotRun fails if b still works.
func mustNotRun(t *testing.T, b *sandbox.Box) {
	t.Helper()
	_, err := b.Run(context.Background(), shell("true"))
	wantLost(t, err)
	wantLost(t, b.Lost())
}
