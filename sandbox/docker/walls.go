package docker

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/docker/docker/api/types/container"
	units "github.com/docker/go-units"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Numbers of the walls that no user sets.
const (
	// openFiles per process: enough for a JVM build or a node_modules watcher,
	// little enough for programs that close every possible descriptor at their start.
	openFiles = 16384
	// queueBytes of POSIX message queues for the box's user; the kernel's own
	// default (RLIMIT_MSGQUEUE, getrlimit(2)).
	queueBytes = 819200
	// sharedMemory is the size of /dev/shm, Docker's default. What is used of
	// it counts as memory.
	sharedMemory = 64 << 20
	// oomScore makes the kernel of a crowded host end boxes before the host's
	// own processes. What runs in a box is at 1000, so it goes before the agent.
	oomScore = 500
	// smallestMemory is what Docker accepts; the agent itself needs about as much.
	smallestMemory = 16 << 20
	// smallestPIDs is the agent's threads and a little more.
	smallestPIDs = 32
)

// agentDir is where the volume with the agent is mounted, read-only.
const agentDir = "/glovebox"

// agentFile is the agent's program in a box.
const agentFile = agentDir + "/agent"

// circumstances are what decides about a box besides its Spec and its image.
type circumstances struct {
	Agent   string // the volume that holds the agent
	Build   string // the agent's build
	CPUs    int    // of the engine
	Runtime string // "" is the engine's default
	Owner   string // who holds the box
}

// containerFor turns what a box shall be into what Docker has to be told. It
// is pure: the same box is the same configuration. Golden files in testdata
// show every wall.
//
// Nothing of the image but its files gets into the box: its entrypoint,
// command, user, environment, health check, volumes and working directory are
// overridden.
func containerFor(s sandbox.Spec, img imageFacts, c circumstances) (*container.Config, *container.HostConfig, error) {
	if err := checkLimits(s.Limits); err != nil {
		return nil, nil, err
	}
	if s.User.UID <= 0 || s.User.GID <= 0 {
		return nil, nil, &sandbox.WallError{Wall: "box user", Why: fmt.Sprintf("a box never runs as %d:%d", s.User.UID, s.User.GID)}
	}
	m, err := mountsFor(s, img.Volumes, c.Agent)
	if err != nil {
		return nil, nil, err
	}
	return config(s, img, c), hostConfig(s, c, m), nil
}

func checkLimits(l sandbox.Limits) error {
	// For Docker a limit of zero is no limit.
	switch {
	case l.Memory < smallestMemory:
		return fmt.Errorf("a box needs a memory limit of at least %s", units.BytesSize(smallestMemory))
	case l.PIDs < smallestPIDs:
		return fmt.Errorf("a box needs a pids limit of at least %d", smallestPIDs)
	case l.CPUs < 0.01: // Docker's least
		return errors.New("a box needs a cpu limit of at least 0.01")
	case l.Disk < 1<<20:
		return errors.New("a box needs a disk limit of at least 1MiB")
	}
	return nil
}

func config(s sandbox.Spec, img imageFacts, c circumstances) *container.Config {
	return &container.Config{
		Image:       s.Image,
		Entrypoint:  []string{agentFile},
		Cmd:         []string{},
		User:        fmt.Sprintf("%d:%d", s.User.UID, s.User.GID),
		WorkingDir:  "/",
		Hostname:    "box",
		Env:         slices.Clone(img.Env), // a name without a value removes the image's variable
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
		StopSignal:  "SIGKILL",

		// The end of the attached stream is the end of the agent's standard
		// input: with OpenStdin alone a box outlives the process that started it.
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
		OpenStdin: true, StdinOnce: true,

		Labels: map[string]string{
			Label: kindBox, labelJob: s.Job, labelBuild: c.Build, labelOwner: c.Owner,
			labelTag: "", // the image's own word is not about the container
		},
	}
}

func hostConfig(s sandbox.Spec, c circumstances, m mounts) *container.HostConfig {
	no := false
	pids := s.Limits.PIDs
	return &container.HostConfig{
		AutoRemove: true,
		LogConfig:  container.LogConfig{Type: "none"},
		Runtime:    c.Runtime,

		NetworkMode: "none",
		// Without these Docker copies the host's name servers and search
		// domains into the box. Nothing listens at the address, so a name
		// fails at once.
		DNS: []string{"127.0.0.1"}, DNSSearch: []string{"."}, DNSOptions: []string{},

		Privileged:     false,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"}, // the seccomp profile is the engine's own
		ReadonlyRootfs: true,
		IpcMode:        "private",
		CgroupnsMode:   "private",
		Init:           &no, // an engine may be configured to put its own process before the agent

		OomScoreAdj: oomScore,
		ShmSize:     min(sharedMemory, s.Limits.Memory/2),
		Tmpfs:       m.tmpfs,
		Mounts:      m.mounts,

		Resources: container.Resources{
			Memory:     s.Limits.Memory,
			MemorySwap: s.Limits.Memory, // memory and swap together
			NanoCPUs:   nanoCPUs(s.Limits.CPUs, c.CPUs),
			PidsLimit:  &pids,
			Ulimits: []*container.Ulimit{
				limit("core", 0), limit("fsize", s.Limits.Disk), limit("msgqueue", queueBytes), limit("nofile", openFiles),
			},
		},
	}
}

// nanoCPUs is want processors; Docker refuses more than there are.
func nanoCPUs(want float64, have int) int64 {
	if have > 0 {
		want = min(want, float64(have))
	}
	return int64(want * 1e9)
}

func limit(name string, n int64) *container.Ulimit {
	return &container.Ulimit{Name: name, Soft: n, Hard: n}
}

// within says that p is dir or lies below it; both are clean.
func within(p, dir string) bool {
	return p == dir || len(p) > len(dir) && p[:len(dir)] == dir && p[len(dir)] == '/' || dir == "/" && path.IsAbs(p)
}
