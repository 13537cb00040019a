package images

import (
	"context"
	"errors"
	"io"
)

// Errors that a Store wraps and Ensure branches on.
var (
	// ErrNotFound says that there is no such image: not in the engine, or not in the registry that was asked.
	ErrNotFound = errors.New("no such image")
	// ErrNoRegistry says that no registry answered.
	ErrNoRegistry = errors.New("no registry answers")
)

// Store is what this package needs of an engine; sandbox/docker implements it.
// Progress lines for people are written to progress, which is never nil.
type Store interface {
	// Find returns the image that ref (a tag, digest or id) names in the engine.
	Find(ctx context.Context, ref string) (Image, error)
	// Pull fetches ref from its registry and returns the digest it got. What it
	// writes to progress first means that the registry has answered: before
	// that Ensure waits for a short time only, then cancels ctx.
	Pull(ctx context.Context, ref string, progress io.Writer) (digest string, err error)
	// Build builds an image from a tar archive with a Dockerfile at its root and returns its id.
	Build(ctx context.Context, b Build, progress io.Writer) (id string, err error)
	// Import makes an image of a root file system (a tar archive) and returns its id.
	Import(ctx context.Context, b Import, progress io.Writer) (id string, err error)
	// List returns the images that carry our label.
	List(ctx context.Context) ([]Image, error)
}

// Image is what an engine knows of an image.
type Image struct {
	ID     string
	Tags   []string
	Digest string // of the registry it was pulled from, "" if it was not
	Arch   string // as in GOARCH
	Path   string // PATH of its environment
	Size   int64  // bytes
	Labels map[string]string
}

// Build is an image to be built.
type Build struct {
	Tag     string
	Args    map[string]string
	Labels  map[string]string
	Context io.Reader
}

// Import is an image to be made of a root file system.
type Import struct {
	Tag    string
	Labels map[string]string
	RootFS io.Reader
}
