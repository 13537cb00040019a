package docker

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/volume"

	"github.com/glovebox-run/glovebox/sandbox"
)

// sheltered is e, which sees of what is ours only what the test has made.
func sheltered(t *testing.T, e *Engine) *Engine {
	return newEngine(shelter{e.api, t.Name()}, Options{Log: testLog(t)})
}

// ownedVolume makes a volume with an owner and returns its name.
func ownedVolume(t *testing.T, e *Engine, kind sandbox.VolumeKind, owner string) string {
	t.Helper()
	name := "glovebox-test-" + word()
	labels := map[string]string{Label: string(kind), labelJob: "test", labelOwner: owner, testMark: t.Name()}
	if _, err := e.api.VolumeCreate(t.Context(), volume.CreateOptions{Name: name, Labels: labels}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.api.VolumeRemove(context.Background(), name, true) })
	return name
}

// deadOwner is a process of this machine that has ended.
func deadOwner() string {
	o := self()
	o.start += "9"
	return o.String()
}

// Between two boxes nothing uses a job's volume but its owner, so clean must
// not take it for a leftover; one whose owner is dead it is.
func TestI12VolumesOfTheLivingStay(t *testing.T) {
	e := sheltered(t, testEngine(t))
	mine := ownedVolume(t, e, sandbox.VolumeWorkspace, e.owner)
	far := ownedVolume(t, e, sandbox.VolumeHome, "other-boot/ns/7/99")
	dead := ownedVolume(t, e, sandbox.VolumeWorkspace, deadOwner())
	r, err := e.Clean(t.Context(), CleanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kept := func(name string) bool {
		return slices.ContainsFunc(r.Kept, func(k Kept) bool { return k.Name == name })
	}
	if !kept(mine) || !kept(far) || kept(dead) || !slices.Contains(r.Volumes, dead) {
		t.Errorf("kept %v, removed %v", r.Kept, r.Volumes)
	}
}

// What a killed process has left waits for the same command for a week; copies
// for proofs nobody wants.
func TestSweepVolumes(t *testing.T) {
	e := sheltered(t, testEngine(t))
	work, proof := ownedVolume(t, e, sandbox.VolumeWorkspace, deadOwner()), ownedVolume(t, e, sandbox.VolumeProof, deadOwner())
	mine, far := ownedVolume(t, e, sandbox.VolumeProof, e.owner), ownedVolume(t, e, sandbox.VolumeProof, "other-boot/ns/7/99")
	there := func() (left []string) {
		for _, name := range []string{work, proof, mine, far} {
			if has, err := e.HasVolume(t.Context(), name, "test"); err != nil {
				t.Fatal(err)
			} else if has {
				left = append(left, name)
			}
		}
		return left
	}
	if err := e.sweepVolumes(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if left := there(); !slices.Equal(left, []string{work, mine, far}) {
		t.Errorf("left %v", left)
	}
	for name, want := range map[string]bool{work: true, mine: false, far: true} {
		v, err := e.api.VolumeInspect(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if gone := ownerGone(&v, time.Now().Add(keepTime+time.Hour)); gone != want {
			t.Errorf("after a week the owner of %s is gone: %v", name, gone)
		}
	}
}

// A volume that carries none of a job's labels is nobody's that we know.
func TestForeignVolumeIsNotRemoved(t *testing.T) {
	e := testEngine(t)
	name := "glovebox-test-" + word()
	if _, err := e.api.VolumeCreate(t.Context(), volume.CreateOptions{Name: name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.api.VolumeRemove(context.Background(), name, true) })
	if err := e.RemoveVolume(t.Context(), name); err == nil {
		t.Error("it was removed")
	}
	if has, err := e.HasVolume(t.Context(), name, ""); has || err != nil {
		t.Errorf("it is taken for a job's: %v", err)
	}
	s := testSpec(t, e)
	s.Workspace, s.WorkspaceVolume = "", name
	if b, err := sandbox.Open(t.Context(), e, s); err == nil {
		b.Close()
		t.Error("a box has it mounted")
	}
}

// A process that is killed may leave a container that was made and never
// started; it must not keep the volume from being removed by the next process.
func TestRemoveVolumeOfKilledProcess(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	s.Workspace, s.WorkspaceVolume = "", ownedVolume(t, e, sandbox.VolumeWorkspace, deadOwner())
	img, err := e.imageFacts(t.Context(), s.Image)
	if err != nil {
		t.Fatal(err)
	}
	f, err := e.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{e.owner, deadOwner()} { // the second time the volume goes
		gone := owner != e.owner
		config, host, err := containerFor(s, img, circumstances{Agent: e.provenAgent().name, Owner: owner})
		if err != nil {
			t.Fatal(err)
		}
		host.Mounts = host.Mounts[:1] // the volume is what matters
		id, err := e.create(t.Context(), plan{config: config, host: host}, f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { remove(e.api, id) })
		if err := e.RemoveVolume(t.Context(), s.WorkspaceVolume); (err == nil) != gone {
			t.Errorf("used by a container of %q: %v", owner, err)
		}
		if !gone {
			remove(e.api, id)
		}
	}
}
