package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/images"
)

// The tests' image is made of programs of the machine they run on, so that
// they need no network and take seconds. Raise the tag's number with the list.
const (
	toolsTag = "glovebox-test/tools:2"
	shellTag = "glovebox-test/shell:1"
)

var tools = []string{
	"sh", "bash", "cat", "chmod", "cp", "cut", "date", "dd", "df", "env", "false", "find", "grep", "head", "id", "kill",
	"ln", "ls", "mkdir", "mkfifo", "mktemp", "mv", "od", "printf", "pwd", "readlink", "rm", "sed", "seq", "setsid", "sleep", "sort",
	"stat", "tail", "tee", "test", "timeout", "touch", "tr", "true", "uname", "wc", "xargs", "yes",
}

// toolsImage is the id of an image with a shell and the usual small programs.
func toolsImage(t testing.TB, e *Engine) string {
	return testImage(t, e, toolsTag, tools)
}

func testImage(t testing.TB, e *Engine, tag string, programs []string) string {
	t.Helper()
	i, err := e.Find(t.Context(), tag)
	if err == nil {
		return i.ID
	}
	if !errors.Is(err, images.ErrNotFound) {
		t.Fatal(err)
	}
	id, err := e.Import(t.Context(), images.Import{Tag: tag, RootFS: rootFS(t, programs)}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// rootFS is a tar archive of programs of this machine in /bin and the
// libraries they are linked with, where the linker looks for them.
func rootFS(t testing.TB, programs []string) io.Reader {
	t.Helper()
	files := map[string]string{} // in the image: here
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
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range sorted(files) {
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

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
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
