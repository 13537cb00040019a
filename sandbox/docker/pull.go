package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"github.com/glovebox-run/glovebox/images"
)

// Pull fetches ref from its registry and returns the digest it got. A registry
// that does not know ref (or does not show it to everybody) is
// [images.ErrNotFound]; one that can't be reached, for whatever reason, is
// [images.ErrNoRegistry]: no connection, no name, no trust, no time.
func (e *Engine) Pull(ctx context.Context, ref string, progress io.Writer) (string, error) {
	if err := e.pull(ctx, ref, progress); err != nil {
		return "", fmt.Errorf("pull %s: %w", ref, err)
	}
	i, err := e.Find(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("pull %s: the engine reports no error and has no image: %w", ref, err)
	}
	return i.Digest, nil
}

func (e *Engine) pull(ctx context.Context, ref string, progress io.Writer) error {
	body, err := e.api.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return classify(ctx, err)
	}
	defer body.Close()
	spoke, err := follow(body, progress)
	var told *engineError
	if errors.As(err, &told) && !spoke {
		// Newer engines answer before they have asked the registry: an error
		// before any progress is about reaching it, or about the name.
		if told.code == 404 || unknownToRegistry(told.text) {
			return fmt.Errorf("%w: %w", images.ErrNotFound, err)
		}
		return fmt.Errorf("%w: %w", images.ErrNoRegistry, err)
	}
	return err
}

// classify sorts what an engine answers to a pull by its status: 404 for what
// a registry does not know or show; the statuses of a bad request as they are;
// 500 and the like when the registry did not answer as one.
func classify(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case cerrdefs.IsNotFound(err), unknownToRegistry(err.Error()):
		return fmt.Errorf("%w: %w", images.ErrNotFound, err)
	case cerrdefs.IsInternal(err), cerrdefs.IsUnavailable(err), cerrdefs.IsDeadlineExceeded(err), cerrdefs.IsUnknown(err):
		return fmt.Errorf("%w: %w", images.ErrNoRegistry, err)
	}
	return err
}

// unknownToRegistry looks for the registry protocol's fixed words for what it
// does not have. An engine passes a registry's error on as its own with status
// 500 when no detail came with it, and then the words are all there is.
// https://distribution.github.io/distribution/spec/api/#errors-2
func unknownToRegistry(text string) bool {
	return strings.Contains(text, "manifest unknown") || strings.Contains(text, "repository name not known to registry")
}
