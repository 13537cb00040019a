package images

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Options are what Ensure may be told; the zero value is right for a person at
// a terminal, but for Environ and Progress.
type Options struct {
	// Progress receives short lines for people; nil is none.
	Progress io.Writer
	// BaseRef is the Debian that ours are built on; "" is [DebianRef].
	BaseRef string
	// Bootstrap writes a root file system of Debian as a tar archive; nil is
	// mmdebstrap where that is installed. It is used when BaseRef can't be pulled.
	Bootstrap func(ctx context.Context, rootfs, progress io.Writer) error
	// Environ is the environment, as K=V. The builds and the bootstrap get the
	// proxy variables of it and no others.
	Environ []string
	// Silence is how long a registry may take to its first word before it
	// counts as not answering; 0 is half a minute.
	Silence time.Duration
}

// Ensure makes the image name ready in the engine and returns it: one of ours
// ([Names]) by building it if it is missing, any other by pulling it if it is
// missing. It is safe to be called for the same image by several processes.
// An *Error says what stands in the way and what to do; other errors are the
// engine's.
func Ensure(ctx context.Context, store Store, name string, o Options) (Image, error) {
	m := newMaker(store, o)
	if r, ok := recipe(name, m.debian); ok {
		return m.ours(ctx, r)
	}
	return m.other(ctx, name)
}

// maker is one Ensure under way.
type maker struct {
	Options
	store  Store
	debian string
	say    *progress
}

func newMaker(store Store, o Options) *maker {
	m := &maker{Options: o, store: store, debian: o.BaseRef, say: newProgress(o.Progress)}
	if m.debian == "" {
		m.debian = DebianRef
	}
	if m.Silence == 0 {
		m.Silence = 30 * time.Second
	}
	return m
}

// ours finds or builds one of our images.
func (m *maker) ours(ctx context.Context, r Recipe) (Image, error) {
	img, err := m.store.Find(ctx, r.Tag)
	if err == nil {
		return img, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Image{}, fmt.Errorf("look for image %s: %w", r.Tag, err)
	}
	below, err := m.below(ctx, r)
	if err != nil {
		return Image{}, err
	}
	return m.build(ctx, r, below)
}

// below is the image that r is built on.
func (m *maker) below(ctx context.Context, r Recipe) (Image, error) {
	if parent, ok := recipe(r.Parent, m.debian); ok {
		return m.ours(ctx, parent)
	}
	return m.base(ctx)
}

func (m *maker) build(ctx context.Context, r Recipe, below Image) (Image, error) {
	m.say.line("building %s (usually less than %s)", r.Name, r.takes)
	start := time.Now()
	args := proxyArgs(m.Environ)
	args["BASE"] = below.ID // an id never makes the engine ask a registry
	out := m.say.stream()
	id, err := m.store.Build(ctx, Build{
		Tag:     r.Tag,
		Args:    args,
		Labels:  labels(r.Name, Origin(below)),
		Context: buildContext(r),
	}, out)
	if err != nil {
		return Image{}, buildError(ctx, r, err, out.tail())
	}
	img, err := m.store.Find(ctx, id)
	if err != nil {
		return Image{}, fmt.Errorf("look for image %s after building it: %w", r.Name, err)
	}
	m.say.done(r.Name+" built", start, img)
	return img, nil
}

// other finds or pulls an image that is not ours.
func (m *maker) other(ctx context.Context, ref string) (Image, error) {
	if err := checkRef(ref); err != nil {
		return Image{}, err
	}
	img, err := m.store.Find(ctx, ref)
	if err == nil {
		return img, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Image{}, fmt.Errorf("look for image %s: %w", ref, err)
	}
	start := time.Now()
	digest, err := m.pull(ctx, ref)
	if err != nil {
		return Image{}, pullError(ctx, ref, err)
	}
	img, err = m.store.Find(ctx, ref)
	if err != nil {
		return Image{}, fmt.Errorf("look for image %s after pulling it: %w", ref, err)
	}
	m.say.done(ref+" pulled", start, img)
	m.say.line("its digest is %s", digest)
	return img, nil
}

// buildContext is a tar archive of the Dockerfile alone, the same bytes each time.
func buildContext(r Recipe) io.Reader {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	header := &tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(r.dockerfile))}
	// A bytes.Buffer takes everything, and the header's size is right.
	_ = w.WriteHeader(header)
	_, _ = w.Write(r.dockerfile)
	_ = w.Close()
	return &buf
}

// proxyArgs picks the proxy variables, which every builder takes as arguments
// and keeps out of the image's history.
func proxyArgs(environ []string) map[string]string {
	args := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		switch strings.ToLower(k) {
		case "http_proxy", "https_proxy", "ftp_proxy", "no_proxy":
			if v != "" {
				args[k] = v
			}
		}
	}
	return args
}

// The labels of the images we make. Everything of ours in an engine has the first.
const (
	LabelKey    = "glovebox"        // "image"
	LabelName   = "glovebox.image"  // base, python, node, go or debian
	LabelOrigin = "glovebox.origin" // see Origin
)

func labels(name, origin string) map[string]string {
	return map[string]string{LabelKey: "image", LabelName: name, LabelOrigin: origin}
}

// Origin says which Debian an image of ours stands on, for people: a reference
// with the digest that the registry gave, or how and when it was bootstrapped.
// For an image that is not ours it is the digest it was pulled with, or its id.
func Origin(img Image) string {
	if origin := img.Labels[LabelOrigin]; origin != "" {
		return origin
	}
	ref := "an untagged image"
	if len(img.Tags) > 0 {
		ref = img.Tags[0]
	}
	if img.Digest != "" {
		return ref + "@" + img.Digest
	}
	return ref + ", made locally, " + img.ID
}
