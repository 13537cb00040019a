package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/glovebox-run/glovebox/sandbox"
)

// staleTime is how old a container that was never started must be to be taken
// for one whose maker died, where that can't be seen: making and starting one takes well under a second.
const staleTime = 10 * time.Minute

// sweep removes containers of ours that were made and never started. Those
// that were started go by themselves when their owner dies; these would stay
// for ever. now is the engine's clock, which also dates the containers.
func (e *Engine) sweep(ctx context.Context, now time.Time) error {
	if now.IsZero() {
		return errors.New("the engine does not say what time it is")
	}
	list, err := e.api.ContainerList(ctx, container.ListOptions{
		All:     true,
		Filters: filters.NewArgs(filters.Arg("label", Label), filters.Arg("status", string(container.StateCreated))),
	})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, c := range list {
		if madeHere(c) && (now.Sub(time.Unix(c.Created, 0)) > staleTime || ownerDead(c.Labels)) {
			e.log.Info("removing a container that was never started", "container", c.ID, "made", time.Unix(c.Created, 0))
			errs = append(errs, remove(e.api, c.ID))
		}
	}
	return errors.Join(errs...)
}

// ownerDead says that what carries these labels belonged to a process of this
// machine that has ended.
func ownerDead(labels map[string]string) bool {
	o, ok := parseOwner(labels[labelOwner])
	return ok && o.local() && !o.alive()
}

// madeHere says that a container is a box or fills a volume.
func madeHere(c container.Summary) bool {
	kind := c.Labels[Label]
	return kind == kindBox || kind == kindAgent
}

// keepTime is how long the work that a killed process has left in a volume
// waits for the same command to go on with it.
const keepTime = 7 * 24 * time.Hour

// sweepVolumes removes volumes of jobs whose owner is dead: copies for proofs at
// once, the others when nobody will come back for them.
func (e *Engine) sweepVolumes(ctx context.Context, now time.Time) error {
	list, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: ours()})
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	var errs []error
	for _, v := range list.Volumes {
		if !isJobVolume(v) || !ownerGone(v, now) {
			continue
		}
		made, err := time.Parse(time.RFC3339, v.CreatedAt)
		if v.Labels[Label] == string(sandbox.VolumeProof) || err == nil && now.Sub(made) > keepTime {
			errs = append(errs, e.RemoveVolume(ctx, v.Name))
		}
	}
	return errors.Join(errs...)
}
