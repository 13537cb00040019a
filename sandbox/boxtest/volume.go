//go:build linux

package boxtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/glovebox-run/glovebox/sandbox"
)

var _ sandbox.Volumes = (*Fake)(nil)

// CreateVolume makes a directory; see [sandbox.Volumes].
func (f *Fake) CreateVolume(ctx context.Context, s sandbox.VolumeSpec) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	name := fmt.Sprintf("%s-%s-%d", s.Kind, s.Job, f.made)
	if err := os.Mkdir(f.volume(name), 0o755); err != nil {
		return "", err
	}
	f.volumes[name] = s.Job
	return name, nil
}

// HasVolume see [sandbox.Volumes].
func (f *Fake) HasVolume(_ context.Context, name, job string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	owner, ok := f.volumes[name]
	return ok && owner == job, nil
}

// RemoveVolume see [sandbox.Volumes].
func (f *Fake) RemoveVolume(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.volumes[name]; !ok {
		return nil
	}
	delete(f.volumes, name)
	return os.RemoveAll(f.volume(name))
}

// Volumes are the directories of the volumes that are there, by name.
func (f *Fake) Volumes() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	dirs := map[string]string{}
	for name := range f.volumes {
		dirs[name] = f.volume(name)
	}
	return dirs
}

func (f *Fake) volume(name string) string { return filepath.Join(f.scratch, "volume-"+name) }

// mount puts the volumes of s in the place of its directories.
func (f *Fake) mount(s sandbox.Spec, dirs map[string]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for place, name := range map[string]string{"workspace": s.WorkspaceVolume, "home": s.HomeVolume} {
		if name == "" {
			continue
		}
		if _, ok := f.volumes[name]; !ok {
			return fmt.Errorf("volume %s: %w", name, sandbox.ErrNoVolume)
		}
		dirs[place] = f.volume(name)
	}
	if f.elsewhere {
		for _, dir := range []string{s.Workspace, s.Home} {
			if dir != "" {
				return fmt.Errorf("%s: %w", dir, sandbox.ErrNotMounted)
			}
		}
	}
	return nil
}

// Elsewhere makes f an engine on another machine: it can't mount a directory.
func (f *Fake) Elsewhere() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.elsewhere = true
}
