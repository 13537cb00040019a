package docker

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/system"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Facts are what an engine says about itself, for people and for the walls.
type Facts struct {
	ID           string // the engine's own, made when it was installed
	Host         string // address of the engine, for example unix:///var/run/docker.sock
	Version      string // of the engine
	API          string // version of the API that was agreed on
	OS           string // of the engine: "linux"
	System       string // what it runs on, for example "Debian GNU/Linux 12 (bookworm)"
	Kernel       string
	BoxKernel    string   // the kernel that boxes see, another one with runtimes that bring their own; "" before the check
	Arch         string   // as in GOARCH; the engine's own word if Go has none for it
	Driver       string   // how images are stored, for example "overlay2"
	Cgroup       string   // version of control groups: "1" or "2"
	CgroupDriver string   // "cgroupfs", "systemd", or "none": no limits
	Seccomp      string   // name of the system call filter, "" if there is none
	AppArmor     bool     // boxes get Docker's AppArmor profile too
	Podman       bool     // it is Podman, which answers as Docker does
	Rootless     bool     // the engine runs without root
	User         int      // uid whose engine it is, by its socket; -1 if that can't be seen
	Remapped     bool     // the engine gives containers other user ids than they see (userns-remap)
	Runtimes     []string // sorted
	Runtime      string   // the default one
	CPUs         int
	Memory       int64  // bytes
	Root         string // directory in which the engine keeps everything
	Free         int64  // bytes free there, -1 if the engine is not on this machine
	MemoryLimit  bool   // whether a limit of memory is kept
	SwapLimit    bool   // whether a limit of swap is kept
	PIDsLimit    bool   // whether a limit of processes is kept
	CPULimit     bool   // whether a limit of processors is kept
	Swap         bool   // the machine has swap, or it can't be seen from here
	Warnings     []string
	runtimes     map[string]system.Runtime
	now          time.Time // by the engine's clock
}

// Facts asks the engine about itself.
func (e *Engine) Facts(ctx context.Context) (Facts, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("%w at %s: %w", ErrNoEngine, e.host, err)
	}
	version, err := e.api.ServerVersion(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("%w at %s: %w", ErrNoEngine, e.host, err)
	}
	f := factsOf(info)
	f.Podman = isPodman(version)
	f.Host, f.API = e.host, e.api.ClientVersion()
	f.Swap, f.Free, f.User = true, -1, -1
	if socket, ok := strings.CutPrefix(f.Host, "unix://"); ok {
		f.Swap = hasSwap("/proc/swaps")
		f.Free = free(f.Root)
		f.User = userOf(socket)
	}
	return f, nil
}

// ownKernel says that boxes are known to see another kernel than the engine's.
func (f Facts) ownKernel() bool { return f.BoxKernel != "" && f.BoxKernel != f.Kernel }

// isPodman looks for the component that Podman names itself by; to everything
// else it answers as Docker does.
func isPodman(v types.Version) bool {
	return slices.ContainsFunc(v.Components, func(c types.ComponentVersion) bool {
		return strings.Contains(strings.ToLower(c.Name), "podman")
	})
}

func factsOf(i system.Info) Facts {
	f := Facts{
		ID: i.ID, Version: i.ServerVersion, OS: i.OSType, System: i.OperatingSystem, Kernel: i.KernelVersion,
		Arch: goarch(i.Architecture), Driver: i.Driver, Cgroup: i.CgroupVersion, CgroupDriver: i.CgroupDriver,
		Runtime: i.DefaultRuntime, CPUs: i.NCPU, Memory: i.MemTotal, Root: i.DockerRootDir,
		MemoryLimit: i.MemoryLimit, SwapLimit: i.SwapLimit, PIDsLimit: i.PidsLimit,
		CPULimit: i.CPUCfsPeriod && i.CPUCfsQuota, Warnings: i.Warnings,
	}
	f.runtimes = map[string]system.Runtime{}
	for name, r := range i.Runtimes {
		f.Runtimes = append(f.Runtimes, name)
		f.runtimes[name] = r.Runtime
	}
	slices.Sort(f.Runtimes)
	for _, o := range i.SecurityOptions { // for example "name=seccomp,profile=default"
		switch name, profile := securityOption(o); name {
		case "seccomp":
			f.Seccomp = profile
		case "apparmor":
			f.AppArmor = true
		case "rootless":
			f.Rootless = true
		case "userns":
			f.Remapped = true
		}
	}
	f.now, _ = time.Parse(time.RFC3339Nano, i.SystemTime)
	return f
}

func securityOption(o string) (name, profile string) {
	for kv := range strings.SplitSeq(o, ",") {
		switch k, v, _ := strings.Cut(kv, "="); k {
		case "name":
			name = v
		case "profile":
			profile = v
		}
	}
	if name == "seccomp" && profile == "" {
		profile = "default" // engines before 20.10 name no profile
	}
	return name, profile
}

// goarch translates what uname calls a machine.
func goarch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// missing says which wall of a box the engine lacks, nil if it has all.
func (f Facts) missing(runtime string) error {
	walls := []struct {
		has       bool
		wall, why string
	}{
		{f.OS == "linux", "Linux containers", "the engine runs " + f.OS + " containers"},
		{!f.Podman, "box lifetime", "the engine is Podman: a box of it outlives its owner (no StdinOnce), and it takes no system call filter from its client"},
		{!f.Remapped, "box user", "the engine remaps user ids (userns-remap): its boxes could not write to a directory of yours"},
		{!f.Rootless || f.Cgroup == "2", "limits", "the engine is rootless on cgroup v1, where it can limit nothing; cgroup v2 is needed"},
		{!f.Rootless || f.User == os.Getuid(), "box user", "the engine is rootless and not yours: its boxes would run as another user"},
		// Whatever filter it has by default: boxes get our own.
		{f.Seccomp != "", "system call filter", "the engine or its kernel can't filter system calls (no seccomp)"},
		{f.CgroupDriver != "none", "limits", "the engine has no control groups"},
		{f.MemoryLimit, "memory limit", "the engine's kernel or control groups don't support it"},
		{f.SwapLimit || !f.Swap, "swap limit", "the machine has swap and the engine can't limit it"},
		{f.PIDsLimit, "pids limit", "the engine's kernel or control groups don't support it"},
		{f.CPULimit, "cpu limit", "the engine's kernel or control groups don't support it"},
		{runtime == "" || slices.Contains(f.Runtimes, runtime), "runtime " + runtime, "the engine has only " + strings.Join(f.Runtimes, ", ")},
	}
	for _, w := range walls {
		if !w.has {
			return &sandbox.WallError{Wall: w.wall, Why: w.why}
		}
	}
	return nil
}

// hasSwap reads the kernel's table of swap areas: a heading, then a line each.
// What can't be read counts as swap.
func hasSwap(table string) bool {
	b, err := os.ReadFile(table)
	return err != nil || strings.Count(strings.TrimSpace(string(b)), "\n") > 0
}

// userOf is whose file this is, -1 if that can't be seen.
func userOf(file string) int {
	var s syscall.Stat_t
	if syscall.Stat(file, &s) != nil {
		return -1
	}
	return int(s.Uid)
}

// free is how many bytes an ordinary user could still write at dir, -1 if
// that can't be seen.
func free(dir string) int64 {
	var s syscall.Statfs_t
	if dir == "" || syscall.Statfs(dir, &s) != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
