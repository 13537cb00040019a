package dockertest

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Files are programs of this machine and the libraries they are linked with:
// where they lie in an image, where the linker looks for them, and where here.
func Files(t testing.TB, programs []string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, p := range programs {
		path, err := exec.LookPath(p)
		if err != nil {
			t.Fatalf("the tests' image needs %s of this machine: %v", p, err)
		}
		files["bin/"+p] = path
		for _, lib := range libraries(t, path) {
			files[strings.TrimPrefix(lib, "/")] = lib
		}
	}
	return files
}

// Archive is a tar archive of files and of empty directories, which are named
// without a slash in front.
func Archive(t testing.TB, files map[string]string, dirs ...string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, dir := range dirs {
		if err := w.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data, err := os.ReadFile(files[name])
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// A line of ldd is "libc.so.6 => /lib/x/libc.so.6 (0x...)" or "/lib64/ld-linux-x86-64.so.2 (0x...)".
var library = regexp.MustCompile(`(?m)(?:=> |^\s+)(/\S+) \(0x`)

func libraries(t testing.TB, program string) []string {
	out, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "not a dynamic executable") {
		t.Fatalf("ldd %s: %v: %s", program, err, out)
	}
	var libs []string
	for _, m := range library.FindAllStringSubmatch(string(out), -1) {
		libs = append(libs, filepath.Clean(m[1]))
	}
	return libs
}
