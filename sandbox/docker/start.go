package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Start starts a box, see [sandbox.Engine]. The image must be named by its id.
// A directory to be mounted or hidden that is not there is an error, so is an
// image the engine does not have (it wraps [images.ErrNotFound]). An engine that
// went away meanwhile is waited for, 20 s at most, and then wraps [ErrNoEngine].
func (e *Engine) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	f, err := e.ready(ctx)
	if err != nil {
		return nil, err
	}
	return e.startOn(ctx, s, f)
}

// startOn is Start on an engine that has been checked, or is being checked by it.
func (e *Engine) startOn(ctx context.Context, s sandbox.Spec, f Facts) (sandbox.Conn, error) {
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
	if _, _, err := containerFor(s, img, circumstances{Rootless: f.Rootless}); err != nil {
		return nil, fmt.Errorf("start box: %w", err) // before anything is made
	}
	c, err := e.startWithAgent(ctx, s, img, f)
	for try := 0; wentAway(err) && e.again(ctx, err, try); try++ {
		c, err = e.startWithAgent(ctx, s, img, f)
	}
	if wentAway(err) {
		var broken *net.OpError // the client's own words around it are many
		var request *url.Error
		switch {
		case errors.As(err, &broken):
			err = broken
		case errors.As(err, &request):
			err = request.Err
		}
		return nil, fmt.Errorf("start box: %w at %s: %w", ErrNoEngine, e.host, err)
	}
	if err != nil {
		return nil, fmt.Errorf("start box: %w", err)
	}
	return c, nil
}

// Check makes sure that the engine has every wall of a box: it asks the engine
// and, the first time that it meets this engine and runtime, lets a box run
// into its limits (about a second). A wall that is missing is a
// *[sandbox.WallError].
func (e *Engine) Check(ctx context.Context) error {
	_, err := e.ready(ctx)
	return err
}

// Look is [Engine.Check] without a box: it asks the engine about itself alone.
// proven says that limits are known to bite here, from an earlier check.
func (e *Engine) Look(ctx context.Context) (f Facts, proven bool, err error) {
	if f, err = e.Facts(ctx); err != nil {
		return f, false, err
	}
	if err := f.missing(e.runtime); err != nil {
		return f, false, err
	}
	agent, err := e.agentFor(f.Arch)
	if err != nil {
		return f, false, err
	}
	return f, remembered(e.cacheDir, subjectOf(f, e.runtime, agent.Build)) != "", nil
}

// SharesNetwork says whether the boxes of a session can have one network
// namespace, so that a server in one is reached from the next. A runtime that
// brings its own kernel has a network stack for each box. It implies [Engine.Check].
func (e *Engine) SharesNetwork(ctx context.Context) (bool, error) {
	f, err := e.ready(ctx)
	return err == nil && !f.ownKernel(), err
}

// ready looks once whether the engine has every wall, and then removes what
// died half started.
func (e *Engine) ready(ctx context.Context) (Facts, error) {
	leave, err := e.checking.enter(ctx)
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
	if f.BoxKernel, err = e.probed(ctx, f); err != nil {
		return Facts{}, err
	}
	if err := errors.Join(e.sweep(ctx, f.now), e.sweepVolumes(ctx, f.now)); err != nil {
		e.log.Warn("could not remove what processes that died have left", "error", err)
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
