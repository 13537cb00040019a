package docker

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/system"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Facts are what an engine says about itself, for people and for the walls.
type Facts struct {
	Host         string // address of the engine, for example unix:///var/run/docker.sock
	Version      string // of the engine
	API          string // version of the API that was agreed on
	OS           string // of the engine: "linux"
	System       string // what it runs on, for example "Debian GNU/Linux 12 (bookworm)"
	Kernel       string
	Arch         string   // as in GOARCH; the engine's own word if Go has none for it
	Driver       string   // how images are stored, for example "overlay2"
	Cgroup       string   // version of control groups: "1" or "2"
	CgroupDriver string   // "cgroupfs", "systemd", or "none": no limits
	Seccomp      string   // name of the system call filter, "" if there is none
	AppArmor     bool     // boxes get Docker's AppArmor profile too
	Rootless     bool     // the engine runs without root
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
	now          time.Time // by the engine's clock
}

// Facts asks the engine about itself.
func (e *Engine) Facts(ctx context.Context) (Facts, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("%w at %s: %w", ErrNoEngine, e.api.DaemonHost(), err)
	}
	f := factsOf(info)
	f.Host, f.API = e.api.DaemonHost(), e.api.ClientVersion()
	f.Swap, f.Free = true, -1
	if strings.HasPrefix(f.Host, "unix://") {
		f.Swap = hasSwap("/proc/swaps")
		f.Free = free(f.Root)
	}
	return f, nil
}

func factsOf(i system.Info) Facts {
	f := Facts{
		Version: i.ServerVersion, OS: i.OSType, System: i.OperatingSystem, Kernel: i.KernelVersion,
		Arch: goarch(i.Architecture), Driver: i.Driver, Cgroup: i.CgroupVersion, CgroupDriver: i.CgroupDriver,
		Runtime: i.DefaultRuntime, CPUs: i.NCPU, Memory: i.MemTotal, Root: i.DockerRootDir,
		MemoryLimit: i.MemoryLimit, SwapLimit: i.SwapLimit, PIDsLimit: i.PidsLimit,
		CPULimit: i.CPUCfsPeriod && i.CPUCfsQuota, Warnings: i.Warnings,
	}
	for name := range i.Runtimes {
		f.Runtimes = append(f.Runtimes, name)
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
		{!f.Rootless, "box user", "the engine is rootless, which is not supported yet"},
		{!f.Remapped, "box user", "the engine remaps user ids (userns-remap), which is not supported yet"},
		{f.Seccomp != "" && f.Seccomp != "unconfined", "system call filter", "the engine filters no system calls (seccomp: " + orNone(f.Seccomp) + ")"},
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

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// hasSwap reads the kernel's table of swap areas: a heading, then a line each.
// What can't be read counts as swap.
func hasSwap(table string) bool {
	b, err := os.ReadFile(table)
	return err != nil || strings.Count(strings.TrimSpace(string(b)), "\n") > 0
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
