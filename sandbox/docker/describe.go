package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/glovebox-run/glovebox/sandbox"
)

var _ sandbox.Describer = (*Engine)(nil)

// Describe says how a box of s is held, see [sandbox.Describer].
func (e *Engine) Describe(ctx context.Context, s sandbox.Spec) (sandbox.Walls, error) {
	f, err := e.ready(ctx)
	if err != nil {
		return sandbox.Walls{}, err
	}
	img, err := e.imageFacts(ctx, s.Image)
	if err != nil {
		return sandbox.Walls{}, fmt.Errorf("describe box: %w", err)
	}
	c, h, err := containerFor(s, img, circumstances{Agent: "glovebox-agent", CPUs: f.CPUs, Runtime: e.runtime, Rootless: f.Rootless})
	if err != nil {
		return sandbox.Walls{}, fmt.Errorf("describe box: %w", err)
	}
	return sandbox.Walls{
		Engine:  "Docker " + f.Version + " at " + f.Host,
		System:  f.System + ", cgroup v" + f.Cgroup,
		Runtime: cmp.Or(e.runtime, f.Runtime),
		Kernel:  cmp.Or(f.BoxKernel, f.Kernel),
		Flags:   flags(c, h),
	}, nil
}

// flags is a container's configuration in the words of `docker run`, without
// what only the two ends of the stream need.
func flags(c *container.Config, h *container.HostConfig) []string {
	var out []string
	add := func(name string, values ...string) {
		for _, v := range values {
			out = append(out, "--"+name+"="+v)
		}
	}
	add("network", string(h.NetworkMode))
	add("dns", h.DNS...)
	add("dns-search", h.DNSSearch...)
	add("user", c.User)
	add("cap-drop", h.CapDrop...)
	add("cap-add", h.CapAdd...)
	for _, option := range h.SecurityOpt {
		if name, profile, found := strings.Cut(option, "seccomp="); found && name == "" {
			option = fmt.Sprintf("seccomp=glovebox.json (sha256 %.12x)", sha256.Sum256([]byte(profile)))
		}
		add("security-opt", option)
	}
	add("privileged", fmt.Sprint(h.Privileged))
	add("read-only", fmt.Sprint(h.ReadonlyRootfs))
	add("ipc", string(h.IpcMode))
	add("cgroupns", string(h.CgroupnsMode))
	out = append(out, resourceFlags(h)...)
	for _, place := range slices.Sorted(maps.Keys(h.Tmpfs)) {
		add("tmpfs", place+":"+h.Tmpfs[place])
	}
	for _, m := range h.Mounts {
		add("mount", mountFlag(m))
	}
	if h.Runtime != "" {
		add("runtime", h.Runtime)
	}
	add("entrypoint", c.Entrypoint...)
	add("log-driver", h.LogConfig.Type)
	add("rm", fmt.Sprint(h.AutoRemove))
	return out
}

func resourceFlags(h *container.HostConfig) []string {
	out := []string{
		fmt.Sprintf("--memory=%d", h.Memory), fmt.Sprintf("--memory-swap=%d", h.MemorySwap),
		fmt.Sprintf("--cpus=%g", float64(h.NanoCPUs)/1e9),
		fmt.Sprintf("--shm-size=%d", h.ShmSize), fmt.Sprintf("--oom-score-adj=%d", h.OomScoreAdj),
	}
	if h.PidsLimit != nil {
		out = append(out, fmt.Sprintf("--pids-limit=%d", *h.PidsLimit))
	}
	for _, u := range h.Ulimits {
		out = append(out, "--ulimit="+u.String())
	}
	return out
}

func mountFlag(m mount.Mount) string {
	text := fmt.Sprintf("type=%s,source=%s,target=%s", m.Type, m.Source, m.Target)
	if m.ReadOnly {
		text += ",readonly"
	}
	return text
}
