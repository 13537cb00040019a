package docker

import (
	"errors"
	"io"
	"testing"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox/docker/dockertest"
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

// rootFS is a tar archive of programs of this machine and what they need.
func rootFS(t testing.TB, programs []string) io.Reader {
	t.Helper()
	return archiveFiles(t, filesOf(t, programs))
}

func filesOf(t testing.TB, programs []string) map[string]string {
	t.Helper()
	return dockertest.Files(t, programs)
}

func archiveFiles(t testing.TB, files map[string]string) io.Reader {
	t.Helper()
	return dockertest.Archive(t, files)
}
