package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
)

// CleanOptions say what [Engine.Clean] takes away besides what nobody uses.
type CleanOptions struct {
	// Images removes our images too, which then have to be built again.
	Images bool
	// OlderThan keeps images that were made less than that ago.
	OlderThan time.Duration
	// Force removes also the boxes of processes that run.
	Force bool
}

// Report is what [Engine.Clean] did.
type Report struct {
	Containers []string // removed, names or ids
	Volumes    []string // removed, names
	Images     []string // removed, tags or ids
	Kept       []Kept
}

// Kept is something of ours that was not removed.
type Kept struct {
	Kind string // "container", "volume" or "image"
	Name string
	Why  string
}

// Clean removes containers and volumes that carry our label, and on demand
// images; nothing else, whatever its name. A box or a job's volume whose owner
// runs is kept,
// also one whose owner can't be seen from here (it runs on another machine, or
// in another pid namespace) as long as the box runs, for a box does not
// outlive its owner; a volume of such an owner is kept for a week. What is in use is kept. An error means that something
// could not be removed; the Report holds the rest.
func (e *Engine) Clean(ctx context.Context, o CleanOptions) (Report, error) {
	var r Report
	errs := []error{e.cleanContainers(ctx, o, &r), e.cleanVolumes(ctx, o, &r)}
	if o.Images {
		errs = append(errs, e.cleanImages(ctx, o.OlderThan, &r))
	}
	return r, errors.Join(errs...)
}

func ours() filters.Args { return filters.NewArgs(filters.Arg("label", Label)) }

func (e *Engine) cleanContainers(ctx context.Context, o CleanOptions, r *Report) error {
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: ours()})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, c := range list {
		if _, labelled := c.Labels[Label]; !labelled || c.Labels[Label] == kindImage {
			continue // a user's own container of an image of ours inherits the image's label
		}
		if why := needed(c); why != "" && !o.Force {
			r.Kept = append(r.Kept, Kept{"container", nameOf(c), why})
			continue
		}
		if err := remove(e.api, c.ID); err != nil {
			errs = append(errs, err)
			continue
		}
		r.Containers = append(r.Containers, nameOf(c))
	}
	return errors.Join(errs...)
}

// needed says why a container should stay, "" if it need not.
func needed(c container.Summary) string {
	o, ok := parseOwner(c.Labels[labelOwner])
	switch {
	case !ok:
		return ""
	case o.alive():
		return fmt.Sprintf("process %d works with it", o.pid)
	case !o.local() && c.State == container.StateRunning:
		return "it runs for a process elsewhere"
	}
	return ""
}

func nameOf(c container.Summary) string {
	if len(c.Names) > 0 && len(c.Names[0]) > 1 {
		return c.Names[0][1:] // the engine's names begin with a slash
	}
	return c.ID[:min(12, len(c.ID))]
}

func (e *Engine) cleanVolumes(ctx context.Context, o CleanOptions, r *Report) error {
	list, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: ours()})
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	var errs []error
	for _, v := range list.Volumes {
		if _, labelled := v.Labels[Label]; !labelled {
			continue
		}
		if why := neededVolume(v, time.Now()); why != "" && !o.Force {
			r.Kept = append(r.Kept, Kept{"volume", v.Name, why})
			continue
		}
		switch err := e.api.VolumeRemove(ctx, v.Name, false); {
		case err == nil || cerrdefs.IsNotFound(err):
			r.Volumes = append(r.Volumes, v.Name)
		case cerrdefs.IsConflict(err):
			r.Kept = append(r.Kept, Kept{"volume", v.Name, "a container uses it"})
		default:
			errs = append(errs, fmt.Errorf("remove volume %s: %w", v.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) cleanImages(ctx context.Context, age time.Duration, r *Report) error {
	list, err := e.api.ImageList(ctx, image.ListOptions{Filters: ours()})
	if err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	var errs []error
	for _, i := range list {
		for _, name := range removable(i) {
			if had := time.Since(time.Unix(i.Created, 0)); had < age {
				r.Kept = append(r.Kept, Kept{"image", name, fmt.Sprintf("it was made %d hours ago", int(had.Hours()))})
				continue
			}
			switch _, err := e.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true}); {
			case err == nil || cerrdefs.IsNotFound(err):
				r.Images = append(r.Images, name)
			case cerrdefs.IsConflict(err):
				r.Kept = append(r.Kept, Kept{"image", name, "a container or another image uses it"})
			default:
				errs = append(errs, fmt.Errorf("remove image %s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// removable are the names under which an image of ours may be removed: its own
// tag, or its id when a newer build has taken the tag. What a user derived
// from an image of ours inherits the labels but has a tag of its own, and a
// tag that a user gave to an image of ours keeps the image alive.
func removable(i image.Summary) []string {
	own, made := i.Labels[labelTag]
	if i.Labels[Label] != kindImage || !made {
		return nil
	}
	tags := slices.DeleteFunc(slices.Clone(i.RepoTags), func(t string) bool { return t == "<none>:<none>" })
	switch {
	case len(tags) == 0:
		return []string{i.ID}
	case slices.Contains(tags, own):
		return []string{own}
	}
	return nil
}
