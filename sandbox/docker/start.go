package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/docker/docker/client"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Start starts a box, see [sandbox.Engine]. The image must be named by its id.
// A directory to be mounted or hidden that is not there is an error, so is an
// image the engine does not have (it wraps [images.ErrNotFound]); an engine that
// went away meanwhile wraps [ErrNoEngine].
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
	if client.IsErrConnectionFailed(err) {
		return nil, fmt.Errorf("start box: %w: %w", ErrNoEngine, err)
	}
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
