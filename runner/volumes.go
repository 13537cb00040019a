package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// WorkspaceMode says where the project lies for the boxes of a job.
type WorkspaceMode string

// The modes.
const (
	// WorkspaceAuto is the directory itself if the engine sees it, else a volume.
	WorkspaceAuto WorkspaceMode = "auto"
	// WorkspaceBind is the directory itself.
	WorkspaceBind WorkspaceMode = "bind"
	// WorkspaceVolume is a volume of the engine, with a copy of the directory.
	WorkspaceVolume WorkspaceMode = "volume"
)

const (
	// fetchTime bounds the fetching that nothing else bounds, at the end of a
	// session or a job. The box that fetches has as long as that itself.
	fetchTime = sandbox.TreeTime
	// treeEntries is how many files of a project are kept in two places; what is
	// known of each takes some 300 bytes.
	treeEntries = 500_000
	// fetchMore is how much more than the quota is fetched at least.
	fetchMore = 1 << 30
	// incomingDir is where an archive of a box lies until it is whole, in the state.
	incomingDir = "incoming"
)

// volumes are the job's directories where they live with the engine. The rule
// is: whenever no box runs, the host's directory is the truth. So what the host
// has changed is pushed before a box is used, and what boxes have changed is
// fetched, by a box of its own in which nothing else runs, when they have
// ended. A nil *volumes is a job whose boxes work in the host's directory; its
// methods do nothing.
type volumes struct {
	job    *job
	engine sandbox.Volumes

	mu        sync.Mutex
	workspace *copied
	home      string // volume
	homeReady bool
	copies    map[string]*copied // by volume
}

// copied is a directory of the host and its copy in a volume.
type copied struct {
	volume  string
	mirror  *sandbox.Mirror
	changed bool // by the host since the last push, as far as it knows
	used    bool // a box has had it since the last fetch
}

// makeVolumes makes the job one whose workspace lives in a volume.
func (j *job) makeVolumes(ctx context.Context, why string) error {
	engine, able := j.o.Engine.(sandbox.Volumes)
	if !able {
		return &Error{Outcome: NoSandbox, Reason: "the engine has no volumes", Hint: "leave --workspace out"}
	}
	info, err := j.state.project.Lstat(".")
	if err != nil {
		return err
	}
	if j.files.owner, err = ownerOf(info); err != nil {
		return err
	}
	v := &volumes{job: j, engine: engine, copies: map[string]*copied{}}
	j.volumes = v
	j.disk = sandbox.NewDisk(j.o.Limits, nil) // the boxes measure: the host can't see what is there
	if v.workspace, err = v.add(ctx, sandbox.VolumeWorkspace, j.workspaceMirror()); err != nil {
		return err
	}
	j.files.wrote = v.hostWrote
	if v.home, err = v.create(ctx, sandbox.VolumeHome); err != nil {
		return err
	}
	if err := v.save(); err != nil {
		return err
	}
	return j.note("the boxes' workspace is a copy in a volume: " + why)
}

// workspaceMirror is of the project directory. What git has is safe on disk
// before anything is recorded as passed.
func (j *job) workspaceMirror() *sandbox.Mirror {
	return &sandbox.Mirror{
		Root: j.state.project, Private: stateDir, Staging: stateDir + "/" + incomingDir, Owner: j.files.owner,
		MaxEntries: treeEntries,
		Sync:       func(p string) bool { return strings.HasPrefix(p, ".git/") },
	}
}

func (v *volumes) create(ctx context.Context, kind sandbox.VolumeKind) (string, error) {
	name, err := v.engine.CreateVolume(ctx, sandbox.VolumeSpec{Kind: kind, Job: v.job.state.job.ID, User: v.job.user, Image: v.job.o.Image.ID})
	if err != nil {
		return "", startError(ctx, err)
	}
	return name, nil
}

// add makes a volume for a copy.
func (v *volumes) add(ctx context.Context, kind sandbox.VolumeKind, m *sandbox.Mirror) (*copied, error) {
	name, err := v.create(ctx, kind)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	c := &copied{volume: name, mirror: m, changed: true}
	v.copies[name] = c
	return c, nil
}

// forProof makes a volume for a copy for proofs, which lies at root here. What
// comes back of it is what git has, and the names of what else is there.
func (v *volumes) forProof(ctx context.Context, root *os.Root) (string, error) {
	if v == nil {
		return "", nil
	}
	c, err := v.add(ctx, sandbox.VolumeProof, &sandbox.Mirror{
		Root: root, Staging: ".glovebox-" + rand.Text(), Owner: v.job.files.owner,
		MaxEntries: treeEntries, NamesOnly: true, Except: installed(),
	})
	if err != nil {
		return "", err
	}
	return c.volume, nil
}

// drop removes the volume of a copy; nobody wants what is in it.
func (v *volumes) drop(name string) error {
	if v == nil || name == "" {
		return nil
	}
	v.mu.Lock()
	delete(v.copies, name)
	v.mu.Unlock()
	return v.engine.RemoveVolume(context.Background(), name)
}

// instead puts the volumes in the place of the directories of a box.
func (v *volumes) instead(spec sandbox.Spec) sandbox.Spec {
	if v == nil {
		return spec
	}
	spec.Workspace, spec.WorkspaceVolume = "", v.workspace.volume
	if spec.Home != "" {
		spec.Home, spec.HomeVolume = "", v.home
	}
	return spec
}

func (v *volumes) hostWrote() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.workspace.changed = true
}

// enter brings a new box up to date before it is used: nothing of the model's
// runs in it yet. It looks whether anything has changed here, by whomever.
func (v *volumes) enter(ctx context.Context, box *sandbox.Box, spec sandbox.Spec) error {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.copies[spec.WorkspaceVolume]; c != nil {
		c.changed = true
	}
	return v.push(ctx, box, spec)
}

// enterSession does the same for a box of a session, if the host knows that it
// has changed something.
func (v *volumes) enterSession(ctx context.Context, box *sandbox.Box, spec sandbox.Spec) error {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.push(ctx, box, spec)
}

func (v *volumes) push(ctx context.Context, box *sandbox.Box, spec sandbox.Spec) error {
	if spec.HomeVolume != "" && !v.homeReady {
		if _, _, err := box.WriteFile(ctx, sandbox.Home+"/"+tool.GitExclude, []byte(tool.GitExcludeText)); err != nil {
			return err
		}
		v.homeReady = true
	}
	c := v.copies[spec.WorkspaceVolume]
	if c == nil {
		return nil
	}
	c.used = true
	if !c.changed {
		return nil
	}
	moved, err := box.Push(ctx, c.mirror, sandbox.Workspace)
	if err != nil {
		return err
	}
	c.changed = false
	return v.moved(c, "pushed", moved)
}

// fetch makes the host's directory what the volume is, if a box has had it.
func (v *volumes) fetch(ctx context.Context, name string) error {
	if v == nil || name == "" {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.copies[name]
	if c == nil || !c.used {
		return nil
	}
	moved, err := v.job.pull(ctx, c)
	if err != nil {
		return err
	}
	c.used = false
	return v.moved(c, "fetched", moved)
}

// fetchWorkspace fetches what a session has left, even of one that was
// interrupted. All of its boxes have ended.
func (v *volumes) fetchWorkspace() error {
	if v == nil || v.workspace == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	return late(ctx, v.fetch(ctx, v.workspace.volume))
}

// late says how a job ends when fetching has taken longer than it may.
func late(ctx context.Context, err error) error {
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return &Error{Outcome: FailedRun, Reason: fmt.Sprintf("what boxes have left in the workspace was not here after %s", fetchTime), Err: err,
		Hint: "is the engine, or the line to it, slow? the same command fetches it again"}
}

// pull fetches a copy by a box of its own, whose work counts towards no quota.
func (j *job) pull(ctx context.Context, c *copied) (moved sandbox.Moved, err error) {
	if c.mirror.MaxBytes, err = j.mayFetch(ctx); err != nil {
		return moved, err
	}
	spec := j.boxSpec(false)
	spec.Workspace, spec.WorkspaceVolume, spec.Hidden, spec.Disk = "", c.volume, nil, nil
	if c.mirror.Private != "" {
		spec.Hidden = []string{c.mirror.Private}
	}
	err = j.inNewBox(ctx, forSync, spec, func(box *sandbox.Box) error {
		moved, err = box.Pull(ctx, c.mirror, sandbox.Workspace)
		return pullError(ctx, err)
	})
	return moved, err
}

// mayFetch is how many bytes a copy may bring at once. Boxes that are over the
// quota can clean up until that is hopeless (see [sandbox.Disk]), so there may
// be more than the quota; but the host's own disk is never filled up.
func (j *job) mayFetch(ctx context.Context) (int64, error) {
	space, err := j.meter.Space(ctx)
	if err != nil {
		return 0, err
	}
	quota := j.o.Limits.Disk
	return min(quota+max(quota, fetchMore), space.Free-space.Free/10), nil
}

// pullError says how a job ends when a copy can't be fetched.
func pullError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, sandbox.ErrTreeTooLarge):
		return &Error{Outcome: FailedRun, Reason: "boxes have left more in the workspace than --disk, or the disk here, allows", Err: err,
			Hint: "the same command with a larger --disk fetches it; after `glovebox clean` it goes on without it"}
	case errors.Is(err, sandbox.ErrBoxLost):
		return boxError(ctx, err)
	}
	return &Error{Outcome: FailedRun, Reason: "can't fetch what boxes have left in the workspace", Err: err,
		Hint: "is the disk full? the same command goes on"}
}

// moved notes what was moved, and saves what is known of the workspace's copy.
func (v *volumes) moved(c *copied, how string, m sandbox.Moved) error {
	v.job.log.Debug("workspace "+how, "volume", c.volume, "entries", m.Entries, "gone", m.Gone, "other", m.Other)
	if c != v.workspace || m.Entries+m.Gone == 0 {
		return nil
	}
	return v.save()
}

// end fetches what is not here yet and removes the volumes. What can't be
// fetched stays where it is, for the next process.
func (v *volumes) end() error {
	if v == nil {
		return nil
	}
	if err := v.fetchWorkspace(); err != nil {
		return fmt.Errorf("fetch the workspace: %w", err)
	}
	errs := []error{v.drop(v.home)}
	for name := range v.copies {
		errs = append(errs, v.drop(name))
	}
	if err := errors.Join(errs...); err != nil {
		return &Error{Outcome: FailedRun, Reason: "can't remove the workspace's volumes", Hint: "`glovebox clean` removes them", Err: err}
	}
	if err := v.job.state.root.Remove(volumeFile); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
