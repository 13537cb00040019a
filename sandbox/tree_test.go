package sandbox

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testMirror is a directory with one file of a person's, one that a box knows,
// and a state.
func testMirror(t *testing.T) (*Mirror, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"mine": "mine", "known": "old", ".glovebox/features.json": "precious"} {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &Mirror{Root: root, Private: ".glovebox", Staging: ".glovebox/incoming", MaxBytes: 1 << 16, MaxEntries: 100}, dir
}

// archiveWith is the beginning of an archive, with one file.
func archiveWith(name, text string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
		panic(err)
	}
	io.WriteString(w, text)
	w.Flush()
	return b.Bytes()
}

// An agent that lies about a directory loses its box, and the host's directory
// is as it was. (What archives may hold is tested in package tree.)
func TestHostilePull(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, serve := range map[string]func(net.Conn){
		"no archive": speaking(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }),
		"no end":     speaking(func(w http.ResponseWriter, _ *http.Request) { w.Write(archiveWith("known", "new")) }),
		"the state": speaking(func(w http.ResponseWriter, _ *http.Request) {
			w.Write(archiveWith(".glovebox/features.json", "forged"))
		}),
		"escapes":     speaking(func(w http.ResponseWriter, _ *http.Request) { w.Write(archiveWith("../escape", "x")) }),
		"goes away":   answering(func(w io.Writer) { io.WriteString(w, chunked+"200\r\n"); w.Write(archiveWith("known", "new")[:512]) }),
		"endless":     answering(func(w io.Writer) { io.WriteString(w, ok); w.Write(archiveWith("known", "new")); endless(w, "\x00") }),
		"endless end": answering(func(w io.Writer) { io.WriteString(w, ok); w.Write(archiveWith("./end", strings.Repeat("x", 1<<20))) }),
		"a status":    answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 500 No\r\n\r\n") }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, dir := testMirror(t)
			b := openHostile(t, serve)
			_, err := b.Pull(context.Background(), m, Workspace)
			if !errors.Is(err, ErrBoxLost) || len(err.Error()) > 1500 {
				t.Errorf("%v", err)
			}
			wantDestroyed(t, b)
			for name, want := range map[string]string{"mine": "mine", "known": "old", ".glovebox/features.json": "precious"} {
				if got, _ := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
					t.Errorf("%s holds %q", name, got)
				}
			}
			if _, err := os.Lstat(filepath.Join(dir, ".glovebox/incoming")); err == nil {
				t.Error("what came is left")
			}
		})
	}
}

// Sending to an agent that does not listen, or answers nonsense, ends.
func TestHostilePush(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"never reads":     answering(func(w io.Writer) {}),
		"no stamps":       speaking(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }),
		"half a stamp":    speaking(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); io.WriteString(w, "half") }),
		"too many stamps": speaking(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); endless(w, "s") }),
		"answers early":   answering(func(w io.Writer) { io.WriteString(w, ok+strings.Repeat("s", 24)) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, dir := testMirror(t)
			if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 4<<20), 0o644); err != nil {
				t.Fatal(err)
			}
			b := openHostile(t, serve)
			_, err := b.Push(context.Background(), m, Workspace)
			if !errors.Is(err, ErrBoxLost) {
				t.Errorf("%v", err)
			}
			wantDestroyed(t, b)
		})
	}
}

// A cancelled context ends both ways, and the box.
func TestCancelledTree(t *testing.T) {
	m, _ := testMirror(t)
	ctx, cancel := context.WithCancel(context.Background())
	b := openHostile(t, speaking(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	if _, err := b.Pull(ctx, m, Workspace); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	wantDestroyed(t, b)
}

// What is known of a copy is believed only as a whole.
func TestLoadMirror(t *testing.T) {
	var m Mirror
	for _, text := range []string{"a", "a\x00short", "../a\x00" + strings.Repeat("s", 24), "a\x00" + strings.Repeat("s", 24) + "b"} {
		if err := m.Load(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if err := m.Load(strings.NewReader("a\x00" + strings.Repeat("s", 24))); err != nil || len(m.known) != 1 {
		t.Errorf("%v, %d known", err, len(m.known))
	}
}
