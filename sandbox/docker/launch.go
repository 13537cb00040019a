package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// helloTime is how long the agent of a started box may take to answer. It
// takes milliseconds, and about 50 more when it has to check itself; the rest
// is for a machine under load.
const helloTime = 20 * time.Second

// createTime bounds the one request that is not given up when a start is
// cancelled: one given up may still make a container, which nobody knew of.
const createTime = 30 * time.Second

// startTime bounds a whole start by an engine that hangs. Engines start boxes
// one after the other when many are asked for at once, about 8 a second on two
// processors.
const startTime = 2 * time.Minute

var errSlow = fmt.Errorf("the engine did not start it within %s", startTime)

// plan is a container that is about to become a box.
type plan struct {
	config *container.Config
	host   *container.HostConfig
	hello  wire.Hello
	// volumes must be there and of a job; the container's existence keeps them.
	volumes []string
}

// errAgent marks what happens when the agent's volume is not as it should be,
// and may have other causes.
var errAgent = errors.New("the agent does not come up")

// launch makes a container of p and starts it. On any error nothing is left.
func (e *Engine) launch(ctx context.Context, p plan, f Facts) (_ *conn, err error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, errSlow)
	defer cancel()
	id, err := e.create(ctx, p, f)
	if err != nil {
		return nil, err
	}
	if err := e.checkVolumes(ctx, p.volumes); err != nil {
		return nil, errors.Join(err, remove(e.api, id), e.dropStrays(p.volumes))
	}
	stream, err := e.attach(ctx, id)
	if err != nil {
		return nil, errors.Join(err, remove(e.api, id))
	}
	c := newConn(ctx, e.api, id, p.host.Memory, stream)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	switch err := e.api.ContainerStart(ctx, id, container.StartOptions{}); {
	case wentAway(err):
		return nil, orCancelled(ctx, fmt.Errorf("start container: %w", err))
	case err != nil:
		return nil, orCancelled(ctx, fmt.Errorf("%w: %w", errAgent, err))
	}
	if err := greet(ctx, c, p.hello); err != nil {
		return nil, orCancelled(ctx, fmt.Errorf("%w: %w%s", errAgent, err, because(c.Diagnosis())))
	}
	if p.hello.Key != nil {
		if err := c.seal(p.hello.Key); err != nil {
			return nil, err
		}
	}
	e.log.Debug("box started", "box", c.ID(), "took", time.Since(begun))
	return c, nil
}

// orCancelled lets a context that has ended speak first: what fails because of
// it says nothing about the box.
func orCancelled(ctx context.Context, err error) error {
	switch {
	case context.Cause(ctx) == errSlow:
		return errSlow
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

func because(diagnosis string) string {
	if diagnosis == "" {
		return ""
	}
	return " (" + diagnosis + ")"
}

// create makes the container and returns its id. The request is not given up
// when ctx ends, so that a container it makes is known and removed.
func (e *Engine) create(ctx context.Context, p plan, f Facts) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
	defer cancel()
	name := "glovebox-" + p.config.Labels[Label] + "-" + word()
	r, err := e.api.ContainerCreate(own, p.config, p.host, nil, nil, name)
	if err != nil {
		switch {
		case wentAway(err):
			return "", &unsureError{name, fmt.Errorf("create container: %w", err)}
		case cerrdefs.IsNotFound(err) && !p.host.NetworkMode.IsContainer():
			err = fmt.Errorf("%w: %w", images.ErrNotFound, err)
		case cerrdefs.IsInvalidArgument(err) && binds(p.host): // nothing else of ours is ever invalid
			err = fmt.Errorf("%w: %w", sandbox.ErrNotMounted, err)
		}
		return "", errors.Join(fmt.Errorf("create container: %w", err), remove(e.api, name))
	}
	err = ctx.Err()
	if err == nil {
		err = checkWarnings(r.Warnings, f)
	}
	if err != nil {
		return "", errors.Join(err, remove(e.api, r.ID))
	}
	return r.ID, nil
}

// unsureError says that the engine went away and may have made a container.
type unsureError struct {
	name string
	error
}

func (e *unsureError) Unwrap() error { return e.error }

// An engine that is about to end answers on connections it has for some
// seconds, and takes no new ones: a start that is cut off is tried again, at
// most startTries times, after a pause that doubles.
const (
	startTries = 4
	startPause = 250 * time.Millisecond
)

// again waits for an engine that went away during a start, and says whether
// the start may be tried again: the engine is there. Of the start nothing is left.
func (e *Engine) again(ctx context.Context, err error, try int) bool {
	there := false
	if try < startTries {
		e.log.Warn("the engine does not answer; waiting for it", "error", err)
		there = pause(ctx, startPause<<try) && back(ctx, e.api)
	}
	var unsure *unsureError
	if errors.As(err, &unsure) {
		ctx, cancel := cleanup()
		defer cancel()
		if err := removeOnce(ctx, e.api, unsure.name); err != nil && !cerrdefs.IsNotFound(err) {
			e.log.Warn("could not look after a container that may have been made", "container", unsure.name, "error", err)
			return false
		}
	}
	return there
}

// pause waits for d and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// word is a name that nobody else takes.
func word() string {
	b := make([]byte, 6)
	rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// attach opens the stream to a container that is not started yet. The client
// heeds the context only while it connects.
func (e *Engine) attach(ctx context.Context, id string) (types.HijackedResponse, error) {
	type attached struct {
		stream types.HijackedResponse
		err    error
	}
	done := make(chan attached, 1)
	go func() {
		s, err := e.api.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
		done <- attached{s, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return a.stream, fmt.Errorf("attach to container: %w", orCancelled(ctx, a.err))
		}
		return a.stream, nil
	case <-ctx.Done():
		go func() {
			if a := <-done; a.err == nil {
				a.stream.Close()
			}
		}()
		return types.HijackedResponse{}, orCancelled(ctx, nil)
	}
}

// greet shakes hands with the agent. A box that does not answer, or not before
// ctx ends, loses its stream.
func greet(ctx context.Context, c *conn, hello wire.Hello) error {
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	stop := context.AfterFunc(ctx, c.stream.Close)
	_, err := wire.Handshake(c, hello)
	if !stop() && err == nil { // the stream was closed just after the answer
		return ctx.Err()
	}
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		return fmt.Errorf("no answer within %s: %w", helloTime, err)
	}
	return err
}
