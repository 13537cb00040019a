package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"github.com/glovebox-run/glovebox/images"
)

// cleaner makes things in the engine for one test and removes them after it.
type cleaner struct {
	t    *testing.T
	e    *Engine
	mark string
}

func (c cleaner) labels(kv ...string) map[string]string {
	l := map[string]string{testMark: c.mark}
	for i := 0; i < len(kv); i += 2 {
		l[kv[i]] = kv[i+1]
	}
	return l
}

func (c cleaner) container(run bool, img string, labels map[string]string, volumes ...string) string {
	c.t.Helper()
	h := &container.HostConfig{NetworkMode: "none"}
	for _, v := range volumes {
		h.Binds = append(h.Binds, v+":/v")
	}
	r, err := c.e.api.ContainerCreate(c.t.Context(), &container.Config{Image: img, Cmd: []string{"/bin/sleep", "600"}, Labels: labels}, h, nil, nil, "")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { remove(c.e.api, r.ID) })
	if run {
		if err := c.e.api.ContainerStart(c.t.Context(), r.ID, container.StartOptions{}); err != nil {
			c.t.Fatal(err)
		}
	}
	return r.ID
}

// foreignImage is an image without any label: what is made of toolsImage
// inherits ours.
func (c cleaner) foreignImage() string {
	c.t.Helper()
	var rootfs bytes.Buffer
	w := tar.NewWriter(&rootfs)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644}), w.Close()); err != nil {
		c.t.Fatal(err)
	}
	tag := "foreign-test:" + word()
	body, err := c.e.api.ImageImport(c.t.Context(), image.ImportSource{Source: &rootfs, SourceName: "-"}, tag, image.ImportOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer body.Close()
	if _, err := follow(body, io.Discard); err != nil {
		c.t.Fatal(err)
	}
	id, err := c.e.made(c.t.Context(), tag)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_, _ = c.e.api.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true, PruneChildren: true})
	})
	return id
}

func (c cleaner) volume(labels map[string]string) string {
	c.t.Helper()
	v, err := c.e.api.VolumeCreate(c.t.Context(), volume.CreateOptions{Name: "glovebox-agent-test-" + word(), Labels: labels})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.e.api.VolumeRemove(context.Background(), v.Name, true) })
	return v.Name
}

func (c cleaner) hasVolume(name string) bool {
	r, err := c.e.api.VolumeList(c.t.Context(), volume.ListOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return slices.ContainsFunc(r.Volumes, func(v *volume.Volume) bool { return v.Name == name })
}

// Only what carries our label goes, whatever else is called like ours; what a
// living process works with stays.
func TestI12CleanRemovesOnlyOurs(t *testing.T) {
	e := testEngine(t)
	c := cleaner{t, e, word()}
	img := toolsImage(t, e)
	sheltered := newEngine(shelter{e.api, c.mark}, Options{Log: testLog(t)})
	dead, elsewhere := self(), self()
	dead.start = "1"
	elsewhere.boot = "00000000-0000-0000-0000-000000000000"

	foreignVolume, usedVolume, goneVolume := c.volume(nil), c.volume(c.labels(Label, kindAgent)), c.volume(c.labels(Label, kindAgent))
	boxes := map[string]struct {
		id       string
		survives bool
	}{
		"foreign, running":       {c.container(true, img, map[string]string{"somebody": "glovebox"}, usedVolume), true},
		"foreign, created":       {c.container(false, img, map[string]string{"gloveboxes": "box", "Glovebox": "box"}), true},
		"foreign, no label":      {c.container(false, c.foreignImage(), c.labels()), true},
		"foreign, of our image":  {c.container(true, img, c.labels(Label, kindImage)), true},
		"ours, no owner":         {c.container(true, img, c.labels(Label, kindBox)), false},
		"ours, owner dead":       {c.container(true, img, c.labels(Label, kindBox, labelOwner, dead.String())), false},
		"ours, owner lives":      {c.container(true, img, c.labels(Label, kindBox, labelOwner, self().String())), true},
		"ours, owner elsewhere":  {c.container(true, img, c.labels(Label, kindBox, labelOwner, elsewhere.String())), true},
		"ours, of a former boot": {c.container(false, img, c.labels(Label, kindBox, labelOwner, elsewhere.String())), false},
		"ours, of another kind":  {c.container(true, img, c.labels(Label, "later")), false},
	}
	report, err := sheltered.Clean(t.Context(), CleanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range boxes {
		if there(t, e, b.id) != b.survives {
			t.Errorf("%s: survived %v", name, !b.survives)
		}
	}
	for name, survives := range map[string]bool{foreignVolume: true, usedVolume: true, goneVolume: false} {
		if c.hasVolume(name) != survives {
			t.Errorf("volume %s: survived %v", name, !survives)
		}
	}
	for _, k := range report.Kept {
		if k.Why == "" || k.Kind == "volume" && k.Name != usedVolume {
			t.Errorf("kept %+v", k)
		}
	}
	if len(report.Images) != 0 || len(report.Kept) != 3 { // other tests may have cleaned up too, so more is not certain
		t.Errorf("%+v", report)
	}

	if _, err := sheltered.Clean(t.Context(), CleanOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	for name, b := range boxes {
		if there(t, e, b.id) != strings.HasPrefix(name, "foreign") {
			t.Errorf("with force, %s: still there %v", name, there(t, e, b.id))
		}
	}
}

// Images go only on demand; what a user derived from one of ours inherits its
// labels and stays.
func TestI12CleanImages(t *testing.T) {
	e := testEngine(t)
	mark := word()
	made := func(tag string, labels map[string]string) string {
		id, err := e.Import(t.Context(), images.Import{Tag: tag, Labels: labels, RootFS: rootFS(t, []string{"true"})}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			e.api.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true})
		})
		return id
	}
	mine := made("glovebox-test/"+mark+":1", map[string]string{testMark: mark})
	derived := usersImage(t, e, "glovebox-test/"+mark+":1", mark)
	sheltered := newEngine(shelter{e.api, mark}, Options{Log: testLog(t)})

	report, err := sheltered.Clean(t.Context(), CleanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Images) != 0 || !hasImage(t, e, mine) {
		t.Errorf("images were removed unasked: %+v", report)
	}
	report, err = sheltered.Clean(t.Context(), CleanOptions{Images: true})
	if err != nil {
		t.Fatal(err)
	}
	if !hasImage(t, e, derived) {
		t.Errorf("a user's image was removed: %+v", report)
	}
	for _, name := range append(report.Images, keptImages(report)...) {
		if name != "glovebox-test/"+mark+":1" {
			t.Errorf("touched %s", name)
		}
	}
	if _, err := e.api.ImageInspect(t.Context(), "glovebox-test/"+mark+":1"); !cerrdefs.IsNotFound(err) {
		t.Errorf("our image stayed: %+v, %v", report, err)
	}
}

func keptImages(r Report) (names []string) {
	for _, k := range r.Kept {
		if k.Kind == "image" {
			names = append(names, k.Name)
		}
	}
	return names
}

func hasImage(t *testing.T, e *Engine, id string) bool {
	_, err := e.api.ImageInspect(t.Context(), id)
	return err == nil
}
