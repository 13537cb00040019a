package docker

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/hashicorp/go-hclog"

	"github.com/docker/docker/client"
	"github.com/glovebox-run/glovebox/sandbox"
)

// BenchmarkIsolation prints what isolation costs, and what the alternatives
// cost in the same run, as a table (`make bench`). One pass is one table:
//
//	go test -run '^$' -bench Isolation -benchtime 1x ./sandbox/docker
//
// Figures of one kind are taken in turn, so that a machine whose speed drifts
// slows all of them; quote the ratios.
func BenchmarkIsolation(b *testing.B) {
	for b.Loop() {
		t := newTable(b)
		t.calls()
		t.thinking()
		t.starts()
		t.output()
		t.hundred()
		t.jobs("20 jobs, a call every 2 s each, scope session", 20, 2*time.Second, sandbox.ScopeSession)
		t.jobs("20 jobs, a call every 5 s each, scope call (4 boxes a second)", 20, 5*time.Second, sandbox.ScopeCall)
		t.print()
	}
}

// table gathers the rows.
type table struct {
	b      *testing.B
	e      *Engine
	docker *client.Client
	spec   sandbox.Spec
	rows   []row
}

// row is one line: a median and how it compares with another row.
type row struct {
	what   string
	median float64 // milliseconds, or MB/s
	unit   string
	spread string // smallest and largest
	than   string // what the ratio is to
	ratio  float64
	goal   string
}

func newTable(b *testing.B) *table {
	e := testEngine(b)
	e.log = hclog.NewNullLogger()
	t := &table{b: b, e: e, docker: e.api.(*client.Client), spec: testSpec(b, e)}
	t.spec.Limits = sandbox.DefaultLimits()
	openBox(b, e, t.spec).Close() // the agent's volume and the engine's check
	return t
}

// sample is the figures of one thing, in milliseconds or MB/s.
type sample []float64

func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

func (s sample) spread() string {
	return fmt.Sprintf("%.3g to %.3g", slices.Min(s), slices.Max(s))
}

func (s *sample) time(f func()) {
	began := time.Now()
	f()
	*s = append(*s, float64(time.Since(began).Microseconds())/1000)
}

// add adds a row; than and goal may be "".
func (t *table) add(what string, s sample, unit, than string, base sample, goal string) {
	r := row{what: what, median: s.median(), unit: unit, spread: s.spread(), than: than, goal: goal}
	if base != nil {
		r.ratio = r.median / base.median()
	}
	t.rows = append(t.rows, r)
}

func (t *table) must(err error) {
	if err != nil {
		t.b.Helper()
		t.b.Fatal(err)
	}
}

// isTrue runs /bin/true in a box.
func (t *table) isTrue(box *sandbox.Box) {
	r, err := box.Run(t.b.Context(), sandbox.Command{Args: []string{"/bin/true"}, Head: 100, Tail: 100, Timeout: time.Minute})
	t.must(err)
	if !r.Success() {
		t.b.Fatal(r)
	}
}

// calls compares a call in a box that runs with a process of the host and with docker exec.
func (t *table) calls() {
	pool := sandbox.NewPool(t.e, t.spec, sandbox.PoolOptions{Scope: sandbox.ScopeSession})
	defer func() { t.must(pool.Close(t.b.Context())) }()
	idle := t.container("none")
	defer t.remove(idle)
	var forks, session, viaAPI, viaCLI sample
	for range 50 {
		forks.time(func() { t.must(exec.Command("/bin/true").Run()) })
		session.time(func() {
			box, err := pool.Take(t.b.Context())
			t.must(err)
			t.isTrue(box)
			pool.Give(box)
		})
	}
	for range 10 {
		viaAPI.time(func() { t.execAPI(idle) })
		viaCLI.time(func() { t.must(exec.Command("docker", "exec", idle, "/bin/true").Run()) })
	}
	session = session[1:] // the first one starts the box
	t.add("fork+exec of true on the host", forks, "ms", "", nil, "")
	t.add("a call, scope session", session, "ms", "fork+exec", forks, "<= 3 ms, <= 4")
	t.add("docker exec through the API", viaAPI, "ms", "a call", session, "")
	t.add("docker exec, command line", viaCLI, "ms", "a call", session, "")
}

// container is one that runs and does nothing, for docker exec.
func (t *table) container(network string) string {
	r, err := t.docker.ContainerCreate(t.b.Context(), &container.Config{Image: t.spec.Image, Cmd: []string{"/bin/sleep", "1000"}},
		&container.HostConfig{NetworkMode: container.NetworkMode(network)}, nil, nil, "")
	t.must(err)
	t.must(t.docker.ContainerStart(t.b.Context(), r.ID, container.StartOptions{}))
	return r.ID
}

func (t *table) remove(id string) { t.must(remove(t.e.api, id)) }

func (t *table) execAPI(id string) {
	r, err := t.docker.ContainerExecCreate(t.b.Context(), id, container.ExecOptions{Cmd: []string{"/bin/true"}, AttachStdout: true})
	t.must(err)
	c, err := t.docker.ContainerExecAttach(t.b.Context(), r.ID, container.ExecAttachOptions{})
	t.must(err)
	defer c.Close()
	_, err = io.Copy(io.Discard, c.Reader)
	t.must(err)
}

// thinking is a new box for every call, the model thinking for a second in between.
func (t *table) thinking() {
	pool := sandbox.NewPool(t.e, t.spec, sandbox.PoolOptions{})
	defer func() { t.must(pool.Close(t.b.Context())) }()
	var calls sample
	for range 12 {
		pool.Ahead()
		time.Sleep(time.Second) // the model
		calls.time(func() {
			box, err := pool.Take(t.b.Context())
			t.must(err)
			t.isTrue(box)
			pool.Give(box)
		})
	}
	calls = calls[2:] // the first ones wait for the anchor, too
	t.add("a new box for a call, 1 s of thinking before", calls, "ms", "", nil, "<= 10 ms")
}

// starts compares a box from nothing with docker run.
func (t *table) starts() {
	anchor := openBox(t.b, t.e, t.spec)
	joined := t.spec
	joined.Network = anchor.ID()
	var cold, inNetwork, ends, api, cli, cliNone sample
	for range 8 {
		cold.time(func() { defer t.open(t.spec, &ends)() })
		inNetwork.time(func() { defer t.open(joined, &ends)() })
		api.time(t.runAPI)
		cli.time(func() { t.runCLI() })
		cliNone.time(func() { t.runCLI("--network", "none") })
	}
	t.add("docker run --rm true, command line", cli, "ms", "", nil, "")
	t.add("docker run --rm true, through the API", api, "ms", "command line", cli, "")
	t.add("docker run --rm --network none true, command line", cliNone, "ms", "docker run", cli, "")
	t.add("a cold box, true in it, and its end", cold, "ms", "docker run", cli, "<= 0.8")
	t.add("the same in the session's network", inNetwork, "ms", "docker run", cli, "")
	t.add("of it the end, which nobody waits for", ends, "ms", "docker run", cli, "")
}

// open starts a box and runs true in it; the function returned ends it.
func (t *table) open(s sandbox.Spec, ends *sample) (end func()) {
	box, err := sandbox.Open(t.b.Context(), t.e, s)
	t.must(err)
	t.isTrue(box)
	return func() { ends.time(func() { t.must(box.Close()) }) }
}

func (t *table) runAPI() {
	ctx := t.b.Context()
	r, err := t.docker.ContainerCreate(ctx, &container.Config{Image: t.spec.Image, Cmd: []string{"/bin/true"}},
		&container.HostConfig{AutoRemove: true}, nil, nil, "")
	t.must(err)
	gone, failed := t.docker.ContainerWait(ctx, r.ID, container.WaitConditionRemoved)
	t.must(t.docker.ContainerStart(ctx, r.ID, container.StartOptions{}))
	select {
	case <-gone:
	case err := <-failed:
		t.must(err)
	}
}

func (t *table) runCLI(flags ...string) {
	args := append(append([]string{"run", "--rm"}, flags...), t.spec.Image, "/bin/true")
	if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
		t.b.Fatalf("docker run: %v: %s", err, out)
	}
}

// output compares what comes out of a box with a container's raw attached
// stream. Of 64 MiB a call keeps the two ends, and only they cross.
func (t *table) output() {
	box := openBox(t.b, t.e, t.spec)
	for _, size := range []int{1 << 20, 64 << 20} {
		var ours, crossing, raw sample
		crossed := min(size, 2*keptOutput)
		for range 5 {
			took := t.boxOutput(box, size)
			ours, crossing = append(ours, rate(size, took)), append(crossing, rate(crossed, took))
			raw = append(raw, rate(size, t.rawOutput(size)))
		}
		name := fmt.Sprintf("%d MiB of output", size>>20)
		t.add(name+", raw attached stream", raw, "MB/s", "", nil, "")
		t.add(name+" of a call", ours, "MB/s", "raw stream", raw, ">= 0.5")
		if crossed < size {
			t.add(fmt.Sprintf("of it the %d MiB that cross", crossed>>20), crossing, "MB/s", "raw stream", raw, "")
		}
	}
}

// rate is in MB/s.
func rate(size int, took time.Duration) float64 { return float64(size) / 1e6 / took.Seconds() }

// keptOutput is how much a call can keep of each end of its output.
const keptOutput = 16 << 20

// boxOutput takes all of 1 MiB; of 64 MiB the two ends that a call can keep,
// the rest is counted in the box.
func (t *table) boxOutput(box *sandbox.Box, size int) time.Duration {
	began := time.Now()
	r, err := box.Run(t.b.Context(), sandbox.Command{Args: []string{"/bin/head", "-c", strconv.Itoa(size), "/dev/zero"},
		Head: keptOutput, Tail: keptOutput, Timeout: time.Minute})
	t.must(err)
	took := time.Since(began)
	if got := len(r.Head) + len(r.Tail) + int(r.Elided); got != size || !r.Success() {
		t.b.Fatalf("%d bytes of %d came: %s", got, size, r.Signal)
	}
	return took
}

// rawOutput takes all of it from a container that runs already: it says so, and
// waits for a line, so that its start is not counted.
func (t *table) rawOutput(size int) time.Duration {
	ctx := t.b.Context()
	script := fmt.Sprintf("echo; read go; exec head -c %d /dev/zero", size)
	r, err := t.docker.ContainerCreate(ctx, &container.Config{Image: t.spec.Image, Cmd: []string{"/bin/sh", "-c", script},
		OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true}, &container.HostConfig{
		NetworkMode: "none", LogConfig: container.LogConfig{Type: "none"}}, nil, nil, "")
	t.must(err)
	defer t.remove(r.ID)
	c, err := t.docker.ContainerAttach(ctx, r.ID, container.AttachOptions{Stream: true, Stdin: true, Stdout: true})
	t.must(err)
	defer c.Close()
	t.must(t.docker.ContainerStart(ctx, r.ID, container.StartOptions{}))
	_, err = io.ReadFull(c.Reader, make([]byte, headerSize+len("\n")))
	t.must(err)
	began := time.Now()
	_, err = io.WriteString(c.Conn, "go\n")
	t.must(err)
	n, err := stdcopy.StdCopy(io.Discard, io.Discard, c.Reader)
	t.must(err)
	if n != int64(size) {
		t.b.Fatalf("%d bytes of %d came", n, size)
	}
	return time.Since(began)
}

// hundred is a hundred boxes one after the other, nobody thinking.
func (t *table) hundred() {
	pool := sandbox.NewPool(t.e, t.spec, sandbox.PoolOptions{})
	var each sample
	for range 100 {
		each.time(func() {
			box, err := pool.Take(t.b.Context())
			t.must(err)
			t.isTrue(box)
			pool.Give(box)
		})
	}
	t.must(pool.Close(t.b.Context()))
	t.add("100 boxes one after the other, each", each, "ms", "", nil, "")
}

// jobs is the time of a call while so many jobs work at once.
func (t *table) jobs(what string, n int, pause time.Duration, scope sandbox.Scope) {
	const each = 6
	starts := sandbox.NewStarts(0)
	var mu sync.Mutex
	var calls sample
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			pool := sandbox.NewPool(t.e, t.spec, sandbox.PoolOptions{Scope: scope, Starts: starts})
			defer func() {
				if err := pool.Close(t.b.Context()); err != nil {
					t.b.Error(err)
				}
			}()
			tick := time.NewTicker(pause)
			defer tick.Stop()
			time.Sleep(pause * time.Duration(i) / time.Duration(n)) // not all at the same moment
			for turn := range each {
				pool.Ahead()
				<-tick.C
				var s sample
				s.time(func() {
					box, err := pool.Take(t.b.Context())
					if err != nil {
						t.b.Error(err)
						return
					}
					defer pool.Give(box)
					if r, err := box.Run(t.b.Context(), shell("true")); err != nil || !r.Success() {
						t.b.Error(r, err)
					}
				})
				if turn > 0 { // the first waits for the session's start
					mu.Lock()
					calls = append(calls, s...)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	t.add(what, calls, "ms", "", nil, "")
}

func (t *table) print() {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmedian\t\tspread\tratio\tto\tgoal")
	for _, r := range t.rows {
		ratio := ""
		if r.than != "" {
			ratio = fmt.Sprintf("%.2f", r.ratio)
		}
		fmt.Fprintf(w, "%s\t%.4g\t%s\t%s\t%s\t%s\t%s\n", r.what, r.median, r.unit, r.spread, ratio, r.than, r.goal)
	}
	w.Flush()
	fmt.Fprintln(os.Stdout, "\n"+out.String())
}
