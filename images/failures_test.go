package images

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// noRegistry is what Ensure asks before it makes a Debian.
func noRegistry(t *testing.T) []step {
	return []step{
		{op: "find", ref: tagOf(t, "base"), err: ErrNotFound},
		{op: "find", ref: DebianRef, err: ErrNotFound},
		{op: "pull", ref: DebianRef, err: ErrNoRegistry},
		{op: "find", ref: bootstrapTag, err: ErrNotFound},
	}
}

// With neither a registry nor mmdebstrap a person is told both ways out.
func TestEnsureNeither(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	steps := noRegistry(t)
	steps[2].err = ErrNotFound
	_, err := Ensure(t.Context(), newScript(t, steps...), "base", Options{})
	e := asError(t, err)
	wantText(t, e.Reason, "no such image, and mmdebstrap is not installed")
	wantText(t, e.Hint, "docker pull debian:bookworm-slim")
	wantText(t, e.Hint, "apt-get install mmdebstrap")
	if !errors.Is(err, ErrNoRegistry) || errors.Is(err, ErrNotFound) {
		t.Error("it reads as if the name of the image were wrong")
	}
}

// A registry that takes the connection and says nothing does not hold anybody up.
func TestEnsureSilentRegistry(t *testing.T) {
	store := newScript(t,
		step{op: "find", ref: "x/y:1", err: ErrNotFound},
		step{op: "pull", ref: "x/y:1", hang: true},
	)
	start := time.Now()
	_, err := Ensure(t.Context(), store, "x/y:1", Options{Silence: 20 * time.Millisecond})
	wantText(t, asError(t, err).Reason, "nothing came for 20ms")
	if !errors.Is(err, ErrNoRegistry) || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

// Each way in which a foreign image can't be had is told apart, and says what to do.
func TestEnsureOtherFailures(t *testing.T) {
	for _, c := range []struct {
		err          error
		reason, hint string
	}{
		{ErrNotFound, "image x/y:1 is neither in the engine nor in its registry", "docker build -t x/y:1 ."},
		{ErrNoRegistry, "its registry can't be reached: no registry answers", "docker load"},
		{errors.New("denied"), "can't be pulled: denied", "docker pull x/y:1"},
	} {
		store := newScript(t,
			step{op: "find", ref: "x/y:1", err: ErrNotFound},
			step{op: "pull", ref: "x/y:1", err: c.err},
		)
		_, err := Ensure(t.Context(), store, "x/y:1", Options{})
		e := asError(t, err)
		wantText(t, e.Reason, c.reason)
		wantText(t, e.Hint, c.hint)
		if !errors.Is(err, c.err) || strings.Contains(e.Reason, "\n") {
			t.Errorf("%#v", e)
		}
	}
}

// Names that are none never reach the engine.
func TestEnsureBadNames(t *testing.T) {
	for _, ref := range []string{"", "-v", "a b", "a\nb", "ä", strings.Repeat("a", 600)} {
		_, err := Ensure(t.Context(), newScript(t), ref, Options{})
		if e := asError(t, err); len(e.Reason) > 500 || e.Hint == "" {
			t.Errorf("%#v", e)
		}
	}
}

// An engine in trouble is not a missing image: nothing is built over it.
func TestEnsureEngineFails(t *testing.T) {
	down := errors.New("engine is down")
	for _, name := range []string{"base", "x/y:1"} {
		ref := name
		if name == "base" {
			ref = tagOf(t, "base")
		}
		store := newScript(t, step{op: "find", ref: ref, err: down})
		if _, err := Ensure(t.Context(), store, name, Options{}); !errors.Is(err, down) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a failed build printed last is handed over, bounded and printable.
func TestEnsureBuildFails(t *testing.T) {
	broken := errors.New("exit code 100")
	store := newScript(t,
		step{op: "find", ref: tagOf(t, "base"), err: ErrNotFound},
		step{op: "find", ref: DebianRef, img: Image{ID: "sha256:deb"}},
		step{op: "build", ref: tagOf(t, "base"), err: broken, say: strings.Repeat("noise\n", 50) + "E: \x1b[31mno package" + strings.Repeat("x", 5000)},
	)
	e := asError(t, func() error { _, err := Ensure(t.Context(), store, "base", Options{}); return err }())
	wantText(t, e.Detail, "E: ?[31mno package")
	if len(e.Detail) > streamTail*(streamWidth+1) || strings.Contains(e.Detail, "\x1b") {
		t.Errorf("detail of %d bytes: %q", len(e.Detail), e.Detail)
	}
	if !errors.Is(e, broken) {
		t.Error("the cause is lost")
	}
}

// An archive that is cut never becomes an image, and the bootstrap's own words are shown.
func TestEnsureBootstrapFails(t *testing.T) {
	steps := append(noRegistry(t),
		step{op: "import", ref: bootstrapTag, img: Image{ID: "sha256:never"}})
	cut := errors.New("exit status 25")
	_, err := Ensure(t.Context(), newScript(t, steps...), "base", Options{Bootstrap: writes("half an arch", cut)})
	e := asError(t, err)
	wantText(t, e.Reason, "Debian could not be made from its packages: exit status 25")
	wantText(t, e.Detail, "E: the last line")
}

// An engine that refuses the archive ends the bootstrap too: nothing is left running.
func TestEnsureImportFails(t *testing.T) {
	full := errors.New("no space left on device")
	steps := append(noRegistry(t),
		step{op: "import", ref: bootstrapTag, err: full})
	endless := func(ctx context.Context, rootfs, _ io.Writer) error {
		for ctx.Err() == nil {
			if _, err := rootfs.Write([]byte("x")); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	_, err := Ensure(t.Context(), newScript(t, steps...), "base", Options{Bootstrap: endless})
	if e := asError(t, err); !errors.Is(e, full) {
		t.Errorf("%#v", e)
	}
}

// Engines answer at the end of an archive, before its padding is read: that is no failure.
func TestEnsureImportAnswersEarly(t *testing.T) {
	steps := append(noRegistry(t),
		step{op: "import", ref: bootstrapTag, img: Image{ID: "sha256:deb"}, unread: true},
		step{op: "find", ref: "sha256:deb", img: Image{ID: "sha256:deb"}},
		step{op: "build", ref: tagOf(t, "base"), img: Image{ID: "sha256:ba"}},
		step{op: "find", ref: "sha256:ba", img: Image{ID: "sha256:ba"}})
	padded := writes("an archive"+strings.Repeat("\x00", 1<<20), nil)
	if _, err := Ensure(t.Context(), newScript(t, steps...), "base", Options{Bootstrap: padded}); err != nil {
		t.Fatal(err)
	}
}

// Interrupting it is no failure of the registry, the build or the bootstrap: it just ends.
func TestEnsureInterrupted(t *testing.T) {
	for op, steps := range map[string][]step{
		"pull":   append(noRegistry(t)[:2], step{op: "pull", ref: DebianRef, hang: true}),
		"import": append(noRegistry(t), step{op: "import", ref: bootstrapTag, hang: true}),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		o := Options{Bootstrap: func(ctx context.Context, _, _ io.Writer) error { <-ctx.Done(); return ctx.Err() }}
		store := &cancels{script: newScript(t, steps...), at: op, cancel: cancel}
		_, err := Ensure(ctx, store, "base", o)
		var e *Error
		if !errors.Is(err, context.Canceled) || errors.As(err, &e) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// cancels is a script during whose step op the person presses Ctrl-C.
type cancels struct {
	*script
	at     string
	cancel func()
}

func (c *cancels) Pull(ctx context.Context, ref string, p io.Writer) (string, error) {
	if c.at == "pull" {
		c.cancel()
	}
	return c.script.Pull(ctx, ref, p)
}

func (c *cancels) Import(ctx context.Context, i Import, p io.Writer) (string, error) {
	if c.at == "import" {
		c.cancel()
	}
	return c.script.Import(ctx, i, p)
}

// An interrupted bootstrap ends at once, with all that it has started.
func TestMmdebstrapInterrupted(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\ntrap 'echo cleaned >&2; exit 1' TERM\necho started >&2\nwhile :; do sleep 0.1; done\n"
	if err := os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	var said strings.Builder
	start := time.Now()
	err := newMaker(nil, Options{}).bootstrap()(ctx, io.Discard, io.MultiWriter(&said, writerFunc(cancel)))
	if !errors.Is(err, context.Canceled) || time.Since(start) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	wantText(t, said.String(), "cleaned")
}

// mmdebstrap gets proxies but no keys, its archive is passed on, its failure is told.
func TestMmdebstrap(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\nenv >&2\necho \"$*\"\nexit $(cat " + dir + "/code)\n"
	if err := os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("OPENROUTER_API_KEY", "secret")
	for code, fails := range map[string]bool{"0": false, "25": true} {
		if err := os.WriteFile(filepath.Join(dir, "code"), []byte(code), 0o644); err != nil {
			t.Fatal(err)
		}
		m := newMaker(nil, Options{Environ: []string{"https_proxy=http://p:1", "OPENROUTER_API_KEY=secret"}})
		var rootfs, said strings.Builder
		err := m.bootstrap()(t.Context(), &rootfs, &said)
		if (err != nil) != fails {
			t.Errorf("exit %s: %v", code, err)
		}
		wantText(t, rootfs.String(), "--variant=minbase")
		wantText(t, rootfs.String(), "bookworm -\n")
		wantText(t, said.String(), "https_proxy=http://p:1")
		if strings.Contains(said.String(), "secret") {
			t.Error("a key of the host reached mmdebstrap")
		}
	}
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Reason == "" || e.Hint == "" {
		t.Errorf("no reason or no hint: %#v", e)
	}
	return e
}
