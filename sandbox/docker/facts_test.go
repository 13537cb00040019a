package docker

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/system"

	"github.com/glovebox-run/glovebox/sandbox"
)

// goodInfo is what an engine with every wall says.
func goodInfo() system.Info {
	return system.Info{
		OSType: "linux", Architecture: "x86_64", CgroupDriver: "systemd", CgroupVersion: "2", NCPU: 4,
		MemoryLimit: true, SwapLimit: true, PidsLimit: true, CPUCfsPeriod: true, CPUCfsQuota: true,
		Runtimes:        map[string]system.RuntimeWithStatus{"runc": {}, "io.containerd.runc.v2": {}},
		SecurityOptions: []string{"name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"},
		SystemTime:      "2026-01-02T03:04:05.6Z",
	}
}

// Each wall that an engine lacks is named, and no box is started without it.
func TestMissingWalls(t *testing.T) {
	tests := map[string]struct {
		change  func(*system.Info)
		runtime string
		wall    string
	}{
		"complete":      {func(*system.Info) {}, "", ""},
		"known runtime": {func(*system.Info) {}, "runc", ""},
		"other runtime": {func(*system.Info) {}, "runsc", "runtime runsc"},
		"windows":       {func(i *system.Info) { i.OSType = "windows" }, "", "Linux containers"},
		"rootless":      {func(i *system.Info) { i.SecurityOptions = append(i.SecurityOptions, "name=rootless") }, "", ""},
		"old rootless": {func(i *system.Info) {
			i.SecurityOptions = append(i.SecurityOptions, "name=rootless")
			i.CgroupVersion = "1"
		}, "", "limits"},
		"remapped":       {func(i *system.Info) { i.SecurityOptions = append(i.SecurityOptions, "name=userns") }, "", "box user"},
		"no seccomp":     {func(i *system.Info) { i.SecurityOptions = nil }, "", "system call filter"},
		"seccomp off":    {func(i *system.Info) { i.SecurityOptions = []string{"name=seccomp,profile=unconfined"} }, "", ""}, // boxes get ours
		"old seccomp":    {func(i *system.Info) { i.SecurityOptions = []string{"name=seccomp"} }, "", ""},
		"no cgroups":     {func(i *system.Info) { i.CgroupDriver = "none" }, "", "limits"},
		"no memory":      {func(i *system.Info) { i.MemoryLimit = false }, "", "memory limit"},
		"no swap limit":  {func(i *system.Info) { i.SwapLimit = false }, "", "swap limit"},
		"no pids":        {func(i *system.Info) { i.PidsLimit = false }, "", "pids limit"},
		"no cpu quota":   {func(i *system.Info) { i.CPUCfsQuota = false }, "", "cpu limit"},
		"no cpu periods": {func(i *system.Info) { i.CPUCfsPeriod = false }, "", "cpu limit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			info := goodInfo()
			tt.change(&info)
			f := factsOf(info)
			f.Swap, f.User = true, os.Getuid()
			err := f.missing(tt.runtime)
			if tt.wall == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var wall *sandbox.WallError
			if !errors.As(err, &wall) || wall.Wall != tt.wall {
				t.Errorf("got %v, want the wall %q to be missing", err, tt.wall)
			}
		})
	}
}

// A rootless engine of somebody else would run boxes as that user, and whose it
// is must be known. An engine that runs as root serves whoever may ask it.
func TestRootlessEngineOfAnother(t *testing.T) {
	for user, options := range map[int]string{os.Getuid() + 1: "name=rootless", -1: "name=rootless", -2: ""} {
		info := goodInfo()
		info.SecurityOptions = append(info.SecurityOptions, options)
		f := factsOf(info)
		f.User = user
		var wall *sandbox.WallError
		if err := f.missing(""); errors.As(err, &wall) != (options != "") {
			t.Errorf("engine of user %d, %s: got %v", user, options, err)
		}
	}
}

// Podman answers as Docker does, but its boxes would outlive their owner.
func TestPodmanIsRefused(t *testing.T) {
	podman := types.Version{Components: []types.ComponentVersion{{Name: "Podman Engine", Version: "4.3.1"}, {Name: "Conmon"}}}
	moby := types.Version{Components: []types.ComponentVersion{{Name: "Engine", Version: "28.0.0"}, {Name: "containerd"}}}
	if isPodman(moby) || !isPodman(podman) {
		t.Error("Podman is not told from Docker")
	}
	f := factsOf(goodInfo())
	f.Podman = true
	var wall *sandbox.WallError
	if err := f.missing(""); !errors.As(err, &wall) || wall.Wall != "box lifetime" {
		t.Errorf("got %v", err)
	}
}

func TestFactsOf(t *testing.T) {
	f := factsOf(goodInfo())
	if f.Arch != "amd64" || f.Seccomp != "builtin" || !f.AppArmor || f.Rootless || f.now.Year() != 2026 {
		t.Errorf("%+v", f)
	}
	if len(f.Runtimes) != 2 || f.Runtimes[1] != "runc" {
		t.Errorf("runtimes %v", f.Runtimes)
	}
}

// Swap that can't be ruled out counts as swap.
func TestHasSwap(t *testing.T) {
	head := "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	for content, want := range map[string]bool{head: false, head + "/dev/sda2 partition 1 0 -2\n": true} {
		file := filepath.Join(t.TempDir(), "swaps")
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if hasSwap(file) != want {
			t.Errorf("%q: got %v", content, !want)
		}
	}
	if !hasSwap(filepath.Join(t.TempDir(), "missing")) {
		t.Error("no table counts as no swap")
	}
}

// What doctor shows of the engine at hand.
func TestFactsOfEngine(t *testing.T) {
	e := testEngine(t)
	f, err := e.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", f)
	if f.Version == "" || f.API == "" || f.Kernel == "" || f.CPUs < 1 || f.Memory < 1<<20 || f.Root == "" || f.Driver == "" || f.Cgroup == "" || f.now.IsZero() {
		t.Errorf("unknown: %+v", f)
	}
	if _, err := os.Stat(f.Root); err == nil && f.Free <= 0 {
		t.Errorf("free at %s: %d", f.Root, f.Free)
	}
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
