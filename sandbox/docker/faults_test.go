package docker

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
)

// faulty is an engine that misbehaves where a function is set.
type faulty struct {
	api
	info   func(*system.Info)
	create func(container.CreateResponse) (container.CreateResponse, error)
	attach func(context.Context) (types.HijackedResponse, error)
	start  func(id string) error
}

func (f faulty) Info(ctx context.Context) (system.Info, error) {
	i, err := f.api.Info(ctx)
	if f.info != nil {
		f.info(&i)
	}
	return i, err
}

func (f faulty) ContainerCreate(ctx context.Context, c *container.Config, h *container.HostConfig, n *network.NetworkingConfig, p *ocispec.Platform, name string) (container.CreateResponse, error) {
	r, err := f.api.ContainerCreate(ctx, c, h, n, p, name)
	if err == nil && f.create != nil && c.Labels[Label] == kindBox {
		return f.create(r)
	}
	return r, err
}

func (f faulty) ContainerAttach(ctx context.Context, id string, o container.AttachOptions) (types.HijackedResponse, error) {
	if f.attach != nil {
		return f.attach(ctx)
	}
	return f.api.ContainerAttach(ctx, id, o)
}

func (f faulty) ContainerStart(ctx context.Context, id string, o container.StartOptions) error {
	if f.start != nil {
		return f.start(id)
	}
	return f.api.ContainerStart(ctx, id, o)
}

// Whatever an engine does wrong, the start fails in time and leaves no
// container and no further volume.
func TestFaultyEngineLeavesNothing(t *testing.T) {
	e := testEngine(t)
	facts, err := e.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	real := e.api
	hanging := make(chan struct{})
	t.Cleanup(func() { close(hanging) })
	tests := map[string]faulty{
		"warning": {create: func(r container.CreateResponse) (container.CreateResponse, error) {
			r.Warnings = []string{"Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded."}
			return r, nil
		}},
		"created, and the answer lost": {create: func(container.CreateResponse) (container.CreateResponse, error) {
			return container.CreateResponse{}, errors.New("connection reset")
		}},
		"no attaching": {attach: func(context.Context) (types.HijackedResponse, error) {
			return types.HijackedResponse{}, errors.New("no")
		}},
		"attach hangs": {attach: func(context.Context) (types.HijackedResponse, error) {
			<-hanging
			return types.HijackedResponse{}, errors.New("no")
		}},
		"no starting":   {start: func(string) error { return errors.New("no such runtime") }},
		"never started": {start: func(string) error { return nil }},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			f.api = real
			bad := newEngine(f, Options{Log: testLog(t)})
			bad.facts = &facts // the check would fail already
			bad.agentFor = uniqueAgent(t, e)
			s := testSpec(t, e)
			s.Job = word()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			begun := time.Now()
			c, err := bad.Start(ctx, s)
			if err == nil {
				c.Close()
				t.Fatal("started")
			}
			t.Log(err)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			var wall *sandbox.WallError
			if errors.As(err, &wall) != (name == "warning") {
				t.Errorf("got %v", err)
			}
			nothingLeft(t, e, s.Job)
			if v := agentVolumes(t, bad); len(v) != 0 {
				t.Errorf("volumes %v are left", v)
			}
		})
	}
}

// No engine, no run: the error tells a command that it has no sandbox.
func TestI11NoEngine(t *testing.T) {
	for _, host := range []string{"unix://" + filepath.Join(t.TempDir(), "docker.sock"), "tcp://127.0.0.1:1", "nonsense"} {
		t.Setenv("DOCKER_HOST", host)
		e, err := New(t.Context(), Options{})
		if err == nil {
			e.Close()
		}
		if !errors.Is(err, ErrNoEngine) {
			t.Errorf("%s: got %v", host, err)
		}
	}
}

// An engine without a wall starts nothing, not even the container that fills a volume.
func TestI11MissingWallStartsNothing(t *testing.T) {
	e := testEngine(t)
	for name, lack := range map[string]func(*system.Info){
		"pids limit":         func(i *system.Info) { i.PidsLimit = false },
		"system call filter": func(i *system.Info) { i.SecurityOptions = nil },
	} {
		bad := newEngine(faulty{api: e.api, info: lack, create: func(container.CreateResponse) (container.CreateResponse, error) {
			t.Error("a container was made")
			return container.CreateResponse{}, errors.New("no")
		}}, Options{})
		bad.agentFor = uniqueAgent(t, e)
		s := testSpec(t, e)
		_, err := bad.Start(t.Context(), s)
		var wall *sandbox.WallError
		if !errors.As(err, &wall) || wall.Wall != name {
			t.Errorf("%s: got %v", name, err)
		}
		if err := bad.Check(t.Context()); !errors.As(err, &wall) {
			t.Errorf("%s: the check says %v", name, err)
		}
		if v := agentVolumes(t, bad); len(v) != 0 {
			t.Errorf("volumes %v were made", v)
		}
	}
	other := newEngine(e.api, Options{Runtime: "runsc-missing"})
	var wall *sandbox.WallError
	if _, err := other.Start(t.Context(), testSpec(t, e)); !errors.As(err, &wall) || !strings.Contains(wall.Wall, "runsc-missing") {
		t.Errorf("unknown runtime: %v", err)
	}
}

// A box that is closed gives back everything it had in this process too.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	e.Close() // idle connections of the preparation
	before := goleak.IgnoreCurrent()
	for range 3 {
		c, err := e.Start(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		var twice sync.WaitGroup
		for range 2 {
			twice.Go(func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		twice.Wait()
		if there(t, e, c.ID()) {
			t.Error("closed, and the container is there")
		}
	}
	e.Close()
	goleak.VerifyNone(t, before)
}

// An engine that removes a container by itself refuses to be asked for it, or
// has done it already.
func TestRemoveAgain(t *testing.T) {
	for name, answers := range map[string][2]error{
		"gone":            {cerrdefs.ErrNotFound, nil},
		"going":           {cerrdefs.ErrConflict, nil},
		"gone meanwhile":  {cerrdefs.ErrConflict, cerrdefs.ErrNotFound},
		"fails":           {cerrdefs.ErrInternal, nil},
		"fails meanwhile": {cerrdefs.ErrConflict, cerrdefs.ErrInternal},
	} {
		err := remove(remover{remove: answers[0], wait: answers[1]}, "0123456789abcdef")
		if (err != nil) != strings.HasPrefix(name, "fails") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type remover struct {
	api
	remove, wait error
}

func (r remover) ContainerRemove(context.Context, string, container.RemoveOptions) error {
	return r.remove
}

func (r remover) ContainerWait(context.Context, string, container.WaitCondition) (<-chan container.WaitResponse, <-chan error) {
	result, failed := make(chan container.WaitResponse, 1), make(chan error, 1)
	if r.wait != nil {
		failed <- r.wait
	} else {
		result <- container.WaitResponse{}
	}
	return result, failed
}

// nothingLeft says that there is no container of a job.
func nothingLeft(t testing.TB, e *Engine, job string) {
	t.Helper()
	list, err := e.api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelJob+"="+job))})
	if err != nil || len(list) > 0 {
		t.Errorf("%d containers are left, %v", len(list), err)
	}
}

// uniqueAgent is the agent with some bytes more, so that a test has volumes of
// its own. They are removed after it.
func uniqueAgent(t testing.TB, e *Engine) func(string) (binary.Agent, error) {
	t.Helper()
	f, err := e.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, err := binary.For(f.Arch)
	if err != nil {
		t.Fatal(err)
	}
	a = agentOf(append(programOf(t, a), word()...))
	t.Cleanup(func() {
		for _, n := range volumesOf(t, e, a) {
			if err := e.api.VolumeRemove(context.Background(), strings.TrimSuffix(volumeName(a.Build, 0), "0")+n, false); err != nil {
				t.Error(err)
			}
		}
	})
	return func(string) (binary.Agent, error) { return a, nil }
}

func agentVolumes(t testing.TB, e *Engine) []string {
	t.Helper()
	a, err := e.agentFor("")
	if err != nil {
		t.Fatal(err)
	}
	return volumesOf(t, e, a)
}

// volumesOf are the numbers of an agent's volumes. Each must carry our label.
func volumesOf(t testing.TB, e *Engine, a binary.Agent) (numbers []string) {
	r, err := e.api.VolumeList(context.Background(), volume.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.TrimSuffix(volumeName(a.Build, 0), "0")
	for _, v := range r.Volumes {
		if strings.HasPrefix(v.Name, prefix) {
			if _, ours := v.Labels[Label]; !ours {
				t.Errorf("volume %s carries no label", v.Name)
			}
			numbers = append(numbers, strings.TrimPrefix(v.Name, prefix))
		}
	}
	slices.Sort(numbers)
	return numbers
}
