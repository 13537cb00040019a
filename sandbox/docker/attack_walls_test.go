package docker

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	units "github.com/docker/go-units"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
)

// wall is something that stops attacks, and how it is taken away to see that
// it was this. One function is set.
type wall struct {
	name string
	away func(*container.Config, *container.HostConfig) // from the container
	call func(*sandbox.Command)                         // from the command
	spec func(*sandbox.Spec)                            // from the box's description
	code []change                                       // from the agent
	what string                                         // tells walls of one name apart
	leak string                                         // told to the attacker: a directory that was left open
}

// change is a piece of the agent's source and what stands in its place.
type change struct{ file, old, new string }

// without is an engine whose boxes lack walls. What an engine's own security
// module may stop (AppArmor, SELinux) goes with them: not every machine has it.
type without struct {
	api
	walls    []wall
	apparmor bool
}

func (w without) ContainerCreate(ctx context.Context, c *container.Config, h *container.HostConfig, n *network.NetworkingConfig, p *ocispec.Platform, name string) (container.CreateResponse, error) {
	if c.Labels[Label] == kindBox {
		h.SecurityOpt = append(h.SecurityOpt, "label=disable")
		if w.apparmor {
			h.SecurityOpt = append(h.SecurityOpt, "apparmor=unconfined")
		}
		for _, wall := range w.walls {
			if wall.away != nil {
				wall.away(c, h)
			}
		}
	}
	return w.api.ContainerCreate(ctx, c, h, n, p, name)
}

// engineWithout is e with walls taken away. Its limits are not probed: that
// they bite is known from e, and here they may not.
func engineWithout(t testing.TB, e *Engine, walls []wall) *Engine {
	t.Helper()
	f, err := e.ready(t.Context())
	must(t, err)
	open := newEngine(without{api: e.api, walls: walls, apparmor: f.AppArmor}, Options{Log: testLog(t), Runtime: e.runtime})
	open.facts = &f
	var code []change
	own := false
	for _, w := range walls {
		code = append(code, w.code...)
		own = own || w.code != nil
	}
	if own {
		useAgent(t, open, changedAgent(t, code))
	}
	return open
}

// useAgent makes e start boxes with another agent, whose volumes go with the test.
func useAgent(t testing.TB, e *Engine, a binary.Agent) {
	t.Helper()
	e.agentFor = func(string) (binary.Agent, error) { return a, nil }
	t.Cleanup(func() {
		for _, n := range volumesOf(t, e, a) {
			if err := e.api.VolumeRemove(context.Background(), strings.TrimSuffix(volumeName(a.Build, 0), "0")+n, false); err != nil {
				t.Error(err)
			}
		}
	})
}

func names(walls []wall) string {
	var all []string
	for _, w := range walls {
		all = append(all, w.name)
	}
	return strings.Join(all, " + ")
}

// The walls of a container. Each is taken away as somebody would who is less
// careful than containerFor.

func anyUser() wall {
	return wall{name: "user", away: func(c *container.Config, _ *container.HostConfig) { c.User = "0:0" }}
}

// capabilities gives some of them back, without the colon-separated prefix CAP_.
func capabilities(names string) wall {
	return wall{name: "no " + names, away: func(_ *container.Config, h *container.HostConfig) {
		h.CapAdd = append(h.CapAdd, strings.Fields(names)...)
	}}
}

func noSeccomp() wall {
	return wall{name: "system call filter", away: func(_ *container.Config, h *container.HostConfig) {
		h.SecurityOpt = slices.DeleteFunc(h.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "seccomp=") })
		h.SecurityOpt = append(h.SecurityOpt, "seccomp=unconfined")
	}}
}

func newPrivileges() wall {
	return wall{name: "no-new-privileges", away: func(_ *container.Config, h *container.HostConfig) {
		h.SecurityOpt = slices.DeleteFunc(h.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "no-new-privileges") })
	}}
}

func hostPIDs() wall {
	return wall{name: "pid namespace", away: func(_ *container.Config, h *container.HostConfig) { h.PidMode = "host" }}
}

func hostIPC() wall {
	return wall{name: "ipc namespace", away: func(_ *container.Config, h *container.HostConfig) { h.IpcMode = "host" }}
}

func hostNetwork() wall {
	return wall{name: "network namespace", away: func(c *container.Config, h *container.HostConfig) {
		h.NetworkMode, h.DNS, h.DNSSearch = "host", nil, nil
		c.Hostname = ""
	}}
}

func writableRoot() wall {
	return wall{name: "read-only root", away: func(_ *container.Config, h *container.HostConfig) { h.ReadonlyRootfs = false }}
}

// bound mounts what lies on the host at source also at place: a hole in the
// wall that the mount namespace is.
func bound(source, place string) wall {
	return wall{name: "mount namespace", what: source + ":" + place, away: func(_ *container.Config, h *container.HostConfig) {
		h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeBind, Source: source, Target: place})
	}}
}

func noCover() wall {
	return wall{name: "cover of .glovebox", away: func(_ *container.Config, h *container.HostConfig) {
		delete(h.Tmpfs, sandbox.Workspace+"/.glovebox")
	}}
}

func unmasked() wall {
	return wall{name: "masked /proc", away: func(_ *container.Config, h *container.HostConfig) { h.MaskedPaths = []string{} }}
}

func writableProc() wall {
	return wall{name: "read-only /proc", away: func(_ *container.Config, h *container.HostConfig) { h.ReadonlyPaths = []string{} }}
}

// writableSys mounts the host's own /sys, and its control groups, in place of
// what the engine makes up.
func writableSys() wall {
	w := bound("/sys", "/sys")
	w.name = "read-only /sys"
	return w
}

func writableCgroups() wall {
	return wall{name: "read-only control groups", away: func(_ *container.Config, h *container.HostConfig) {
		h.CgroupnsMode = "host"
		h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeBind, Source: "/sys/fs/cgroup", Target: "/sys/fs/cgroup"})
	}}
}

func anyDevice() wall {
	return wall{name: "device list", away: func(_ *container.Config, h *container.HostConfig) {
		h.DeviceCgroupRules = append(h.DeviceCgroupRules, "b *:* r")
	}}
}

// device gives a box devices of the machine, as far as there are any.
func device(paths ...string) wall {
	return wall{name: "device list", what: paths[0], away: func(_ *container.Config, h *container.HostConfig) {
		for _, path := range paths {
			if _, err := os.Stat(path); err == nil {
				h.Devices = append(h.Devices, container.DeviceMapping{PathOnHost: path, PathInContainer: path, CgroupPermissions: "rwm"})
			}
		}
	}}
}

func writableAgent() wall {
	return wall{name: "read-only agent", code: []change{}, away: func(_ *container.Config, h *container.HostConfig) {
		for i := range h.Mounts {
			h.Mounts[i].ReadOnly = h.Mounts[i].ReadOnly && h.Mounts[i].Target != agentDir
		}
	}}
}

// The walls of exhaustion are not taken away but moved to a larger number.

func morePIDs(n int64) wall {
	return wall{name: "pids limit", away: func(_ *container.Config, h *container.HostConfig) { h.PidsLimit = &n }}
}

func moreMemory(n int64) wall {
	return wall{name: "memory limit", away: func(_ *container.Config, h *container.HostConfig) { h.Memory, h.MemorySwap = n, n }}
}

func moreTmp(size string) wall {
	return wall{name: "size of /tmp", away: func(_ *container.Config, h *container.HostConfig) {
		h.Tmpfs["/tmp"] = "rw,exec,nosuid,nodev,mode=1777,size=" + size
	}}
}

func moreShm(n int64) wall {
	return wall{name: "size of /dev/shm", away: func(_ *container.Config, h *container.HostConfig) { h.ShmSize = n }}
}

func moreCPU() wall {
	return wall{name: "cpu limit", away: func(_ *container.Config, h *container.HostConfig) { h.NanoCPUs = 0 }}
}

func moreLimit(name, wallName string, n int64) wall {
	return wall{name: wallName, away: func(_ *container.Config, h *container.HostConfig) {
		h.Ulimits = slices.DeleteFunc(h.Ulimits, func(u *units.Ulimit) bool { return u.Name == name })
		h.Ulimits = append(h.Ulimits, limit(name, n))
	}}
}

// The walls that are in the agent's code.

func dumpable() wall {
	return wall{name: "undumpable agent", code: []change{{"harden.go", "unix.PR_SET_DUMPABLE, 0,", "unix.PR_SET_DUMPABLE, 1,"}}}
}

func heedingSignals() wall {
	return wall{name: "signals ignored", code: []change{{"harden.go", "\tignoreSignals()\n", "\t_ = ignoreSignals\n"}}}
}

func inherited() wall {
	return wall{name: "close-on-exec", code: []change{
		{"harden.go", "unix.F_DUPFD_CLOEXEC, 3", "unix.F_DUPFD, 3"}, {"harden.go", "unix.CloseOnExec(fd)", "_ = fd"},
	}}
}

func unreaped() wall {
	return wall{name: "reaping", code: []change{
		{"family.go", "\tfor {\n\t\tvar status syscall.WaitStatus", "\tfor mine := range f.waiting {\n\t\tvar status syscall.WaitStatus"},
		{"family.go", "syscall.Wait4(-1,", "syscall.Wait4(mine,"},
	}}
}
