package docker

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// lodging is a box that is opened when it is needed.
type lodging struct {
	team    *team
	g       *ground
	e       *Engine
	m       mode
	small   bool
	watched bool
	walls   []wall // that are taken away from the Spec
	open    *sandbox.Box
	spec    sandbox.Spec
	meter   *sandbox.DirMeter
}

func (l *lodging) box(t *testing.T) *sandbox.Box {
	t.Helper()
	b, err := l.tryBox(t)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (l *lodging) tryBox(t *testing.T) (*sandbox.Box, error) {
	t.Helper()
	if l.open != nil && l.open.Lost() == nil {
		return l.open, nil
	}
	l.leave(t)
	l.spec = l.g.spec(l.team.image, l.m.user)
	if l.small {
		l.spec.Limits = sandbox.Limits{Memory: 256 << 20, CPUs: 0.5, PIDs: 64, Disk: 4 << 20, Timeout: time.Minute}
		if l.team.ownKernel {
			l.spec.Limits.PIDs = roomFor(l.e.runtime).pids // its kernel needs threads
		}
	}
	if l.m.volumes {
		l.spec.Workspace, l.spec.Home = "", ""
		l.spec.WorkspaceVolume, l.spec.HomeVolume = l.volume(t, sandbox.VolumeWorkspace), l.volume(t, sandbox.VolumeHome)
	}
	if l.watched {
		l.watch(t)
	}
	for _, w := range l.walls {
		if w.spec != nil {
			w.spec(&l.spec)
		}
	}
	b, err := sandbox.Open(context.Background(), l.e, l.spec)
	if err == nil {
		l.open = b
	}
	return b, err
}

func (l *lodging) volume(t *testing.T, kind sandbox.VolumeKind) string {
	t.Helper()
	name, err := l.team.e.CreateVolume(t.Context(), sandbox.VolumeSpec{Kind: kind, Job: l.spec.Job, User: l.m.user, Image: l.spec.Image})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// watch gives the box a quota of 64 MiB, on a file system of its own where
// that can be: else whatever else the machine writes counts too.
func (l *lodging) watch(t *testing.T) {
	t.Helper()
	l.spec.Limits.Disk = 64 << 20
	if l.m.volumes {
		l.spec.Disk = sandbox.NewDisk(l.spec.Limits, nil)
		return
	}
	dir := ownFileSystem(t)
	l.spec.Workspace, l.spec.Home, l.spec.Hidden = filepath.Join(dir, "workspace"), filepath.Join(dir, "home"), nil
	for _, d := range []string{l.spec.Workspace, l.spec.Home} {
		mkdir(t, d)
		own(t, d, l.m.user)
	}
	meter, err := sandbox.NewDirMeter(l.spec.Workspace, nil, l.spec.Home)
	must(t, err)
	l.meter = meter
	l.spec.Disk = sandbox.NewDisk(l.spec.Limits, meter)
}

// leave ends the box; nothing of it may be left.
func (l *lodging) leave(t *testing.T) {
	t.Helper()
	if l.open != nil {
		if err := l.open.Close(); err != nil {
			t.Error(err)
		}
		nothingLeft(t, l.team.e, l.spec.Job)
		l.open = nil
		l.g.sweep(t)
	}
	if l.meter != nil {
		l.meter.Close()
		l.meter = nil
	}
	for _, name := range []string{l.spec.WorkspaceVolume, l.spec.HomeVolume} {
		if name == "" {
			continue
		}
		if err := l.team.e.RemoveVolume(context.Background(), name); err != nil {
			t.Error(err)
		}
	}
	l.spec = sandbox.Spec{}
}
