package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// Start starts a box, see [sandbox.Engine]. The image must be named by its id.
// A directory to be mounted or hidden that is not there is an error, so is an
// image the engine does not have (it wraps [images.ErrNotFound]).
func (e *Engine) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	f, err := e.ready(ctx)
	if err != nil {
		return nil, err
	}
	img, err := e.imageFacts(ctx, s.Image)
	if err != nil {
		return nil, fmt.Errorf("start box: %w", err)
	}
	if img.Arch != f.Arch {
		return nil, fmt.Errorf("start box: the image is for %s, the engine runs on %s", img.Arch, f.Arch)
	}
	if err := hiddenExist(s); err != nil {
		return nil, fmt.Errorf("start box: %w", err)
	}
	if _, _, err := containerFor(s, img, circumstances{}); err != nil {
		return nil, fmt.Errorf("start box: %w", err) // before anything is made
	}
	c, err := e.startWithAgent(ctx, s, img, f)
	if err != nil {
		return nil, fmt.Errorf("start box: %w", err)
	}
	return c, nil
}

// Check asks the engine whether it has every wall of a box; one that is
// missing is a *[sandbox.WallError].
func (e *Engine) Check(ctx context.Context) error {
	_, err := e.ready(ctx)
	return err
}

// ready looks once whether the engine has every wall, and then removes what
// died half started.
func (e *Engine) ready(ctx context.Context) (Facts, error) {
	leave, err := e.enter(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("wait for the engine's check: %w", err)
	}
	defer leave()
	if e.facts != nil {
		return *e.facts, nil
	}
	f, err := e.Facts(ctx)
	if err != nil {
		return Facts{}, err
	}
	if err := f.missing(e.runtime); err != nil {
		return Facts{}, err
	}
	if err := e.sweep(ctx, f.now); err != nil {
		e.log.Warn("could not remove containers that were never started", "error", err)
	}
	e.facts = &f
	return f, nil
}

// hiddenExist looks for the directories that are to be hidden: Docker would
// make the missing ones, in the workspace and as root. The workspace is not
// trusted, so no link is followed.
func hiddenExist(s sandbox.Spec) error {
	if s.Workspace == "" || len(s.Hidden) == 0 {
		return nil
	}
	root, err := os.OpenRoot(s.Workspace)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range s.Hidden {
		info, err := root.Lstat(name)
		if err != nil {
			return fmt.Errorf("hide a directory: %w", err)
		}
		if !info.IsDir() {
			return fmt.Errorf("hide %s: it is not a directory", filepath.Join(s.Workspace, name))
		}
	}
	return nil
}

// plan is a container that is about to become a box.
type plan struct {
	config *container.Config
	host   *container.HostConfig
	hello  wire.Hello
}

// errAgent marks what happens when the agent's volume is not as it should be,
// and may have other causes.
var errAgent = errors.New("the agent does not come up")

// launch makes a container of p and starts it. On any error nothing is left.
func (e *Engine) launch(ctx context.Context, p plan, f Facts) (_ *conn, err error) {
	begun := time.Now()
	id, err := e.create(ctx, p, f)
	if err != nil {
		return nil, err
	}
	stream, err := e.attach(ctx, id)
	if err != nil {
		return nil, errors.Join(err, remove(e.api, id))
	}
	c := newConn(e.api, id, stream)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := e.api.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return nil, begin(ctx, fmt.Errorf("%w: %w", errAgent, err))
	}
	if err := greet(ctx, c, p.hello); err != nil {
		return nil, begin(ctx, fmt.Errorf("%w: %w%s", errAgent, err, because(c.Diagnosis())))
	}
	e.log.Debug("box started", "box", c.ID(), "took", time.Since(begun))
	return c, nil
}

// begin lets a cancelled context speak first: what fails because of it says nothing about the box.
func begin(ctx context.Context, err error) error {
	if ctx.Err() != nil {
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
		if cerrdefs.IsNotFound(err) {
			err = fmt.Errorf("%w: %w", images.ErrNotFound, err)
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
			return a.stream, fmt.Errorf("attach to container: %w", begin(ctx, a.err))
		}
		return a.stream, nil
	case <-ctx.Done():
		go func() {
			if a := <-done; a.err == nil {
				a.stream.Close()
			}
		}()
		return types.HijackedResponse{}, ctx.Err()
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
