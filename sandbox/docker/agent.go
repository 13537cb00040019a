package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// startWithAgent starts a box with the agent from its volume. A volume that
// has proved good is taken as it is. One that has not may be half filled, by a
// process that was killed or one that is filling it right now: the first box
// asks its agent to hash itself, and when it is not the right one or does not
// come up, a new volume is filled and tried.
func (e *Engine) startWithAgent(ctx context.Context, s sandbox.Spec, img imageFacts, f Facts) (*conn, error) {
	if v := e.provenAgent(); v.name != "" {
		c, err := e.startFrom(ctx, s, img, f, v, false)
		if !errors.Is(err, errAgent) || !e.networkLives(ctx, s) {
			return c, err
		}
		// Perhaps the volume was removed meanwhile.
		e.log.Warn("a box did not come up; looking after the agent's volume", "volume", v.name, "error", err)
	}
	return e.startFirst(ctx, s, img, f)
}

// networkLives says whether the box whose network s joins still runs: without
// it no box comes up, however good the agent's volume is.
func (e *Engine) networkLives(ctx context.Context, s sandbox.Spec) bool {
	if s.Network == "" {
		return true
	}
	list, err := e.api.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("id", s.Network))})
	return err != nil || len(list) > 0
}

// agentVolume is a volume and the build of the agent that it is said to hold.
type agentVolume struct{ name, build string }

func (e *Engine) provenAgent() agentVolume {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.agent
}

// startFirst starts a box with a check of the agent, one at a time.
func (e *Engine) startFirst(ctx context.Context, s sandbox.Spec, img imageFacts, f Facts) (*conn, error) {
	before := e.provenAgent()
	leave, err := e.filling.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if now := e.provenAgent(); now != before { // another was first
		return e.startFrom(ctx, s, img, f, now, false)
	}
	agent, err := e.agentFor(f.Arch)
	if err != nil {
		return nil, err
	}
	last, err := e.lastVolume(ctx, agent.Build)
	if err != nil {
		return nil, err
	}
	if last > 0 {
		c, err := e.prove(ctx, s, img, f, agentVolume{volumeName(agent.Build, last), agent.Build})
		if !errors.Is(err, errAgent) {
			return c, err
		}
		e.log.Warn("the agent's volume is not good; filling another", "volume", volumeName(agent.Build, last), "error", err)
	}
	name, err := e.fill(ctx, s.Image, img, agent, last+1, f)
	if err != nil {
		return nil, fmt.Errorf("bring the agent to the engine: %w", err)
	}
	c, err := e.prove(ctx, s, img, f, agentVolume{name, agent.Build})
	if err != nil {
		// Something else is wrong: each further try would leave one more volume.
		e.drop(name)
	}
	return c, err
}

// prove starts a box whose agent has to hash itself, and remembers the volume
// if the hash is right.
func (e *Engine) prove(ctx context.Context, s sandbox.Spec, img imageFacts, f Facts, v agentVolume) (*conn, error) {
	c, err := e.startFrom(ctx, s, img, f, v, true)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.agent = v
	e.mu.Unlock()
	return c, nil
}

func (e *Engine) startFrom(ctx context.Context, s sandbox.Spec, img imageFacts, f Facts, v agentVolume, check bool) (*conn, error) {
	config, host, err := containerFor(s, img, circumstances{
		Agent: v.name, Build: v.build, CPUs: f.CPUs, Runtime: e.runtime, Owner: e.owner, Rootless: f.Rootless,
	})
	if err != nil {
		return nil, err
	}
	hello := wire.Hello{Build: v.build, Check: check}
	if f.ownKernel() {
		hello.Key = make([]byte, wire.KeySize)
		rand.Read(hello.Key) // never fails, see crypto/rand
	}
	return e.launch(ctx, plan{config: config, host: host, hello: hello, volumes: jobVolumes(s)}, f)
}

// volumeName names the n-th volume for a build of the agent.
func volumeName(build string, n int) string {
	return fmt.Sprintf("glovebox-agent-%.12s-%d", build, n)
}

// lastVolume is the highest n of our volumes for this build, 0 if there is none.
func (e *Engine) lastVolume(ctx context.Context, build string) (int, error) {
	r, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", Label+"="+kindAgent))})
	if err != nil {
		return 0, fmt.Errorf("list volumes: %w", err)
	}
	last := 0
	prefix := strings.TrimSuffix(volumeName(build, 0), "0")
	for _, v := range r.Volumes {
		if digits, ok := strings.CutPrefix(v.Name, prefix); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				last = max(last, n)
			}
		}
	}
	return last, nil
}

// rivals is how many other processes may be filling a volume at the same moment.
const rivals = 20

// fill makes the n-th volume of the agent's build, or the first after it that
// nobody else makes, and copies the agent into it. Each volume is filled by
// the process that made it and by no other.
func (e *Engine) fill(ctx context.Context, image string, img imageFacts, agent binary.Agent, n int, f Facts) (name string, err error) {
	mine := word()
	for end := n + rivals; n < end; n++ {
		v, err := e.api.VolumeCreate(ctx, volume.CreateOptions{
			Name:   volumeName(agent.Build, n),
			Labels: map[string]string{Label: kindAgent, labelBuild: agent.Build, labelFill: mine},
		})
		if err != nil {
			return "", fmt.Errorf("create volume: %w", err)
		}
		if v.Labels[labelFill] == mine {
			if err := e.copyAgent(ctx, fillPlan(image, img, v.Name, agentDir, e.owner), agent, f); err != nil {
				e.drop(v.Name)
				return "", err
			}
			return v.Name, nil
		}
	}
	return "", fmt.Errorf("%d volumes before %s belong to others", rivals, volumeName(agent.Build, n))
}

// drop removes a volume that was filled here and is of no use.
func (e *Engine) drop(volume string) {
	ctx, cancel := cleanup()
	defer cancel()
	if err := e.api.VolumeRemove(ctx, volume, false); err != nil {
		e.log.Warn("could not remove a volume", "volume", volume, "error", err)
	}
}

// fillPlan is a container that has a volume mounted at place and is never started.
func fillPlan(image string, img imageFacts, volume, place, owner string) plan {
	cover := map[string]string{} // or Docker fills volumes of the image's own
	for _, v := range img.Volumes {
		cover[v] = "ro,size=4096"
	}
	return plan{
		config: &container.Config{
			Image: image, Entrypoint: []string{agentFile}, Cmd: []string{}, User: "65534:65534", WorkingDir: "/",
			Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
			Labels:      map[string]string{Label: kindAgent, labelOwner: owner, labelTag: ""},
		},
		host: &container.HostConfig{
			NetworkMode: "none", CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			LogConfig: container.LogConfig{Type: "none"},
			Tmpfs:     cover,
			Mounts: []mount.Mount{{
				Type: mount.TypeVolume, Source: volume, Target: place,
				VolumeOptions: &mount.VolumeOptions{NoCopy: true},
			}},
		},
	}
}

// copyAgent fills a volume with the agent.
func (e *Engine) copyAgent(ctx context.Context, p plan, agent binary.Agent, f Facts) error {
	archive, err := archiveOf(agent)
	if err != nil {
		return err
	}
	return e.copyInto(ctx, p, agentDir, archive, f)
}

// copyInto unpacks an archive at place in a container of p, which has a volume
// mounted there or below.
func (e *Engine) copyInto(ctx context.Context, p plan, place string, archive io.Reader, f Facts) (err error) {
	id, err := e.create(ctx, p, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(e.api, id)) }()
	if err := e.api.CopyToContainer(ctx, id, place, archive, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("copy to container: %w", err)
	}
	return nil
}

// archiveOf is a tar archive with the agent's program, readable and executable for all.
func archiveOf(agent binary.Agent) (io.Reader, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h := &tar.Header{Name: agentFile[len(agentDir)+1:], Mode: 0o555, Size: agent.Size}
	if err := w.WriteHeader(h); err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, io.NewSectionReader(agent.Program, 0, agent.Size)); err != nil {
		return nil, err
	}
	return &b, w.Close()
}
