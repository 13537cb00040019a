package docker

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

// What people are told of a box is what it was started with, wall by wall.
func TestFlagsGolden(t *testing.T) {
	for name, change := range map[string]func(*sandbox.Spec, *circumstances){
		"flags": func(*sandbox.Spec, *circumstances) {},
		"flags-small": func(s *sandbox.Spec, c *circumstances) {
			s.Limits.Memory, s.Limits.PIDs, c.CPUs, c.Runtime = 64<<20, 64, 1, "runsc"
		},
	} {
		s, c := goldenSpec(), goldenCircumstances
		change(&s, &c)
		config, host, err := containerFor(s, goldenImage, c)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(flags(config, host), "\n") + "\n"
		golden(t, filepath.Join("testdata", name+".txt"), regexp.MustCompile(`sha256 [0-9a-f]{24}`).ReplaceAllLiteral([]byte(text), []byte("sha256 <hash>")))
	}
}

// No wall is missing among the flags: every value of the configuration that is
// set and bounds or grants something is to be found there.
func TestFlagsLeaveNoWallOut(t *testing.T) {
	config, host, err := containerFor(goldenSpec(), goldenImage, goldenCircumstances)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(host)
	if err != nil {
		t.Fatal(err)
	}
	var set map[string]any
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	named := map[string]string{
		"NetworkMode": "network", "Dns": "dns", "DnsSearch": "dns-search", "CapDrop": "cap-drop", "SecurityOpt": "security-opt",
		"ReadonlyRootfs": "read-only", "IpcMode": "ipc", "CgroupnsMode": "cgroupns", "Memory": "memory", "MemorySwap": "memory-swap",
		"NanoCpus": "cpus", "PidsLimit": "pids-limit", "Ulimits": "ulimit", "ShmSize": "shm-size", "OomScoreAdj": "oom-score-adj",
		"Tmpfs": "tmpfs", "Mounts": "mount", "LogConfig": "log-driver", "AutoRemove": "rm",
	}
	ours := map[string]bool{"RestartPolicy": true, "ConsoleSize": true, "Init": true} // nothing that holds a box
	text := strings.Join(flags(config, host), "\n")
	for key, value := range set {
		switch v := value.(type) {
		case nil:
			continue
		case bool:
			if !v {
				continue
			}
		case float64:
			if v == 0 {
				continue
			}
		case string:
			if v == "" {
				continue
			}
		case []any:
			if len(v) == 0 {
				continue
			}
		}
		if !ours[key] && (named[key] == "" || !strings.Contains(text, "--"+named[key]+"=")) {
			t.Errorf("%s is set and no flag says so", key)
		}
	}
}
