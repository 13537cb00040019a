package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// bootstrapTag is what a bootstrapped Debian is kept under for the next time.
const bootstrapTag = "glovebox/debian:bookworm"

// layerPatience is how many times longer than Options.Silence nothing may come
// after a registry has answered: ten minutes are a layer of 600 MB at 1 MB/s.
const layerPatience = 10

// errSilent ends a pull from a registry that accepts a connection and then says nothing.
var errSilent = errors.New("the registry fell silent")

// base is the Debian that ours are built on: in the engine already, pulled, or
// bootstrapped, now or before. One that was bootstrapped stands in for a
// registry that does not answer, not for one that does.
func (m *maker) base(ctx context.Context) (Image, error) {
	img, err := m.store.Find(ctx, m.debian)
	if err == nil {
		return img, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Image{}, fmt.Errorf("look for image %s: %w", m.debian, err)
	}
	img, pullErr := m.pullBase(ctx)
	if pullErr == nil || ctx.Err() != nil {
		return img, pullErr
	}
	img, err = m.store.Find(ctx, bootstrapTag)
	if err == nil {
		m.say.line("%s; using the Debian that was bootstrapped before", oneLine(pullErr))
		return img, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Image{}, fmt.Errorf("look for image %s: %w", bootstrapTag, err)
	}
	bootstrap := m.bootstrap()
	if bootstrap == nil {
		return Image{}, noBaseError(m.debian, pullErr)
	}
	// Whatever went wrong with the registry, packages may still be had.
	m.say.line("%s; making Debian from its packages instead (usually less than 2 minutes)", oneLine(pullErr))
	return m.importBase(ctx, bootstrap)
}

func (m *maker) pullBase(ctx context.Context) (Image, error) {
	start := time.Now()
	digest, err := m.pull(ctx, m.debian)
	if err != nil {
		return Image{}, err
	}
	img, err := m.store.Find(ctx, m.debian)
	if err != nil {
		return Image{}, fmt.Errorf("look for image %s after pulling it: %w", m.debian, err)
	}
	if digest != "" {
		img.Labels = labels("debian", m.debian+"@"+digest)
	}
	m.say.done(Origin(img)+" pulled", start, img)
	return img, nil
}

// pull pulls ref. A registry that says nothing for Silence does not answer:
// engines themselves wait for minutes. Once it has spoken it gets more time,
// for engines are silent while they load a large layer.
func (m *maker) pull(ctx context.Context, ref string) (digest string, err error) {
	m.say.line("%s is not in the engine, asking its registry", ref)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(m.Silence, func() { cancel(errSilent) })
	defer timer.Stop()
	alive := writerFunc(func() { timer.Reset(layerPatience * m.Silence) })
	digest, err = m.store.Pull(ctx, ref, io.MultiWriter(alive, m.say.stream()))
	if err != nil && context.Cause(ctx) == errSilent {
		return "", fmt.Errorf("%w: nothing came for %s", ErrNoRegistry, m.Silence)
	}
	return digest, err
}

// importBase feeds the bootstrap's archive to the engine while it is written.
func (m *maker) importBase(ctx context.Context, bootstrap func(context.Context, io.Writer, io.Writer) error) (Image, error) {
	start := time.Now()
	making, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	out := m.say.stream()
	made := make(chan error, 1)
	go func() {
		err := bootstrap(making, w, out)
		w.CloseWithError(err) // an archive that is cut must not become an image
		made <- err
	}()
	id, err := m.store.Import(ctx, Import{
		Tag:    bootstrapTag,
		Labels: labels("debian", "Debian bookworm, bootstrapped with mmdebstrap on "+start.UTC().Format(time.DateOnly)),
		RootFS: struct{ io.Reader }{r}, // not to be closed by a client that has its answer
	}, io.Discard)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // what an archive's reader leaves unread
	}
	stopped := ctx.Err()
	r.CloseWithError(io.ErrClosedPipe)
	cancel() // after a failed import there is nothing to make any more
	if madeErr := <-made; err != nil || madeErr != nil {
		return Image{}, bootstrapError(stopped, err, madeErr, out.tail())
	}
	img, err := m.store.Find(ctx, id)
	if err != nil {
		return Image{}, fmt.Errorf("look for the bootstrapped Debian: %w", err)
	}
	m.say.done("Debian made", start, img)
	return img, nil
}
