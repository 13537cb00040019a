package docker

import (
	"context"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
)

// testMark labels what one test made.
const testMark = "glovebox.test"

// shelter is the real engine for tests that remove things. It never shows them
// what carries our label and is not theirs, for other tests use the engine at
// the same time. And it forgets every filter: what a caller only leaves alone
// because the engine did not list it, it is shown here.
type shelter struct {
	api
	mark string
}

func (s shelter) mine(labels map[string]string) bool {
	_, ours := labels[Label]
	return !ours || labels[testMark] == s.mark
}

func (s shelter) ContainerList(ctx context.Context, o container.ListOptions) ([]container.Summary, error) {
	list, err := s.api.ContainerList(ctx, container.ListOptions{All: o.All})
	return slices.DeleteFunc(list, func(c container.Summary) bool { return !s.mine(c.Labels) }), err
}

func (s shelter) VolumeList(ctx context.Context, o volume.ListOptions) (volume.ListResponse, error) {
	r, err := s.api.VolumeList(ctx, volume.ListOptions{})
	r.Volumes = slices.DeleteFunc(r.Volumes, func(v *volume.Volume) bool { return !s.mine(v.Labels) })
	return r, err
}

func (s shelter) ImageList(ctx context.Context, o image.ListOptions) ([]image.Summary, error) {
	list, err := s.api.ImageList(ctx, image.ListOptions{})
	return slices.DeleteFunc(list, func(i image.Summary) bool { return !s.mine(i.Labels) }), err
}
