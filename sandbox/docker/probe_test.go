package docker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Engines drop limits without a word. Here one does: the box that is let run
// into them notices each, and no other box is started.
func TestI11ProbeFindsDroppedWalls(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	if err := e.Check(t.Context()); err != nil {
		t.Fatalf("with every wall: %v", err)
	}
	for wall, drop := range map[string]func(*container.HostConfig){
		"memory limit": func(h *container.HostConfig) { h.Memory, h.MemorySwap = 0, 0 },
		"pids limit":   func(h *container.HostConfig) { h.PidsLimit = nil },
		"cpu limit":    func(h *container.HostConfig) { h.NanoCPUs = 0 },
		"system call filter": func(h *container.HostConfig) {
			h.SecurityOpt = []string{"no-new-privileges"} // which leaves the engine's own
		},
	} {
		t.Run(wall, func(t *testing.T) {
			bad := newEngine(altered{e.api, drop}, Options{Log: testLog(t)})
			_, err := bad.Start(t.Context(), s)
			var missing *sandbox.WallError
			if !errors.As(err, &missing) || missing.Wall != wall {
				t.Errorf("got %v", err)
			}
			t.Log(err)
		})
	}
}

// counting counts the containers that are made.
type counting struct {
	api
	made *atomic.Int64
}

func (c counting) ContainerCreate(ctx context.Context, conf *container.Config, h *container.HostConfig, n *network.NetworkingConfig, p *ocispec.Platform, name string) (container.CreateResponse, error) {
	c.made.Add(1)
	return c.api.ContainerCreate(ctx, conf, h, n, p, name)
}

// A probe that passed is not repeated; what is remembered of it is believed
// only whole.
func TestProbeIsRemembered(t *testing.T) {
	e := testEngine(t)
	dir := t.TempDir()
	check := func() int64 {
		t.Helper()
		var made atomic.Int64
		again := newEngine(counting{e.api, &made}, Options{Log: testLog(t), CacheDir: dir})
		if err := again.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if shares, err := again.SharesNetwork(t.Context()); err != nil || !shares {
			t.Errorf("boxes of the engine's own kernel share a network: %v, %v", shares, err)
		}
		return made.Load()
	}
	if n := check(); n == 0 {
		t.Error("the first check started nothing")
	}
	if n := check(); n != 0 {
		t.Errorf("the second check made %d containers", n)
	}
	files, err := filepath.Glob(filepath.Join(dir, "probe", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("remembered in %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if n := check(); n == 0 {
		t.Error("a damaged file was believed")
	}
}

// Whatever may change how limits bite makes another subject.
func TestProbeIsRememberedForOneSubject(t *testing.T) {
	dir := t.TempDir()
	info := goodInfo()
	info.ID, info.ServerVersion, info.KernelVersion, info.DefaultRuntime = "id", "28", "6.1", "runc"
	info.Runtimes["runsc"] = system.RuntimeWithStatus{Runtime: system.Runtime{Path: "runsc", Args: []string{"--network=none"}}}
	s := subjectOf(factsOf(info), "runsc", "agent")
	if got := remembered(dir, s); got != "" {
		t.Errorf("remembered before: %q", got)
	}
	if err := remember(dir, s, "4.4.0"); err != nil {
		t.Fatal(err)
	}
	if got := remembered(dir, s); got != "4.4.0" {
		t.Errorf("remembered %q", got)
	}
	if err := remember("", s, "4.4.0"); err != nil || remembered("", s) != "" {
		t.Errorf("without a directory: %v", err)
	}
	for name, change := range map[string]func(*system.Info){
		"engine": func(i *system.Info) { i.ID = "other" }, "version": func(i *system.Info) { i.ServerVersion = "29" },
		"kernel": func(i *system.Info) { i.KernelVersion = "6.2" }, "cgroup": func(i *system.Info) { i.CgroupVersion = "1" },
		"driver": func(i *system.Info) { i.CgroupDriver = "cgroupfs" },
		"arguments": func(i *system.Info) {
			i.Runtimes = map[string]system.RuntimeWithStatus{"runsc": {Runtime: system.Runtime{Path: "runsc", Args: []string{"--ignore-cgroups"}}}}
		},
	} {
		i := info
		change(&i)
		if got := remembered(dir, subjectOf(factsOf(i), "runsc", "agent")); got != "" {
			t.Errorf("another %s: remembered %q", name, got)
		}
	}
	if remembered(dir, subjectOf(factsOf(info), "", "agent")) != "" || remembered(dir, subjectOf(factsOf(info), "runsc", "newer")) != "" {
		t.Error("another runtime or agent is taken for it")
	}
}

// A machine with other work gives a box less than its limit, whether it has
// one or not: only being held up for it proves that there is one.
func TestJudgeCPU(t *testing.T) {
	begun := time.Now()
	for name, tt := range map[string]struct {
		wall, used  time.Duration
		held        uint64
		bites, fine bool
	}{
		"as limited":       {time.Second, 250 * time.Millisecond, 9, true, true},
		"starved":          {time.Second, 20 * time.Millisecond, 0, false, true},
		"two processors":   {time.Second, 2 * time.Second, 0, false, false},
		"more, but held":   {time.Second, 900 * time.Millisecond, 9, false, false},
		"nothing counted":  {time.Second, 0, 0, false, false},
		"counts backwards": {time.Second, -time.Second, 9, false, false},
		"no time":          {0, 100 * time.Millisecond, 9, false, false},
	} {
		bites, err := judgeCPU(0.25, usage{begun, time.Hour, 5}, usage{begun.Add(tt.wall), time.Hour + tt.used, 5 + tt.held})
		var wall *sandbox.WallError
		if bites != tt.bites || errors.As(err, &wall) == tt.fine || err != nil && wall.Wall != "cpu limit" {
			t.Errorf("%s: %v, %v", name, bites, err)
		}
	}
}

// Where there is swap, a limit of memory alone only moves what is above it there.
func TestSwapIsNamed(t *testing.T) {
	for want, swapped := range map[string]int64{"swap limit": 8 << 20, "memory limit": 0} {
		var wall *sandbox.WallError
		if err := tooMuchMemory(roomFor(""), wire.Probe{Swapped: swapped}); !errors.As(err, &wall) || wall.Wall != want {
			t.Errorf("%d bytes in swap: %v", swapped, err)
		}
	}
}
