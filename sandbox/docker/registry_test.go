package docker

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"github.com/glovebox-run/glovebox/images"
)

// registry serves one image as name:1, by the protocol of registries:
// https://distribution.github.io/distribution/spec/api/
type registry struct {
	name     string
	manifest []byte
	blobs    map[string][]byte
}

var noTime time.Time

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

func digest(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func newRegistry(t *testing.T, arch string) *registry {
	t.Helper()
	layer, err := io.ReadAll(rootFS(t, []string{"true"}))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(append(layer, word()...)); err != nil { // after the archive's end: another image each time
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	unzip, err := gzip.NewReader(bytes.NewReader(packed.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(sum, unzip); err != nil {
		t.Fatal(err)
	}
	config := fmt.Appendf(nil, `{"architecture":%q,"os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, arch, sum.Sum(nil))
	r := &registry{name: "test/" + word(), blobs: map[string][]byte{digest(config): config, digest(packed.Bytes()): packed.Bytes()}}
	part := func(kind string, b []byte) map[string]any {
		return map[string]any{"mediaType": "application/vnd.docker." + kind, "size": len(b), "digest": digest(b)}
	}
	r.manifest, err = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": part("container.image.v1+json", config),
		"layers": []any{part("image.rootfs.diff.tar.gzip", packed.Bytes())},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	repo := "/v2/" + r.name
	switch {
	case q.URL.Path == "/v2/":
		return
	case q.URL.Path == repo+"/manifests/1" || q.URL.Path == repo+"/manifests/"+digest(r.manifest):
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", digest(r.manifest))
		http.ServeContent(w, q, "", noTime, bytes.NewReader(r.manifest))
		return
	case strings.HasPrefix(q.URL.Path, repo+"/blobs/"):
		name := strings.TrimPrefix(q.URL.Path, repo+"/blobs/")
		if blob, ok := r.blobs[name]; ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			http.ServeContent(w, q, "", noTime, bytes.NewReader(blob))
			return
		}
	}
	// Some registries give no detail with it, and engines then answer with 500.
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
}

// What a registry serves is pulled with the digest it has there; what it does
// not have is another case than no registry.
func TestPull(t *testing.T) {
	e := testEngine(t)
	f, err := e.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := newRegistry(t, f.Arch)
	server := httptest.NewServer(r)
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/" + r.name + ":1"
	t.Cleanup(func() { e.api.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}) })

	var progress strings.Builder
	got, err := e.Pull(t.Context(), ref, &progress)
	if err != nil {
		t.Fatal(err)
	}
	if want := digest(r.manifest); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if !strings.Contains(progress.String(), "Pull complete") {
		t.Errorf("progress: %q", progress.String())
	}
	i, err := e.Find(t.Context(), ref)
	if err != nil || i.Path != defaultPath || i.Digest != got || i.Labels[Label] != "" {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := e.Pull(t.Context(), ref+"000", io.Discard); !errors.Is(err, images.ErrNotFound) || errors.Is(err, images.ErrNoRegistry) {
		t.Errorf("an unknown tag: %v", err)
	}
}

// A registry that has an image's manifest and nothing else is an error and no image.
func TestPullBreaksOff(t *testing.T) {
	e := testEngine(t)
	f, err := e.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := newRegistry(t, f.Arch)
	clear(r.blobs)
	server := httptest.NewServer(r)
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/" + r.name + ":1"
	if _, err := e.Pull(t.Context(), ref, io.Discard); err == nil {
		t.Error("pulled")
	} else {
		t.Log(err)
	}
	if _, err := e.Find(t.Context(), ref); !errors.Is(err, images.ErrNotFound) {
		t.Errorf("found: %v", err)
	}
}
