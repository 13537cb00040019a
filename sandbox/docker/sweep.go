package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// staleTime is how old a container that was never started must be to be taken
// for one whose maker died: making and starting one takes well under a second.
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
		if madeHere(c) && now.Sub(time.Unix(c.Created, 0)) > staleTime {
			e.log.Info("removing a container that was never started", "container", c.ID, "made", time.Unix(c.Created, 0))
			errs = append(errs, remove(e.api, c.ID))
		}
	}
	return errors.Join(errs...)
}

// madeHere says that a container is a box or fills a volume.
func madeHere(c container.Summary) bool {
	kind := c.Labels[Label]
	return kind == kindBox || kind == kindAgent
}
