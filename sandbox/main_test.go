//go:build linux

package sandbox_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

func TestMain(m *testing.M) {
	boxtest.AgentIfAsked()
	goleak.VerifyTestMain(m)
}

// BenchmarkRun is what one command costs beyond a fork: `true` through stream,
// agent and back. DESIGN aims at 2 ms on 2 cores.
func BenchmarkRun(b *testing.B) {
	box, err := sandbox.Open(context.Background(), boxtest.New(b), sandbox.Spec{Limits: sandbox.DefaultLimits()})
	if err != nil {
		b.Fatal(err)
	}
	defer box.Close()
	for b.Loop() {
		r, err := box.Run(context.Background(), sandbox.Command{Args: []string{"/bin/true"}, Head: 1 << 10})
		if err != nil || !r.Success() {
			b.Fatal(r, err)
		}
	}
}

// BenchmarkOpen is what a box of the fake costs from start to end.
func BenchmarkOpen(b *testing.B) {
	fake := boxtest.New(b)
	for b.Loop() {
		box, err := sandbox.Open(context.Background(), fake, sandbox.Spec{Limits: sandbox.DefaultLimits()})
		if err != nil {
			b.Fatal(err)
		}
		if err := box.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
