package images_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// fresh is an engine that has no bootstrapped Debian yet, and keeps a new one
// under a name of its own.
type fresh struct{ *docker.Engine }

const freshTag = "glovebox-test/debian:fresh"

func (f fresh) Find(ctx context.Context, ref string) (images.Image, error) {
	if ref == "glovebox/debian:bookworm" {
		return images.Image{}, images.ErrNotFound
	}
	return f.Engine.Find(ctx, ref)
}

func (f fresh) Import(ctx context.Context, i images.Import, progress io.Writer) (string, error) {
	i.Tag = freshTag
	return f.Engine.Import(ctx, i, progress)
}

// Without any registry a Debian is made of packages, and ours are built on it.
// It takes a minute or two and a mirror, so it is one of the long proofs.
func TestBootstrap(t *testing.T) {
	e := engine(t)
	if os.Getenv("GLOVEBOX_PROOF") != "full" {
		t.Skip("makes a Debian; `make proof` does it")
	}
	forget(t, freshTag)
	img, err := images.Ensure(t.Context(), fresh{e}, "base", images.Options{
		BaseRef:  "127.0.0.1:1/debian:none",
		Progress: testWriter{t},
		Environ:  os.Environ(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range img.Tags {
		forget(t, tag)
	}
	if !strings.Contains(images.Origin(img), "bootstrapped with mmdebstrap on ") {
		t.Errorf("origin %s", images.Origin(img))
	}
}
