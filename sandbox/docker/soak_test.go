package docker

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/glovebox-run/glovebox/sandbox"
)

// soakCalls is how many calls the soak makes, each in a box of its own: a
// thousand in full, a sample in every run of the tests.
func soakCalls() int {
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		return 1000
	}
	return 40
}

// holdings are what a process could lose bit by bit.
type holdings struct {
	goroutines, descriptors, containers, volumes int
	heap, resident                               int64 // bytes
}

func holdingsOf(t *testing.T, e *Engine, job string) holdings {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	statm, err := os.ReadFile("/proc/self/statm") // size resident ..., in pages
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	boxes, err := e.api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelJob+"="+job))})
	if err != nil {
		t.Fatal(err)
	}
	volumes, err := e.api.VolumeList(t.Context(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelJob+"="+job))})
	if err != nil {
		t.Fatal(err)
	}
	return holdings{
		goroutines: runtime.NumGoroutine(), descriptors: len(fds), containers: len(boxes), volumes: len(volumes.Volumes),
		heap: int64(m.HeapAlloc), resident: pages * int64(os.Getpagesize()),
	}
}

// Nothing grows with the number of calls: no container, goroutine, descriptor
// or memory is left of any.
func TestSoak(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	s.Job = "soak-" + word()
	calls := soakCalls()
	session := func(n int) {
		pool := sandbox.NewPool(e, s, sandbox.PoolOptions{})
		for range n {
			b, err := pool.Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if out := output(t, b, "echo hello"); out != "hello\n" {
				t.Fatalf("a call gave %q", out)
			}
			pool.Give(b)
		}
		if err := pool.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	session(5) // the agent's volume, connections to the engine, and buffers that stay
	before := holdingsOf(t, e, s.Job)
	began := time.Now()
	session(calls)
	took := time.Since(began)
	var after holdings
	until(t, "all goroutines and descriptors of the calls are gone", func() bool {
		after = holdingsOf(t, e, s.Job)
		// Connections to the engine come and go: a few more or less mean nothing.
		return after.goroutines <= before.goroutines+8 && after.descriptors <= before.descriptors+8
	})
	t.Logf("%d calls in %s: before %+v, after %+v", calls, took.Round(time.Second), before, after)
	if after.containers != 0 || after.volumes != 0 {
		t.Errorf("%d containers and %d volumes are left", after.containers, after.volumes)
	}
	if grown := after.heap - before.heap; grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if grown := after.resident - before.resident; grown > 16<<20 {
		t.Errorf("the resident memory has grown by %d bytes", grown)
	}
}

// until waits for what must happen.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: did not happen", what)
		}
	}
}
