package images_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// engine is the machine's engine. Without one these tests prove nothing, so they fail.
func engine(t *testing.T) *docker.Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker engine; -short leaves it out")
	}
	e, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// forget removes an image after the test.
func forget(t *testing.T, ref string) {
	t.Helper()
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", "-f", ref).CombinedOutput(); err != nil {
			t.Logf("remove %s: %s", ref, out)
		}
	})
}

// The way that most machines go: the Debian comes from a registry, ours are
// built on what came, and which digest that was stays known.
func TestPullFromRegistry(t *testing.T) {
	e := engine(t)
	address, stop := startRegistry(t)
	digest := push(t, address, "debian", "slim", shellLayer(t))
	ref := address + "/debian:slim"
	o := images.Options{BaseRef: ref}
	forget(t, ref)

	var said bytes.Buffer
	o.Progress = &said
	img, err := images.Ensure(t.Context(), e, "python", o)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for _, tag := range img.Tags {
		forget(t, tag)
	}
	t.Logf("progress:\n%s", said.String())
	if want := ref + "@" + digest; images.Origin(img) != want || !strings.Contains(said.String(), want) {
		t.Errorf("origin %s, want %s", images.Origin(img), want)
	}
	if img.Labels[images.LabelKey] != "image" || img.Labels[images.LabelName] != "python" {
		t.Errorf("labels %v", img.Labels)
	}

	// Now that all is here nobody needs the registry any more.
	stop()
	said.Reset()
	for _, name := range []string{"python", "base", ref} {
		again, err := images.Ensure(t.Context(), e, name, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range again.Tags {
			forget(t, tag)
		}
	}
	if said.Len() > 0 {
		t.Errorf("nothing was to do, but it says %s", said.String())
	}
}

// An image of the user's is pulled by its name; the digest is the registry's.
func TestPullOther(t *testing.T) {
	e := engine(t)
	address, _ := startRegistry(t)
	digest := push(t, address, "team/tools", "v1", shellLayer(t))
	ref := address + "/team/tools:v1"
	forget(t, ref)
	var said bytes.Buffer
	img, err := images.Ensure(t.Context(), e, ref, images.Options{Progress: &said})
	if err != nil {
		t.Fatal(err)
	}
	if img.Digest != digest || img.Path != "/bin" || !strings.Contains(said.String(), digest) {
		t.Errorf("got %+v, want digest %s\n%s", img, digest, said.String())
	}
	_, err = images.Ensure(t.Context(), e, address+"/team/tools:v2", images.Options{})
	wantError(t, err, images.ErrNotFound, "neither in the engine nor in its registry")
}

// Registries fail in several ways; each is told in words, and none takes long.
func TestPullFailures(t *testing.T) {
	e := engine(t)
	unknown := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"1"}}]}`)
		}
	}))
	t.Cleanup(unknown.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]struct {
		address string
		want    error
		reason  string
	}{
		"404":    {strings.TrimPrefix(unknown.URL, "http://"), images.ErrNotFound, "neither in the engine nor in its registry"},
		"closed": {closed.Addr().String(), images.ErrNoRegistry, "its registry can't be reached"},
		"hangs":  {silent(t), images.ErrNoRegistry, "nothing came for 1s"},
	} {
		start := time.Now()
		_, err := images.Ensure(t.Context(), e, c.address+"/x/y:1", images.Options{Silence: time.Second})
		wantError(t, err, c.want, c.reason)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}

// silent is the address of a server that takes connections and never says a word.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel accepts, nobody answers
}

func wantError(t *testing.T, err, kind error, reason string) {
	t.Helper()
	var e *images.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
		return
	}
	if !strings.Contains(e.Reason, reason) || e.Hint == "" {
		t.Errorf("reason %q, hint %q, want %q", e.Reason, e.Hint, reason)
	}
}

// The default image holds what the prompts promise, and a box finds it out in
// less time than a model's first answer takes.
func TestPythonImage(t *testing.T) {
	e := engine(t)
	img, err := images.Ensure(t.Context(), e, images.Default, images.Options{Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, %d MB, from %s", img.Tags, img.Size/1e6, images.Origin(img))
	box, err := sandbox.Open(t.Context(), e, sandbox.Spec{
		Image: img.ID, User: sandbox.User{UID: 10001, GID: 10001}, Limits: sandbox.DefaultLimits(), Job: "images-test",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	env := []string{"PATH=" + img.Path, "HOME=" + sandbox.Home, "LANG=C.UTF-8"}
	res, err := box.Run(t.Context(), sandbox.Command{Args: []string{"sh", "-c", images.ProbeScript}, Env: env, Head: 64 << 10})
	if err != nil || !res.Success() {
		t.Fatalf("%v: %+v %s", err, res, res.Output())
	}
	if res.Duration > 2*time.Second {
		t.Errorf("the probe took %s", res.Duration)
	}
	inv := images.ParseInventory(res.Head)
	t.Logf("in %s: %s; not %s", res.Duration.Round(time.Millisecond), inv.InstalledLine(), inv.MissingLine())
	for _, want := range []string{"python3 3.", "pytest ", "git ", "rg ", "jq ", "make ", "curl ", "pip"} {
		if !strings.Contains(inv.InstalledLine(), want) {
			t.Errorf("%q is not told: %s", want, inv.InstalledLine())
		}
	}
	if !inv.Git || !inv.Bash || !strings.Contains(inv.MissingLine(), "node") {
		t.Errorf("%+v", inv)
	}
	works := "cd \"$HOME\" && python -m venv v && v/bin/python -c 'import sqlite3, ssl' && v/bin/pip --version && python3 -m pytest --version"
	if res, err = box.Run(t.Context(), sandbox.Command{Args: []string{"bash", "-c", works}, Env: env, Tail: 2000}); err != nil || !res.Success() {
		t.Errorf("%v: %s", err, res.Output())
	}
}

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}
