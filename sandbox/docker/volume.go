package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"github.com/glovebox-run/glovebox/sandbox"
)

// jobVolumes are the volumes of a job that a box has mounted.
func jobVolumes(s sandbox.Spec) []string {
	return slices.DeleteFunc([]string{s.WorkspaceVolume, s.HomeVolume}, func(name string) bool { return name == "" })
}

// binds says whether a directory of the host is mounted.
func binds(h *container.HostConfig) bool {
	return slices.ContainsFunc(h.Mounts, func(m mount.Mount) bool { return m.Type == mount.TypeBind })
}

// CreateVolume makes a volume whose top directory belongs to the box's user:
// Docker's own belong to root. See [sandbox.Volumes].
func (e *Engine) CreateVolume(ctx context.Context, s sandbox.VolumeSpec) (string, error) {
	f, err := e.ready(ctx)
	if err != nil {
		return "", err
	}
	img, err := e.imageFacts(ctx, s.Image)
	if err != nil {
		return "", fmt.Errorf("create volume: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	name := fmt.Sprintf("glovebox-%s-%s-%s", s.Kind, s.Job, word())
	// Not given up when ctx ends: a volume that is made must be known.
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
	defer cancel()
	_, err = e.api.VolumeCreate(own, volume.CreateOptions{Name: name,
		Labels: map[string]string{Label: string(s.Kind), labelJob: s.Job, labelOwner: e.owner}})
	if err == nil {
		err = e.giveVolume(ctx, s, img, name, f)
	}
	if err != nil {
		e.drop(name)
		return "", fmt.Errorf("create volume: %w", err)
	}
	return name, nil
}

// giveVolume makes a user the owner of a volume's top directory. The archive is
// unpacked above it: engines skip an entry for the place itself.
func (e *Engine) giveVolume(ctx context.Context, s sandbox.VolumeSpec, img imageFacts, name string, f Facts) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if f.Rootless {
		s.User = sandbox.User{} // as every box there, see containerFor
	}
	top := &tar.Header{Typeflag: tar.TypeDir, Name: sandbox.Workspace[1:] + "/", Mode: 0o755, Uid: s.User.UID, Gid: s.User.GID}
	if err := w.WriteHeader(top); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return e.copyInto(ctx, fillPlan(s.Image, img, name, sandbox.Workspace, e.owner), "/", &b, f)
}

// HasVolume see [sandbox.Volumes].
func (e *Engine) HasVolume(ctx context.Context, name, job string) (bool, error) {
	v, err := e.api.VolumeInspect(ctx, name)
	if cerrdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for volume %s: %w", name, err)
	}
	return isJobVolume(&v) && v.Labels[labelJob] == job, nil
}

// RemoveVolume see [sandbox.Volumes]. It heeds no cancelled context.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	v, err := e.api.VolumeInspect(own, name)
	if err == nil && !isJobVolume(&v) {
		return fmt.Errorf("remove volume %s: it is not one of a job", name)
	}
	if err == nil {
		err = e.api.VolumeRemove(own, name, false)
	}
	if cerrdefs.IsConflict(err) {
		if err = e.removeUsers(own, name); err == nil {
			err = e.api.VolumeRemove(own, name, false)
		}
	}
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("remove volume %s: %w", name, err)
	}
	return nil
}

// removeUsers removes the containers of dead processes that use a volume: one
// that was made and never started keeps it.
func (e *Engine) removeUsers(ctx context.Context, volume string) error {
	filter := ours()
	filter.Add("volume", volume)
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filter})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, c := range list {
		if madeHere(c) && needed(c) == "" {
			errs = append(errs, remove(e.api, c.ID))
		}
	}
	return errors.Join(errs...)
}

// checkVolumes makes sure that the volumes of a container that was just made are
// those of a job, and not empty ones that the engine has made in their place.
func (e *Engine) checkVolumes(ctx context.Context, names []string) error {
	for _, name := range names {
		v, err := e.api.VolumeInspect(ctx, name)
		if err != nil {
			return fmt.Errorf("look at volume %s: %w", name, err)
		}
		if !isJobVolume(&v) {
			return fmt.Errorf("volume %s: %w", name, sandbox.ErrNoVolume)
		}
	}
	return nil
}

// dropStrays removes what the engine has made in the place of volumes that were gone.
func (e *Engine) dropStrays(names []string) error {
	ctx, cancel := cleanup()
	defer cancel()
	var errs []error
	for _, name := range names {
		if v, err := e.api.VolumeInspect(ctx, name); err == nil && v.Labels[Label] == kindStray {
			errs = append(errs, e.api.VolumeRemove(ctx, name, false))
		}
	}
	return errors.Join(errs...)
}

func isJobVolume(v *volume.Volume) bool {
	switch sandbox.VolumeKind(v.Labels[Label]) {
	case sandbox.VolumeWorkspace, sandbox.VolumeHome, sandbox.VolumeProof:
		return true
	}
	return false
}

// neededVolume says why a volume should stay, "" if it need not.
func neededVolume(v *volume.Volume, now time.Time) string {
	o, ok := parseOwner(v.Labels[labelOwner])
	switch {
	case !isJobVolume(v) || ownerGone(v, now):
		return ""
	case ok && o.local():
		return fmt.Sprintf("process %d works with it", o.pid)
	}
	return "it may belong to a process elsewhere"
}

// ownerGone says that nobody uses a job's volume any more: its owner is dead,
// or can't be seen from here and has not been heard of for long.
func ownerGone(v *volume.Volume, now time.Time) bool {
	if o, ok := parseOwner(v.Labels[labelOwner]); ok && o.local() {
		return !o.alive()
	}
	made, err := time.Parse(time.RFC3339, v.CreatedAt)
	return err == nil && now.Sub(made) > keepTime
}
