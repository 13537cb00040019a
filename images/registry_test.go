package images_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// startRegistry runs Debian's docker-registry on a free port of loopback,
// where engines need no TLS, and returns its address and what stops it.
func startRegistry(t *testing.T) (address string, stop func()) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Fatal("docker-registry is not installed; `.ci/setup --tests` does it")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: '127.0.0.1:0'}\n", dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	found := make(chan string, 1)
	go func() {
		defer close(ended)
		awaitAddress(out, found)
		_ = cmd.Wait()
	}()
	stop = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	t.Cleanup(stop)
	select {
	case address = <-found:
	case <-time.After(30 * time.Second):
		t.Fatal("docker-registry did not say where it listens")
	}
	if address == "" {
		t.Fatal("docker-registry ended before it listened")
	}
	return address, stop
}

// awaitAddress reads the log for the port that the registry got, then to its end.
func awaitAddress(log io.Reader, found chan<- string) {
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			found <- m[1]
			break
		}
	}
	_, _ = io.Copy(io.Discard, log)
	close(found)
}

// push puts an image of one layer into a registry by its HTTP API and returns
// the digest of its manifest.
// https://distribution.github.io/distribution/spec/api/
func push(t *testing.T, address, name, tag string, layer []byte) (digest string) {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Env": []string{"PATH=/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(layer)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range [][]byte{layer, config} {
		upload := request(t, http.MethodPost, "http://"+address+"/v2/"+name+"/blobs/uploads/", "", nil).Header.Get("Location")
		sign := "?"
		if strings.Contains(upload, "?") {
			sign = "&"
		}
		request(t, http.MethodPut, upload+sign+"digest="+digestOf(blob), "application/octet-stream", blob)
	}
	part := func(kind string, b []byte) map[string]any {
		return map[string]any{"mediaType": "application/vnd.docker." + kind, "size": len(b), "digest": digestOf(b)}
	}
	const kind = "application/vnd.docker.distribution.manifest.v2+json"
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": kind,
		"config": part("container.image.v1+json", config),
		"layers": []any{part("image.rootfs.diff.tar", layer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	request(t, http.MethodPut, "http://"+address+"/v2/"+name+"/manifests/"+tag, kind, manifest)
	return digestOf(manifest)
}

func request(t *testing.T, method, url, kind string, body []byte) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		t.Fatalf("%s %s: %s: %s", method, url, res.Status, b)
	}
	return res
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// shellLayer is a root file system whose shell says yes to everything: enough
// of a Debian for our Dockerfiles to build on it without a network.
func shellLayer(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "yes.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "sh"), source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "sh"))
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err = w.WriteHeader(&tar.Header{Name: "bin/sh", Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = w.Write(program)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
