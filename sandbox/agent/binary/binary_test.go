package binary

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxSize is what an agent may weigh: it is copied to an engine, perhaps a
// remote one, before the first box.
const maxSize = 7 << 20

// TestFor: an agent that was not built is an error that says what to do.
func TestFor(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		a, err := For(arch)
		if err != nil {
			if !strings.Contains(err.Error(), "make build") {
				t.Errorf("%s: %v", arch, err)
			}
			continue
		}
		if len(a.Build) != 64 || a.Size == 0 || a.Size > maxSize {
			t.Errorf("%s: %d bytes, build %q", arch, a.Size, a.Build)
		}
	}
	if _, err := For("mips"); err == nil || !strings.Contains(err.Error(), "mips") {
		t.Errorf("mips: %v", err)
	}
}

// TestSize builds the agents as `make build` does.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	for _, arch := range []string{"amd64", "arm64"} {
		program := filepath.Join(t.TempDir(), "agent")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "../../../cmd/glovebox-agent")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", arch, err, out)
		}
		info, err := os.Stat(program)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxSize {
			t.Errorf("%s: %d bytes, at most %d", arch, info.Size(), maxSize)
		}
	}
}
