package docker

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
)

// buildGo builds a static program for boxes out of a package below this one.
func buildGo(t testing.TB, arch, pkg string, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program}, flags...)
	build := exec.Command("go", append(args, pkg)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", pkg, err, out)
	}
	return program
}

// attackers are the programs of testdata/attacker: the machine's own, and one
// for 32 bits where the machine runs such ("" elsewhere), whose system calls
// have other numbers.
type attackers struct{ native, small string }

func buildAttackers(t testing.TB) attackers {
	a := attackers{native: buildGo(t, runtime.GOARCH, "./testdata/attacker")}
	if runtime.GOARCH == "amd64" {
		a.small = buildGo(t, "386", "./testdata/attacker")
	}
	return a
}

// ambient is a file capability in the form of the file system (struct
// vfs_cap_data, revision 2, effective): CAP_NET_RAW.
const ambient = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// attackImage is the id of an image with a shell, the attackers, and traps:
// programs that would give more rights and a file for root alone.
func attackImage(t testing.TB, e *Engine, a attackers) string {
	t.Helper()
	var program, small []byte
	for path, to := range map[string]*[]byte{a.native: &program, a.small: &small} {
		if path == "" {
			continue
		}
		var err error
		if *to, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	// An image for each build of the attackers: other tests may use another at the same time.
	tag := fmt.Sprintf("glovebox-test/attack:%.6x", sha256.Sum256(slices.Concat(program, small)))
	i, err := e.Find(t.Context(), tag)
	if err == nil {
		return i.ID
	}
	if !errors.Is(err, images.ErrNotFound) {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		header tar.Header
		data   []byte
	}{
		{tar.Header{Name: "bin/attacker", Mode: 0o755}, program},
		{tar.Header{Name: "bin/attacker32", Mode: 0o755}, small},
		{tar.Header{Name: "bin/attacker-suid", Mode: 0o6755}, program},
		{tar.Header{Name: "bin/attacker-caps", Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": ambient}}, program},
		{tar.Header{Name: "etc/root-only", Mode: 0o600}, []byte("for root alone")},
	} {
		f.header.Size = int64(len(f.data))
		if err := errors.Join(w.WriteHeader(&f.header), write(w, f.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil { // its end is that of the other archive
		t.Fatal(err)
	}
	shell := rootFS(t, []string{"sh", "sleep", "cat", "ls", "grep"})
	id, err := e.Import(t.Context(), images.Import{Tag: tag, RootFS: io.MultiReader(&b, shell)}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func write(w io.Writer, data []byte) error {
	_, err := w.Write(data)
	return err
}

// changedAgent is the agent with pieces of its source replaced: a wall of the
// agent's taken away. A piece that is not there is a defect of the test.
func changedAgent(t testing.TB, changes []change) binary.Agent {
	t.Helper()
	const source = "../agent"
	dir := t.TempDir()
	replace := map[string]string{} // the file: the one in its place
	for _, c := range changes {
		file, err := filepath.Abs(filepath.Join(source, c.file))
		must(t, err)
		from := file
		if replace[file] != "" {
			from = replace[file]
		}
		code, err := os.ReadFile(from)
		must(t, err)
		if !bytes.Contains(code, []byte(c.old)) {
			t.Fatalf("%s has no %q", c.file, c.old)
		}
		replace[file] = filepath.Join(dir, c.file)
		must(t, os.WriteFile(replace[file], bytes.Replace(code, []byte(c.old), []byte(c.new), 1), 0o644))
	}
	overlay := filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	must(t, os.WriteFile(overlay, list, 0o644))
	program, err := os.ReadFile(buildGo(t, runtime.GOARCH, "../../cmd/glovebox-agent", "-overlay", overlay))
	must(t, err)
	return agentOf(append(program, word()...)) // so that it has a volume of its own
}
