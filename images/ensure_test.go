package images

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"
)

func tagOf(t *testing.T, name string) string {
	t.Helper()
	r, ok := Info(name)
	if !ok {
		t.Fatalf("no image %s", name)
	}
	return r.Tag
}

// What is in the engine is used, without a word to any registry.
func TestEnsurePresent(t *testing.T) {
	for name, ref := range map[string]string{"python": tagOf(t, "python"), "alpine:3": "alpine:3"} {
		var said bytes.Buffer
		store := newScript(t, step{op: "find", ref: ref, img: Image{ID: "sha256:aa"}})
		img, err := Ensure(t.Context(), store, name, Options{Progress: &said})
		if err != nil || img.ID != "sha256:aa" {
			t.Errorf("%s: %+v, %v", name, img, err)
		}
		if said.Len() > 0 {
			t.Errorf("%s: nothing was done, but it says %q", name, said.String())
		}
	}
}

// The parents come first, each is built on the id of the one below, and the
// digest of the Debian is in the labels of all.
func TestEnsureBuildsTheChain(t *testing.T) {
	var said bytes.Buffer
	none := ErrNotFound
	const origin = DebianRef + "@sha256:d1"
	check := func(name, below string) func(any) {
		return func(v any) {
			b := v.(Build)
			if want := map[string]string{"BASE": below, "http_proxy": "http://p:1", "NO_PROXY": "x"}; !maps.Equal(b.Args, want) {
				t.Errorf("%s: arguments %v", name, b.Args)
			}
			if want := map[string]string{LabelKey: "image", LabelName: name, LabelOrigin: origin}; !maps.Equal(b.Labels, want) {
				t.Errorf("%s: labels %v", name, b.Labels)
			}
			if file, text := contextOf(t, b); file != "Dockerfile" || text != string(dockerfile(name)) {
				t.Errorf("%s: context has %s: %s", name, file, text)
			}
		}
	}
	base, python := tagOf(t, "base"), tagOf(t, "python")
	store := newScript(t,
		step{op: "find", ref: python, err: none},
		step{op: "find", ref: base, err: none},
		step{op: "find", ref: DebianRef, err: none},
		step{op: "pull", ref: DebianRef, digest: "sha256:d1"},
		step{op: "find", ref: DebianRef, img: Image{ID: "sha256:deb", Size: 80e6}},
		step{op: "build", ref: base, img: Image{ID: "sha256:ba"}, look: check("base", "sha256:deb")},
		step{op: "find", ref: "sha256:ba", img: Image{ID: "sha256:ba", Size: 190e6, Labels: labels("base", origin)}},
		step{op: "build", ref: python, img: Image{ID: "sha256:py"}, look: check("python", "sha256:ba")},
		step{op: "find", ref: "sha256:py", img: Image{ID: "sha256:py", Size: 255e6, Labels: labels("python", origin)}},
	)
	img, err := Ensure(t.Context(), store, "python", Options{
		Progress: &said,
		Environ:  []string{"http_proxy=http://p:1", "NO_PROXY=x", "https_proxy=", "OPENROUTER_API_KEY=secret", "PATH=/bin"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if img.ID != "sha256:py" || Origin(img) != origin {
		t.Errorf("got %+v", img)
	}
	for _, want := range []string{"debian:bookworm-slim@sha256:d1 pulled in 0s, 80MB\n", "building base (usually less than 30s)\n", "python built in 0s, 255MB\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, said.String())
		}
	}
}

// Without a registry, whatever its failure, Debian is made from packages and kept.
func TestEnsureBootstraps(t *testing.T) {
	for _, failure := range []error{ErrNoRegistry, ErrNotFound, errors.New("403 Forbidden")} {
		var said bytes.Buffer
		base := tagOf(t, "base")
		none := ErrNotFound
		origin := ""
		store := newScript(t,
			step{op: "find", ref: base, err: none},
			step{op: "find", ref: DebianRef, err: none},
			step{op: "pull", ref: DebianRef, err: failure},
			step{op: "find", ref: bootstrapTag, err: none},
			step{op: "import", ref: bootstrapTag, img: Image{ID: "sha256:deb"},
				look:   func(v any) { origin = v.(Import).Labels[LabelOrigin] },
				rootfs: func(b []byte) { wantText(t, string(b), "an archive") }},
			step{op: "find", ref: "sha256:deb", img: Image{ID: "sha256:deb", Labels: labels("debian", "made")}},
			step{op: "build", ref: base, img: Image{ID: "sha256:ba"},
				look: func(v any) { wantText(t, v.(Build).Labels[LabelOrigin], "made") }},
			step{op: "find", ref: "sha256:ba", img: Image{ID: "sha256:ba"}},
		)
		_, err := Ensure(t.Context(), store, "base", Options{Progress: &said, Bootstrap: writes("an archive", nil)})
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, origin, "bootstrapped with mmdebstrap on "+time.Now().UTC().Format(time.DateOnly))
		wantText(t, said.String(), failure.Error()+"; making Debian from its packages instead")
	}
}

// A Debian that was bootstrapped once is not made again.
func TestEnsureUsesTheBootstrappedDebian(t *testing.T) {
	base := tagOf(t, "base")
	store := newScript(t,
		step{op: "find", ref: base, err: ErrNotFound},
		step{op: "find", ref: DebianRef, err: ErrNotFound},
		step{op: "pull", ref: DebianRef, err: ErrNoRegistry},
		step{op: "find", ref: bootstrapTag, img: Image{ID: "sha256:deb"}},
		step{op: "build", ref: base, img: Image{ID: "sha256:ba"}},
		step{op: "find", ref: "sha256:ba", img: Image{ID: "sha256:ba"}},
	)
	if _, err := Ensure(t.Context(), store, "base", Options{}); err != nil {
		t.Fatal(err)
	}
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%q does not contain %q", got, want)
	}
}

// writes is a bootstrap that writes text and ends with err.
func writes(text string, err error) func(context.Context, io.Writer, io.Writer) error {
	return func(_ context.Context, rootfs, progress io.Writer) error {
		_, _ = io.WriteString(progress, "I: unpacking\nE: the last line\n")
		if _, werr := io.WriteString(rootfs, text); werr != nil {
			return werr
		}
		return err
	}
}
