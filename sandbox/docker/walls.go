package docker

import (
	"errors"
	"fmt"
	"path"
	"regexp"
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

// boxID is what [conn.ID] is.
var boxID = regexp.MustCompile(`^[0-9a-f]{12}$`)

// circumstances are what decides about a box besides its Spec and its image.
type circumstances struct {
	Agent   string // the volume that holds the agent
	Build   string // the agent's build
	CPUs    int    // of the engine
	Runtime string // "" is the engine's default
	Owner   string // who holds the box
	// Rootless says that the engine runs as the user who is asking: uid 0 of
	// its containers is that user, and every other uid is nobody outside.
	Rootless bool
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
	if s.Network != "" && !boxID.MatchString(s.Network) {
		return nil, nil, fmt.Errorf("can't join the network of %.80q: not the ID of a box", s.Network)
	}
	if c.Rootless {
		s.User = sandbox.User{} // as that user outside, and without a capability inside
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
		Hostname:    hostname(s),
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

// hostname is the box's. One that joins a network has that of the box it joins:
// Docker takes no other.
func hostname(s sandbox.Spec) string {
	if s.Network != "" {
		return ""
	}
	return "box"
}

func hostConfig(s sandbox.Spec, c circumstances, m mounts) *container.HostConfig {
	no := false
	pids := s.Limits.PIDs
	h := &container.HostConfig{
		AutoRemove: true,
		LogConfig:  container.LogConfig{Type: "none"},
		Runtime:    c.Runtime,

		Privileged:     false,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges", "seccomp=" + seccompProfile}, // nothing here turns AppArmor or SELinux off
		ReadonlyRootfs: true,
		IpcMode:        "private",
		CgroupnsMode:   "private",
		Init:           &no, // an engine may be configured to put its own process before the agent

		OomScoreAdj: oomScore,
		ShmSize:     s.Limits.Shared(),
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
	setNetwork(s, h)
	return h
}

// setNetwork gives a box nothing but loopback: its own, or that of another box,
// whose resolv.conf and hosts it gets, too.
func setNetwork(s sandbox.Spec, h *container.HostConfig) {
	if s.Network != "" {
		h.NetworkMode = container.NetworkMode("container:" + s.Network)
		return
	}
	h.NetworkMode = "none"
	// Without these Docker copies the host's name servers and search domains
	// into the box. Nothing listens at the address, so a name fails at once.
	h.DNS, h.DNSSearch, h.DNSOptions = []string{"127.0.0.1"}, []string{"."}, []string{}
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
