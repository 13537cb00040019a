package docker

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"github.com/glovebox-run/glovebox/images"
)

// imageFacts are what of an image would get into a box if nothing were done about it.
type imageFacts struct {
	Arch    string   // as in GOARCH
	Env     []string // the names of its variables, sorted
	Volumes []string // its volumes, clean and sorted
}

// imageID is how an engine names an image for ever, unlike a tag.
var imageID = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// imageFacts asks the engine about an image once; an id's content never changes.
func (e *Engine) imageFacts(ctx context.Context, id string) (imageFacts, error) {
	if !imageID.MatchString(id) {
		return imageFacts{}, fmt.Errorf("image %.80q is not an image id", id)
	}
	e.mu.Lock()
	f, ok := e.known[id]
	e.mu.Unlock()
	if ok {
		return f, nil
	}
	r, err := e.api.ImageInspect(ctx, id)
	if cerrdefs.IsNotFound(err) {
		return imageFacts{}, fmt.Errorf("%w: %s", images.ErrNotFound, id)
	}
	if err != nil {
		return imageFacts{}, fmt.Errorf("inspect image: %w", err)
	}
	if f, err = factsOfImage(r); err != nil {
		return imageFacts{}, err
	}
	e.mu.Lock()
	e.known[id] = f
	e.mu.Unlock()
	return f, nil
}

func factsOfImage(r image.InspectResponse) (imageFacts, error) {
	f := imageFacts{Arch: r.Architecture}
	if r.Os != "" && r.Os != "linux" {
		return f, fmt.Errorf("image %.19s is for %s, boxes need linux", r.ID, r.Os)
	}
	if r.Config == nil {
		return f, nil
	}
	for _, kv := range r.Config.Env {
		if k, _, _ := strings.Cut(kv, "="); k != "" {
			f.Env = append(f.Env, k)
		}
	}
	for v := range r.Config.Volumes {
		f.Volumes = append(f.Volumes, path.Clean("/"+v))
	}
	slices.Sort(f.Env)
	slices.Sort(f.Volumes)
	return f, nil
}
