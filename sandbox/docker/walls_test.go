package docker

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/glovebox-run/glovebox/sandbox"
)

var update = flag.Bool("update", false, "write the golden files anew")

func goldenSpec() sandbox.Spec {
	return sandbox.Spec{
		Image:     "sha256:" + strings.Repeat("ab", 32),
		Workspace: "/home/ann/todo",
		Home:      "/home/ann/todo/.glovebox/home",
		Hidden:    []string{".glovebox"},
		User:      sandbox.User{UID: 1000, GID: 1001},
		Limits:    sandbox.DefaultLimits(),
		Job:       "j-1",
	}
}

var goldenImage = imageFacts{Arch: "amd64", Env: []string{"LD_PRELOAD", "PATH"}, Volumes: []string{"/data", "/tmp/cache", "/workspace"}}

var goldenCircumstances = circumstances{Agent: "glovebox-agent-0123456789ab-1", Build: "0123456789abcdef", CPUs: 8, Owner: "boot/ns/7/99"}

// The whole configuration of a box is to be read at one glance in testdata: a
// wall that goes missing shows up as a changed file.
func TestContainerForGolden(t *testing.T) {
	tests := map[string]func(*sandbox.Spec, *circumstances){
		"default": func(*sandbox.Spec, *circumstances) {},
		"verification": func(s *sandbox.Spec, _ *circumstances) {
			s.Home = ""
		},
		"volume": func(s *sandbox.Spec, _ *circumstances) {
			s.Workspace, s.Home = "", ""
			s.WorkspaceVolume, s.HomeVolume = "glovebox-workspace-j-1-0123456789ab", "glovebox-home-j-1-0123456789ab"
		},
		"empty": func(s *sandbox.Spec, _ *circumstances) {
			s.Workspace, s.Home, s.Hidden = "", "", nil
		},
		"joined": func(s *sandbox.Spec, _ *circumstances) {
			s.Network = "0123456789ab"
		},
		"small": func(s *sandbox.Spec, c *circumstances) {
			s.Limits = sandbox.Limits{Memory: 64 << 20, CPUs: 4, PIDs: 64, Disk: 8 << 20, Timeout: time.Second}
			c.CPUs, c.Runtime = 1, "runsc"
		},
		// Only here a box is uid 0 inside, for there that is the caller.
		"rootless": func(_ *sandbox.Spec, c *circumstances) { c.Rootless = true },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := goldenSpec(), goldenCircumstances
			change(&s, &c)
			config, host, err := containerFor(s, goldenImage, c)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range host.SecurityOpt {
				host.SecurityOpt[i] = strings.Replace(o, seccompProfile, "<seccomp.json>", 1)
			}
			got, err := json.MarshalIndent(struct {
				Config     *container.Config
				HostConfig *container.HostConfig
			}{config, host}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", name+".json"), append(got, '\n'))
		})
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", file, got)
	}
}

// For Docker a limit of zero is none, user 0 is root, and a source with a
// colon or a link is another directory: whatever is not clearly right is refused.
func TestContainerForRefuses(t *testing.T) {
	tests := map[string]func(*sandbox.Spec, *imageFacts){
		"root":                     func(s *sandbox.Spec, _ *imageFacts) { s.User.UID = 0 },
		"root's group":             func(s *sandbox.Spec, _ *imageFacts) { s.User.GID = 0 },
		"negative user":            func(s *sandbox.Spec, _ *imageFacts) { s.User.UID = -1 },
		"no memory limit":          func(s *sandbox.Spec, _ *imageFacts) { s.Limits.Memory = 0 },
		"unlimited memory":         func(s *sandbox.Spec, _ *imageFacts) { s.Limits.Memory = -1 },
		"no pids limit":            func(s *sandbox.Spec, _ *imageFacts) { s.Limits.PIDs = 0 },
		"no cpu limit":             func(s *sandbox.Spec, _ *imageFacts) { s.Limits.CPUs = 0 },
		"no disk limit":            func(s *sandbox.Spec, _ *imageFacts) { s.Limits.Disk = 0 },
		"relative workspace":       func(s *sandbox.Spec, _ *imageFacts) { s.Workspace = "todo" },
		"the whole host":           func(s *sandbox.Spec, _ *imageFacts) { s.Workspace = "/" },
		"directory and volume":     func(s *sandbox.Spec, _ *imageFacts) { s.WorkspaceVolume = "v" },
		"unclean home":             func(s *sandbox.Spec, _ *imageFacts) { s.Home = "/home/ann/../bob" },
		"hidden path":              func(s *sandbox.Spec, _ *imageFacts) { s.Hidden = []string{"a/b"} },
		"hidden parent":            func(s *sandbox.Spec, _ *imageFacts) { s.Hidden = []string{".."} },
		"hidden nothing":           func(s *sandbox.Spec, _ *imageFacts) { s.Hidden = []string{""} },
		"volume in the workspace":  func(_ *sandbox.Spec, i *imageFacts) { i.Volumes = []string{"/workspace/node_modules"} },
		"volume around home":       func(_ *sandbox.Spec, i *imageFacts) { i.Volumes = []string{"/home"} },
		"volume beside the agent":  func(_ *sandbox.Spec, i *imageFacts) { i.Volumes = []string{"/glovebox/lib"} },
		"volume that is the image": func(_ *sandbox.Spec, i *imageFacts) { i.Volumes = []string{"/"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s, i := goldenSpec(), goldenImage
			change(&s, &i)
			if _, _, err := containerFor(s, i, goldenCircumstances); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// A hidden directory that is missing would be made by Docker, as root, and a
// link might lead Docker out of the workspace.
func TestI6HiddenIsNoLink(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"there", "elsewhere"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{"there": true, "missing": false, "link": false, "file": false} {
		err := hiddenExist(sandbox.Spec{Workspace: dir, Hidden: []string{name}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An engine drops a limit and only warns: every warning but the one about
// swap on a machine without swap is a missing wall.
func TestCheckWarnings(t *testing.T) {
	tests := []struct {
		warning string
		swap    bool
		ok      bool
	}{
		{"", false, false},
		{"Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.", false, false},
		{noSwapLimit, false, true},
		{noSwapLimit, true, false},
		{"The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64) and no specific platform was requested", false, false},
	}
	for _, tt := range tests {
		err := checkWarnings([]string{tt.warning}, Facts{Swap: tt.swap})
		if tt.ok {
			if err != nil {
				t.Errorf("%q with swap %v: %v", tt.warning, tt.swap, err)
			}
			continue
		}
		var wall *sandbox.WallError
		if !errors.As(err, &wall) {
			t.Errorf("%q with swap %v: got %v, want a missing wall", tt.warning, tt.swap, err)
		}
	}
	if err := checkWarnings(nil, Facts{}); err != nil {
		t.Error(err)
	}
}
