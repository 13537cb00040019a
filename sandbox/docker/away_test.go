//go:build linux

package docker

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/docker/dockertest"
)

// What happens to an engine: each time the call under way fails and says so,
// the next box comes up, and nothing is left, there or here.
func TestEngineFaults(t *testing.T) {
	own := privateEngine(t, dockertest.Options{})
	e := engineAt(t, own.Host(), Options{})
	s := fewSpec(t, e)
	b := openBox(t, e, s) // what is made once, is there
	if ids := own.Containers(); len(ids) != 1 || ids[0][:12] != b.ID() {
		t.Errorf("containers %v, want box %s", ids, b.ID())
	}
	b.Close()
	t.Run("stopped during a call", func(t *testing.T) { endDuringCall(t, own, e, s, own.Stop) })
	t.Run("killed during a call", func(t *testing.T) { endDuringCall(t, own, e, s, own.Kill) })
	t.Run("away when a box starts and ends", func(t *testing.T) { awayBetweenCalls(t, own, e, s) })
	t.Run("killed with the owner", func(t *testing.T) { killedWithOwner(t, own, s) })
}

func endDuringCall(t *testing.T, own *dockertest.Engine, e *Engine, s sandbox.Spec, end func()) {
	leaves := leavesNothing(t, e)
	b := openBox(t, e, s)
	failed := callUnderWay(t, b)
	end()
	own.Start()
	err := <-failed
	if !errors.Is(err, sandbox.ErrBoxLost) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), "the engine broke") && !strings.Contains(err.Error(), "killed") {
		t.Errorf("the cause is not told: %v", err)
	}
	t.Log(err)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	next := openBox(t, e, s)
	if got := output(t, next, "echo here"); got != "here\n" {
		t.Errorf("the next box says %q", got)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	leaves()
}

// An engine that is away for a moment, as while it is restarted, is waited for;
// one that stays away is no engine.
func awayBetweenCalls(t *testing.T, own *dockertest.Engine, e *Engine, s sandbox.Spec) {
	leaves := leavesNothing(t, e)
	before := openBox(t, e, s)
	own.Stop()
	ended, opened := make(chan error, 1), make(chan error, 1)
	go func() { ended <- before.Close() }()
	go func() {
		b, err := sandbox.Open(context.Background(), e, s)
		if err == nil {
			err = b.Close()
		}
		opened <- err
	}()
	own.Start()
	if err := <-ended; err != nil {
		t.Errorf("ended while the engine was away: %v", err)
	}
	if err := <-opened; err != nil {
		t.Errorf("wanted while the engine was away: %v", err)
	}
	leaves()
	own.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := e.Start(ctx, s); !errors.Is(err, ErrNoEngine) {
		t.Errorf("an engine that stays away: %v", err)
	}
	own.Start()
}

// killedWithOwner: the engine is killed, so that nobody tells its boxes that
// their owner is gone, and then the owner is. The agents notice by themselves.
func killedWithOwner(t *testing.T, own *dockertest.Engine, s sandbox.Spec) {
	silence, most := "10s", 30*time.Second
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		silence, most = "", 60*time.Second
	}
	owner := startOwner(t, s.Image, "DOCKER_HOST="+own.Host(), silenceVariable+"="+silence)
	if n := len(own.Containers()); n != 3 {
		t.Fatalf("%d boxes are held", n)
	}
	own.Kill()
	if n := len(own.Containers()); n != 3 {
		t.Errorf("%d boxes after the engine's end: it must be the owner's that ends them", n)
	}
	killed := time.Now()
	owner.kill()
	for len(own.Containers()) > 0 {
		if time.Since(killed) > most+10*time.Second { // the machine may be busy
			t.Fatalf("boxes %v live %s after their owner and their engine", own.Containers(), time.Since(killed))
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("the boxes were gone after %s", time.Since(killed))
	own.Start()
	e := engineAt(t, own.Host(), Options{})
	list, err := e.api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: ours()})
	for _, c := range list {
		awaitGone(t, e, c.ID)
	}
	if err != nil {
		t.Error(err)
	}
}

// callUnderWay begins a call that does not end, and returns when it has begun.
// What comes of it is sent: an error, also if it were a result.
func callUnderWay(t *testing.T, b *sandbox.Box) <-chan error {
	t.Helper()
	failed := make(chan error, 1)
	go func() {
		r, err := b.Run(context.Background(), shell("echo begun >/workspace/begun; sleep 60"))
		if err == nil {
			err = errors.New("a result: " + r.Output())
		}
		failed <- err
	}()
	output(t, b, "until test -e /workspace/begun; do sleep 0.01; done; rm /workspace/begun")
	return failed
}

// leavesNothing remembers what there is; the function it returns looks whether
// a container of this process, a goroutine or a file descriptor has come to it.
func leavesNothing(t *testing.T, e *Engine) func() {
	t.Helper()
	e.Close() // idle connections
	routines, descriptors := goleak.IgnoreCurrent(), openDescriptors(t)
	return func() {
		t.Helper()
		list, err := e.api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelOwner+"="+e.owner))})
		for _, c := range list {
			awaitGone(t, e, c.ID) // the engine may be at it
		}
		if err != nil {
			t.Error(err)
		}
		e.Close()
		if err := goleak.Find(routines, goleak.IgnoreAnyFunction("github.com/glovebox-run/glovebox/sandbox/docker/dockertest.(*Engine).Start.func1")); err != nil {
			t.Error(err)
		}
		if now := openDescriptors(t); now > descriptors {
			t.Errorf("%d file descriptors, before %d", now, descriptors)
		}
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
