package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/glovebox-run/glovebox/images"
)

// dockerfile is a build context with nothing but a Dockerfile.
func dockerfile(t testing.TB, text string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// derivedImage is the tests' image with some lines of a Dockerfile more.
func derivedImage(t testing.TB, e *Engine, lines string) string {
	t.Helper()
	toolsImage(t, e)
	tag := "glovebox-test/derived:" + word()
	id, err := e.Build(t.Context(), images.Build{Tag: tag, Context: dockerfile(t, "FROM "+toolsTag+"\n"+lines)}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := e.api.ImageRemove(context.Background(), tag, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Error(err)
		}
	})
	return id
}

// removeStepsOn removes what a failed build leaves: the images of the steps
// before, which have no name.
func removeStepsOn(t testing.TB, e *Engine, base string) {
	ctx := context.Background()
	list, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("dangling", "true"), filters.Arg("since", base))})
	if err != nil {
		t.Error(err)
	}
	for _, i := range list {
		if i.ParentID == base {
			if _, err := e.api.ImageRemove(ctx, i.ID, image.RemoveOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
}

// usersImage builds an image as a user would: no label but those of its base.
func usersImage(t testing.TB, e *Engine, base, mark string) string {
	t.Helper()
	tag := "users-own/" + mark + ":1"
	r, err := e.api.ImageBuild(t.Context(), dockerfile(t, "FROM "+base+"\nENV Y=1\n"), build.ImageBuildOptions{Tags: []string{tag}, Remove: true, Version: build.BuilderV1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := follow(r.Body, io.Discard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.api.ImageRemove(context.Background(), tag, image.RemoveOptions{Force: true, PruneChildren: true})
	})
	i, err := e.Find(t.Context(), tag)
	if err != nil {
		t.Fatal(err)
	}
	return i.ID
}

// What is built is found again with what a box needs to know of it.
func TestBuildFindList(t *testing.T) {
	e := testEngine(t)
	id := derivedImage(t, e, "ARG WHO\nENV PATH=/opt/bin:/bin\nLABEL extra=1\n")
	i, err := e.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if i.ID != id || i.Path != "/opt/bin:/bin" || i.Labels[Label] != kindImage || i.Labels["extra"] != "1" || i.Size == 0 || i.Arch == "" || len(i.Tags) != 1 || i.Digest != "" {
		t.Errorf("%+v", i)
	}
	list, err := e.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, l := range list {
		found = found || l.ID == id
	}
	if !found {
		t.Errorf("%s is not among %v", id, list)
	}
}

// A command that fails in a build is an error that shows what it said, after a
// status of 200; what it said before is progress.
func TestBuildFails(t *testing.T) {
	e := testEngine(t)
	base := toolsImage(t, e)
	t.Cleanup(func() { removeStepsOn(t, e, base) })
	var progress strings.Builder
	_, err := e.Build(t.Context(), images.Build{Tag: "glovebox-test/broken:1", Args: map[string]string{"WHO": "you"},
		Context: dockerfile(t, "FROM "+toolsTag+"\nARG WHO\nRUN echo hello $WHO; exit 3\n")}, &progress)
	if err == nil || !strings.Contains(err.Error(), "hello you") || !strings.Contains(err.Error(), "3") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(progress.String(), "hello you\n") {
		t.Errorf("progress: %q", progress.String())
	}
	if _, err := e.Find(t.Context(), "glovebox-test/broken:1"); !errors.Is(err, images.ErrNotFound) {
		t.Errorf("found: %v", err)
	}
}

func TestFindMissing(t *testing.T) {
	e := testEngine(t)
	for _, ref := range []string{"glovebox-test/nothing:1", "sha256:" + strings.Repeat("0", 64), "UPPER/case", "a b", ""} {
		if _, err := e.Find(t.Context(), ref); !errors.Is(err, images.ErrNotFound) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

// Nothing listens where the image should come from.
func TestPullWithoutRegistry(t *testing.T) {
	e := testEngine(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	if _, err := e.Pull(t.Context(), address+"/debian:bookworm-slim", io.Discard); !errors.Is(err, images.ErrNoRegistry) {
		t.Errorf("connection refused: %v", err)
	}
	if _, err := e.Pull(t.Context(), "registry.invalid/debian:bookworm-slim", io.Discard); !errors.Is(err, images.ErrNoRegistry) {
		t.Errorf("no such host: %v", err)
	}
}
