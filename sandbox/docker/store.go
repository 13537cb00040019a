package docker

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"

	"github.com/glovebox-run/glovebox/images"
)

// defaultPath is what Docker gives to a process whose image names no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Find returns the image that a tag, digest or id names; no such image wraps
// [images.ErrNotFound].
func (e *Engine) Find(ctx context.Context, ref string) (images.Image, error) {
	r, err := e.api.ImageInspect(ctx, ref)
	if cerrdefs.IsNotFound(err) || cerrdefs.IsInvalidArgument(err) {
		return images.Image{}, fmt.Errorf("%w: %s", images.ErrNotFound, ref)
	}
	if err != nil {
		return images.Image{}, fmt.Errorf("inspect image %s: %w", ref, err)
	}
	i := images.Image{ID: r.ID, Tags: r.RepoTags, Digest: digestFor(ref, r.RepoDigests), Arch: r.Architecture, Path: defaultPath, Size: r.Size}
	if r.Config != nil {
		i.Labels = r.Config.Labels
		for _, kv := range r.Config.Env {
			if p, ok := strings.CutPrefix(kv, "PATH="); ok {
				i.Path = p
			}
		}
	}
	return i, nil
}

// digestFor is the digest of the registry that ref names, of all that an image
// was pulled from or pushed to; any if ref names none of them.
func digestFor(ref string, digests []string) string {
	name, err := reference.ParseNormalizedNamed(ref)
	for _, d := range digests {
		if from, e := reference.ParseNormalizedNamed(d); err == nil && e == nil && from.Name() == name.Name() {
			return afterAt(d)
		}
	}
	if len(digests) > 0 {
		return afterAt(digests[0])
	}
	return ""
}

func afterAt(d string) string {
	_, digest, _ := strings.Cut(d, "@")
	return digest
}

// List returns the images that carry our label.
func (e *Engine) List(ctx context.Context) ([]images.Image, error) {
	list, err := e.api.ImageList(ctx, image.ListOptions{Filters: ours()})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var found []images.Image
	for _, s := range list {
		i, err := e.Find(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		found = append(found, i)
	}
	return found, nil
}

// Build builds an image with the classic builder, which every engine has, and
// returns its id. The image gets our label. A build that fails is an error
// with the last lines of its output.
func (e *Engine) Build(ctx context.Context, b images.Build, progress io.Writer) (string, error) {
	args := map[string]*string{}
	for k, v := range b.Args {
		args[k] = &v
	}
	r, err := e.api.ImageBuild(ctx, b.Context, build.ImageBuildOptions{
		Tags: []string{b.Tag}, BuildArgs: args, Labels: labelsOf(b.Tag, b.Labels),
		Remove: true, ForceRemove: true, Version: build.BuilderV1,
	})
	if err != nil {
		return "", fmt.Errorf("build image %s: %w", b.Tag, err)
	}
	defer r.Body.Close()
	if _, err := follow(r.Body, progress); err != nil {
		return "", fmt.Errorf("build image %s: %w", b.Tag, err)
	}
	return e.made(ctx, b.Tag)
}

// Import makes an image of a root file system and returns its id. The image
// gets our label, and a PATH.
func (e *Engine) Import(ctx context.Context, i images.Import, progress io.Writer) (string, error) {
	changes := []string{"ENV PATH=" + defaultPath}
	for k, v := range labelsOf(i.Tag, i.Labels) {
		change, err := labelChange(k, v)
		if err != nil {
			return "", fmt.Errorf("import image %s: %w", i.Tag, err)
		}
		changes = append(changes, change)
	}
	slices.Sort(changes)
	body, err := e.api.ImageImport(ctx, image.ImportSource{Source: i.RootFS, SourceName: "-"}, i.Tag, image.ImportOptions{Changes: changes})
	if err != nil {
		return "", fmt.Errorf("import image %s: %w", i.Tag, err)
	}
	defer body.Close()
	if _, err := follow(body, progress); err != nil {
		return "", fmt.Errorf("import image %s: %w", i.Tag, err)
	}
	return e.made(ctx, i.Tag)
}

// made is the id of the image just made under a tag.
func (e *Engine) made(ctx context.Context, tag string) (string, error) {
	i, err := e.Find(ctx, tag)
	if err != nil {
		return "", fmt.Errorf("the engine reports no error and has no image: %w", err)
	}
	return i.ID, nil
}

// labelsOf are the labels of an image of ours.
func labelsOf(tag string, more map[string]string) map[string]string {
	l := map[string]string{}
	for k, v := range more {
		l[k] = v
	}
	l[Label], l[labelTag] = kindImage, normal(tag)
	return l
}

// normal is a tag as engines list it.
func normal(tag string) string {
	name, err := reference.ParseNormalizedNamed(tag)
	if err != nil {
		return tag
	}
	return reference.FamiliarString(reference.TagNameOnly(name))
}

// labelChange is a label as a line of a Dockerfile. What would need quoting
// inside quotes is refused.
func labelChange(k, v string) (string, error) {
	if strings.ContainsAny(k+v, "\"\\$\n\r") {
		return "", fmt.Errorf("label %.80q holds a character that it can't have", k)
	}
	return fmt.Sprintf(`LABEL "%s"="%s"`, k, v), nil
}
