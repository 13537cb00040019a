package docker

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	units "github.com/docker/go-units"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// room is the limits of the boxes that are let run into them, and what they
// take of each: an amount that they must get, and one that they must not. All
// are little, so that they soon do.
type room struct {
	memory, fewBytes, manyBytes int64
	pids, fewPIDs, manyPIDs     int64
	cpus                        float64
}

// roomFor leaves more room where a runtime may bring its own kernel, which
// counts too: gVisor's has 90 threads and 40 MiB, for each process of the box
// several threads and 4 MiB more, and needs 2 s of a processor to start.
func roomFor(runtime string) room {
	if runtime == "runc" {
		return room{96 << 20, 8 << 20, 128 << 20, 64, 16, 80, 0.125}
	}
	return room{256 << 20, 8 << 20, 320 << 20, 512, 16, 640, 0.5}
}

// probeTime bounds one thing that the box does; it takes a fraction of a second.
const probeTime = time.Minute

// probed makes sure that the limits of boxes bite on this engine and runtime,
// and returns the kernel that boxes see. Engines drop a limit silently, and a
// runtime may be told to ignore them all. A probe that passed is remembered,
// which is only ever a reason to skip the next.
func (e *Engine) probed(ctx context.Context, f Facts) (kernel string, err error) {
	agent, err := e.agentFor(f.Arch)
	if err != nil {
		return "", err
	}
	s := subjectOf(f, e.runtime, agent.Build)
	if kernel := remembered(e.cacheDir, s); kernel != "" {
		return kernel, nil
	}
	begun := time.Now()
	kernel, err = e.probe(ctx, f)
	if err != nil {
		return "", err
	}
	e.log.Debug("the limits of boxes bite", "runtime", s.Runtime, "kernel", kernel, "took", time.Since(begun))
	if err := remember(e.cacheDir, s, kernel); err != nil {
		e.log.Warn("could not remember that the limits of boxes bite", "error", err)
	}
	return kernel, nil
}

// probe lets boxes run into each of their limits: one into that of processors,
// which is tight and would hold up the rest, and one into all others.
func (e *Engine) probe(ctx context.Context, f Facts) (kernel string, err error) {
	image, err := e.probeImage(ctx)
	if err != nil {
		return "", err
	}
	slow, other := e.newProber(image, f), e.newProber(image, f)
	slow.spec.Limits.CPUs = slow.room.cpus
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var both sync.WaitGroup
	run := func(p *prober, tries ...func(context.Context) error) {
		for _, try := range tries {
			if err := try(ctx); err != nil {
				cancel(err)
				break
			}
		}
		if err := p.close(); err != nil {
			cancel(err)
		}
	}
	both.Go(func() { run(slow, slow.cpu) })
	both.Go(func() { run(other, other.kernel, other.pids, other.memory) })
	both.Wait()
	return other.seen, context.Cause(ctx)
}

func (e *Engine) newProber(image string, f Facts) *prober {
	r := roomFor(cmp.Or(e.runtime, f.Runtime))
	return &prober{engine: e, facts: f, seen: f.Kernel, room: r, spec: sandbox.Spec{
		Image: image, User: sandbox.User{UID: 65534, GID: 65534}, Job: "probe",
		Limits: sandbox.Limits{Memory: r.memory, CPUs: 2, PIDs: r.pids, Disk: 4 << 20, Timeout: probeTime},
	}}
}

// prober has a box at a time; one that a limit ended is replaced.
type prober struct {
	engine *Engine
	facts  Facts
	room   room
	spec   sandbox.Spec
	box    *sandbox.Box
	seen   string // the kernel that answers in the box; the engine's until another was seen
}

// Start makes the prober the engine of its own box: the check of the real one
// is what is going on.
func (p *prober) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	return p.engine.startOn(ctx, s, p.facts)
}

func (p *prober) close() error {
	if p.box == nil {
		return nil
	}
	b := p.box
	p.box = nil
	return b.Close()
}

func (p *prober) open(ctx context.Context) (err error) {
	if p.box == nil {
		p.box, err = sandbox.Open(ctx, p, p.spec)
	}
	return err
}

// take lets the box take an amount of something. ended says that the kernel
// ended whoever took it: the command, or with a runtime's own kernel, which is
// one process to the host, the whole box.
func (p *prober) take(ctx context.Context, what string, amount int64) (found wire.Probe, ended bool, err error) {
	if err := p.open(ctx); err != nil {
		return found, false, err
	}
	r, err := p.box.Run(ctx, sandbox.Command{
		Args: []string{agentFile, "-probe", what, "-amount", strconv.FormatInt(amount, 10)}, Dir: "/", Head: 4 << 10,
	})
	if ctx.Err() != nil {
		return found, false, ctx.Err()
	}
	if errors.Is(err, sandbox.ErrBoxLost) && p.ownKernel() {
		return found, true, p.close()
	}
	if err != nil {
		return found, false, err
	}
	if r.Signal == "SIGKILL" && !r.TimedOut {
		return found, true, nil
	}
	if !r.Success() || json.Unmarshal(r.Head, &found) != nil {
		return found, false, fmt.Errorf("probe %s of box %s: exit code %d %s: %s", what, p.box.ID(), r.ExitCode, r.Signal, wire.Printable(r.Output(), 300))
	}
	return found, false, nil
}

// ownKernel says that the box does not see the engine's kernel.
func (p *prober) ownKernel() bool { return p.seen != p.facts.Kernel }

// kernel finds out which kernel answers in the box. If it is the engine's, our
// filter has to stand before it; a kernel of the runtime's own is a wall by
// itself, and such runtimes leave the filter out.
func (p *prober) kernel(ctx context.Context) error {
	found, _, err := p.take(ctx, wire.ProbeKernel, 0)
	if err != nil {
		return err
	}
	p.seen = wire.Printable(found.Kernel, 100)
	if p.seen == "" {
		return errors.New("probe the kernel of a box: it has no name")
	}
	if !p.ownKernel() && !found.Filtered {
		return &sandbox.WallError{Wall: "system call filter", Why: "a system call that it denies went through in a box"}
	}
	return nil
}

// busyTimes are how long a box asks for more processors than it may have. One
// time is enough, unless the machine is so busy that it gets even less.
func busyTimes() []time.Duration {
	return []time.Duration{400 * time.Millisecond, time.Second, 3 * time.Second, 9 * time.Second}
}

// cpu asks the engine, outside of the box, how much the box got and whether
// the kernel held it up for its limit. On a busy machine every box gets
// little, so that alone proves nothing.
func (p *prober) cpu(ctx context.Context) error {
	for _, busy := range busyTimes() {
		before, err := p.usage(ctx)
		if err != nil {
			return err
		}
		if _, ended, err := p.take(ctx, wire.ProbeCPU, busy.Milliseconds()); err != nil {
			return err
		} else if ended {
			return errors.New("probe the processors of a box: it was ended")
		}
		after, err := p.usage(ctx)
		if err != nil {
			return err
		}
		if bites, err := judgeCPU(p.room.cpus, before, after); bites || err != nil {
			return err
		}
	}
	return &sandbox.WallError{Wall: "cpu limit", Why: "it can't be seen to bite: the kernel never holds a box up for it, or the machine is too busy"}
}

// usage is time on processors at a time, and how often the kernel has held the
// box up until then because its share of a period was used up.
type usage struct {
	read time.Time
	used time.Duration
	held uint64
}

// maxStats bounds what the engine says about a container, in bytes.
const maxStats = 1 << 20

func (p *prober) usage(ctx context.Context) (usage, error) {
	if err := p.open(ctx); err != nil {
		return usage{}, err
	}
	r, err := p.engine.api.ContainerStatsOneShot(ctx, p.box.ID())
	if err != nil {
		return usage{}, fmt.Errorf("ask what box %s uses: %w", p.box.ID(), err)
	}
	defer r.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(io.LimitReader(r.Body, maxStats)).Decode(&s); err != nil {
		return usage{}, fmt.Errorf("ask what box %s uses: %w", p.box.ID(), err)
	}
	return usage{s.Read, time.Duration(s.CPUStats.CPUUsage.TotalUsage), s.CPUStats.ThrottlingData.ThrottledPeriods}, nil
}

// judgeCPU says whether a limit of processors has been seen to bite; a box that
// got twice as much or more has none.
func judgeCPU(limit float64, before, after usage) (bites bool, err error) {
	wall, used := after.read.Sub(before.read), after.used-before.used
	if wall <= 0 || used <= 0 {
		return false, &sandbox.WallError{Wall: "cpu limit", Why: "the engine does not count a box's time on processors"}
	}
	if got := used.Seconds() / wall.Seconds(); got > 2*limit {
		return false, &sandbox.WallError{Wall: "cpu limit", Why: fmt.Sprintf("it does not bite: a box with %v processors got %.2f", limit, got)}
	}
	return after.held > before.held, nil
}

func (p *prober) pids(ctx context.Context) error {
	few, ended, err := p.take(ctx, wire.ProbePIDs, p.room.fewPIDs)
	if err != nil {
		return err
	}
	if ended || few.Forked < p.room.fewPIDs {
		return &sandbox.WallError{Wall: "pids limit", Why: fmt.Sprintf("a box that may have %d processes could not make %d", p.room.pids, p.room.fewPIDs)}
	}
	many, ended, err := p.take(ctx, wire.ProbePIDs, p.room.manyPIDs)
	if err != nil {
		return err
	}
	if !ended && many.Forked > p.room.pids {
		return &sandbox.WallError{Wall: "pids limit", Why: fmt.Sprintf("it does not bite: a box that may have %d processes made %d", p.room.pids, many.Forked)}
	}
	return nil
}

func (p *prober) memory(ctx context.Context) error {
	few, ended, err := p.take(ctx, wire.ProbeMemory, p.room.fewBytes)
	if err != nil {
		return err
	}
	if ended || few.Touched != p.room.fewBytes {
		return &sandbox.WallError{Wall: "memory limit", Why: fmt.Sprintf("a box with %s could not use %s", inBytes(p.room.memory), inBytes(p.room.fewBytes))}
	}
	many, ended, err := p.take(ctx, wire.ProbeMemory, p.room.manyBytes)
	if err != nil || ended {
		return err
	}
	return tooMuchMemory(p.room, many)
}

// tooMuchMemory says which wall is missing where a box could use more memory
// than it may have: with room in swap the limit of memory itself may well bite.
func tooMuchMemory(r room, many wire.Probe) error {
	if many.Swapped > 0 {
		return &sandbox.WallError{Wall: "swap limit", Why: fmt.Sprintf("it does not bite: a box that may have no swap has %s in it", inBytes(many.Swapped))}
	}
	return &sandbox.WallError{Wall: "memory limit", Why: fmt.Sprintf("it does not bite: a box with %s used %s", inBytes(r.memory), inBytes(r.manyBytes))}
}

func inBytes(n int64) string { return units.BytesSize(float64(n)) }

// probeTag names an image without anything in it: the agent is all that runs
// there, so that an engine can be checked before it has any image of ours.
const probeTag = "glovebox-probe:1"

func (e *Engine) probeImage(ctx context.Context) (string, error) {
	i, err := e.Find(ctx, probeTag)
	if err == nil {
		return i.ID, nil
	}
	if !errors.Is(err, images.ErrNotFound) {
		return "", err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o755}); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return e.Import(ctx, images.Import{Tag: probeTag, RootFS: &b}, io.Discard)
}
