package docker

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"github.com/glovebox-run/glovebox/sandbox"
)

// mounts are the file systems of a box besides its image's.
type mounts struct {
	mounts []mount.Mount
	tmpfs  map[string]string // place: options
}

// mountsFor lists everything that is mounted into a box: workspace and home
// (directories of the host, or volumes), the agent, /tmp, and an empty read-only file system over what is hidden and
// over every volume of the image, which Docker would otherwise fill and keep.
func mountsFor(s sandbox.Spec, volumes []string, agent string) (mounts, error) {
	m := mounts{tmpfs: map[string]string{
		"/tmp": writable(s, "mode=1777"),
	}}
	for _, d := range []struct{ place, source, volume string }{
		{sandbox.Workspace, s.Workspace, s.WorkspaceVolume}, {sandbox.Home, s.Home, s.HomeVolume},
	} {
		if d.volume != "" && d.source != "" {
			return m, fmt.Errorf("can't mount both %.200q and the volume %.200q in a box", d.source, d.volume)
		}
		if d.volume != "" {
			m.mounts = append(m.mounts, volumeMount(d.volume, d.place))
			continue
		}
		if err := m.directory(s, d.place, d.source); err != nil {
			return m, err
		}
	}
	m.mounts = append(m.mounts, mount.Mount{
		Type: mount.TypeVolume, Source: agent, Target: agentDir, ReadOnly: true,
		// Should the volume be gone, Docker makes an empty one: it shall be known as ours.
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{Label: kindAgent}},
	})
	for _, name := range s.Hidden {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/:\x00") {
			return m, fmt.Errorf("can't hide %.80q: not the name of a directory in the workspace", name)
		}
		m.tmpfs[path.Join(sandbox.Workspace, name)] = covering(s.User)
	}
	return m, m.coverVolumes(volumes, s.User)
}

// directory mounts one directory of the host, or a temporary one. Only it: not
// what is mounted below it on the host, and nothing that is mounted there later.
func (m *mounts) directory(s sandbox.Spec, place, source string) error {
	if source == "" {
		m.tmpfs[place] = writable(s, fmt.Sprintf("mode=0755,uid=%d,gid=%d", s.User.UID, s.User.GID))
		return nil
	}
	if !filepath.IsAbs(source) || filepath.Clean(source) != source || source == "/" {
		return fmt.Errorf("can't mount %.200q in a box: not the absolute path of a directory", source)
	}
	m.mounts = append(m.mounts, mount.Mount{
		Type: mount.TypeBind, Source: source, Target: place,
		// A source that is missing is an error: Docker must not make it.
		BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate, NonRecursive: true, CreateMountpoint: false},
	})
	return nil
}

// volumeMount mounts a volume of a job. Should it be gone, Docker makes an empty
// one, which is no box's then: [Engine.Start] looks at the label.
func volumeMount(name, place string) mount.Mount {
	return mount.Mount{
		Type: mount.TypeVolume, Source: name, Target: place,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{Label: kindStray}},
	}
}

// coverVolumes hides the image's volumes. One at or around a place of ours
// can't be covered without harm, below a mounted directory the engine would
// even make a directory on the host: such an image is refused.
func (m *mounts) coverVolumes(volumes []string, u sandbox.User) error {
	for _, v := range volumes {
		for _, place := range []string{sandbox.Workspace, sandbox.Home, agentDir} {
			if v != place && (within(v, place) || within(place, v)) {
				return fmt.Errorf("the image declares a volume at %.200q, which collides with %s of a box", v, place)
			}
		}
		if v == sandbox.Workspace || v == sandbox.Home || v == agentDir || within(v, "/tmp") {
			continue // what is mounted there covers it
		}
		m.tmpfs[v] = covering(u)
	}
	return nil
}

// writable are the options of a temporary file system in which programs may
// be run: Docker's default of noexec breaks builds.
func writable(s sandbox.Spec, more string) string {
	return fmt.Sprintf("rw,exec,nosuid,nodev,size=%d,%s", s.Limits.Temp(), more)
}

// covering are the options of an empty read-only file system. It belongs to
// the box's user, for git warns about directories that belong to root.
func covering(u sandbox.User) string {
	return fmt.Sprintf("ro,noexec,nosuid,nodev,size=4096,mode=0755,uid=%d,gid=%d", u.UID, u.GID)
}
