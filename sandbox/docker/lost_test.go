package docker

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/glovebox-run/glovebox/sandbox"
)

// A box that is killed or removed from outside during a call fails the call at
// once, and never yields a result that could be believed.
func TestI4LostBoxFailsTheCall(t *testing.T) {
	e := testEngine(t)
	cases := map[string]func(id string) error{
		"killed":  func(id string) error { return exec.Command("docker", "kill", id).Run() },
		"removed": func(id string) error { return remove(e.api, id) },
		"stopped": func(id string) error { return exec.Command("docker", "stop", "-t", "0", id).Run() },
		"its process 1 killed": func(id string) error {
			pid, err := exec.Command("docker", "inspect", "-f", "{{.State.Pid}}", id).Output()
			if err != nil {
				return err
			}
			return exec.Command("kill", "-9", strings.TrimSpace(string(pid))).Run()
		},
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			b := openBox(t, e, testSpec(t, e))
			failed := make(chan error, 1)
			go func() {
				r, err := b.Run(context.Background(), shell("echo begun >/workspace/begun; sleep 60"))
				if err == nil {
					err = errors.New("a result: " + r.Output())
				}
				failed <- err
			}()
			output(t, b, "until test -e /workspace/begun; do sleep 0.01; done")
			begun := time.Now()
			if err := end(b.ID()); err != nil {
				t.Fatal(err)
			}
			err := <-failed
			if !errors.Is(err, sandbox.ErrBoxLost) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if name != "removed" && !strings.Contains(err.Error(), "was killed") { // the engine forgets what it removed
				t.Errorf("the cause is not told: %v", err)
			}
			t.Log(err)
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			awaitGone(t, e, b.ID())
		})
	}
}

// The agent itself dies, by what else than its own fault: the box goes with it
// and what it last said is told.
func TestI4DeadAgentIsDiagnosed(t *testing.T) {
	e := testEngine(t)
	c, err := e.Start(t.Context(), testSpec(t, e))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := e.api.(interface {
		ContainerKill(context.Context, string, string) error
	}).ContainerKill(t.Context(), c.ID(), "KILL"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the stream of a dead box can be read")
	}
	if d := c.Diagnosis(); !strings.Contains(d, "137") {
		t.Errorf("diagnosis: %q", d)
	}
	awaitGone(t, e, c.ID())
}

// A process that holds boxes is killed with no chance to clean up.
func TestI5OwnerKilled(t *testing.T) {
	e := testEngine(t)
	owner := startOwner(t, toolsImage(t, e))
	for _, id := range owner.boxes {
		if !there(t, e, id) {
			t.Errorf("box %s is not held", id)
		}
	}
	killed := time.Now()
	owner.kill()
	for _, id := range owner.boxes {
		awaitGone(t, e, id)
	}
	took := time.Since(killed)
	t.Logf("3 boxes were gone after %s", took)
	if took > 2*time.Second {
		t.Errorf("the boxes outlived their owner by %s", took)
	}
}

// A process killed between creating and starting leaves a container that
// nothing ends. The tests' one gets its age by a clock that is ahead.
func TestI5NeverStartedContainersGo(t *testing.T) {
	e := testEngine(t)
	mark := word()
	made := func(label string) string {
		r, err := e.api.ContainerCreate(t.Context(), &container.Config{
			Image: toolsImage(t, e), Cmd: []string{"/bin/sh"}, Labels: map[string]string{label: kindBox, testMark: mark},
		}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { remove(e.api, r.ID) })
		return r.ID
	}
	ours, foreign := made(Label), made("somebody")
	sheltered := newEngine(shelter{e.api, mark}, Options{Log: testLog(t)})
	f, err := e.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := sheltered.sweep(t.Context(), f.now.Add(9*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if !there(t, e, ours) {
		t.Error("a young container was removed")
	}
	if err := sheltered.sweep(t.Context(), f.now.Add(11*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if there(t, e, ours) {
		t.Error("an old container of ours stayed")
	}
	if !there(t, e, foreign) {
		t.Error("a container of somebody else was removed")
	}
}

// Nothing of a box is left when its start is cancelled, at whatever moment.
func TestCancelledStartLeavesNothing(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	s.Job = "cancelled-" + word()
	for after := time.Duration(0); after < 400*time.Millisecond; after += 40 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		c, err := e.Start(ctx, s)
		if err == nil {
			err = c.Close()
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled after %s: %v", after, err)
		}
		cancel()
		list, listErr := e.api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelJob+"="+s.Job))})
		if listErr != nil || len(list) > 0 {
			t.Fatalf("cancelled after %s (%v): %d containers are left, %v", after, err, len(list), listErr)
		}
	}
}

// there says that a container exists, in whatever state.
func there(t testing.TB, e *Engine, id string) bool {
	t.Helper()
	list, err := e.api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("id", id))})
	if err != nil {
		t.Fatal(err)
	}
	return len(list) > 0
}

// awaitGone waits until the engine has removed a container.
func awaitGone(t testing.TB, e *Engine, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := awaitRemoval(ctx, e.api, id); err != nil && there(t, e, id) {
		t.Fatalf("container %s is not gone: %v", id, err)
	}
}
