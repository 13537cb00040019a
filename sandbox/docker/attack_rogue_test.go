package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/hashicorp/yamux"

	"github.com/glovebox-run/glovebox/sandbox"
)

// rogueAgent is an agent that somebody has taken over, and what becomes of a
// call to it.
type rogueAgent struct {
	name string
	kind string // in testdata/attacker
	// want is what may become of the call: "lost", "late" (stopped by its
	// time), "large" (cut), "fine", "refused" (the box never started).
	want string
	// call asks it something; nil runs a command.
	call func(context.Context, *sandbox.Box) error
	// It sends without end: raw as soon as it can, floods when it is asked.
	raw, floods bool
}

func rogueAgents() []rogueAgent {
	list := func(ctx context.Context, b *sandbox.Box) error {
		_, _, err := b.List(ctx, ".", 1, 100)
		return err
	}
	read := func(ctx context.Context, b *sandbox.Box) error {
		_, data, err := b.ReadFile(ctx, "file", 1<<20)
		if len(data) > 1<<20 {
			return errors.New("more than was asked for")
		}
		return err
	}
	return []rogueAgent{
		{name: "no greeting, words without end", kind: "babble", want: "refused"},
		{name: "words without end on standard error", kind: "chatter", want: "fine"},
		{name: "noise instead of frames", kind: "noise", want: "lost", raw: true},
		{name: "pings without end", kind: "pings", want: "lost", raw: true},
		{name: "thousands of streams", kind: "streams", want: "lost", raw: true},
		{name: "a frame of 4 GiB of the stream", kind: "long-frame", want: "lost", raw: true},
		{name: "a frame of 4 GiB of output", kind: "huge-frame", want: "lost", floods: true},
		{name: "output without end", kind: "endless", want: "lost", floods: true},
		{name: "less than it said", kind: "short", want: "lost"},
		{name: "a result that can't be", kind: "false-result", want: "lost"},
		{name: "a result of 8 MiB", kind: "huge-result", want: "lost"},
		{name: "a header of 100 MB", kind: "header", want: "lost late"},
		{name: "a redirect", kind: "redirect", want: "lost"},
		{name: "a byte now and then", kind: "slow", want: "late"},
		{name: "never an answer", kind: "silent", want: "late"},
		{name: "never reads", kind: "deaf", want: "late", call: writeMuch},
		{name: "a file without end", kind: "big-file", want: "large", call: read, floods: true},
		{name: "a listing that leaves the directory", kind: "lying-list", want: "lost", call: list},
		{name: "ends in the middle", kind: "dies", want: "lost"},
		{name: "does not end with its stream", kind: "immortal", want: "fine"},
	}
}

func runSomething(ctx context.Context, b *sandbox.Box) error {
	r, err := b.Run(ctx, sandbox.Command{Args: []string{"true"}, Timeout: time.Second, Head: 1 << 10, Tail: 1 << 10})
	if r.TimedOut {
		return context.DeadlineExceeded
	}
	return err
}

func writeMuch(ctx context.Context, b *sandbox.Box) error {
	r, err := b.Run(ctx, sandbox.Command{Args: []string{"true"}, Timeout: time.Second, Stdin: make([]byte, 16<<20)})
	if r.TimedOut {
		return context.DeadlineExceeded
	}
	return err
}

// heldMost is how much of what a rogue sends the host may hold, in bytes; the
// rest is the race detector's and other tests'.
const heldMost = 64 << 20

// rogues: whatever has become of the agent, the call fails or is stopped, its
// box is gone, and the host holds little of what was sent.
func (r *team) rogues(t *testing.T) {
	m := modes()[0]
	g := newGround(t, r.attackers, m.user)
	program, err := os.ReadFile(r.attackers.native)
	must(t, err)
	a := agentOf(append(program, word()...))
	engine := func(kind string) *Engine {
		e := engineWithout(t, r.e, []wall{{name: "agent", away: func(c *container.Config, _ *container.HostConfig) {
			c.Cmd = []string{"rogue", kind}
		}}})
		useAgent(t, e, a)
		return e
	}
	// This one brings the program to the engine.
	if got := (rogueAgent{kind: "plain"}).meet(t, engine("plain"), g.spec(r.image, m.user)); got != "fine" {
		t.Fatalf("an agent that is not rogue: %s", got)
	}
	late := r.meetLate(t, engine, func() sandbox.Spec { return g.spec(r.image, m.user) })
	for _, rogue := range rogueAgents() {
		t.Run(rogue.name, func(t *testing.T) {
			e, s := engine(rogue.kind), g.spec(r.image, m.user)
			got := late[rogue.kind]
			if got == "" {
				got = rogue.meet(t, e, s)
			}
			if !strings.Contains(rogue.want, got) {
				t.Errorf("got %q, want %q", got, rogue.want)
			}
			nothingLeft(t, r.e, s.Job)
			if harm := g.harmed(t, r.e); harm != nil {
				t.Errorf("the host is harmed: %s", strings.Join(harm, "; "))
			}
			row := attack{group: "rogue agent", name: rogue.name, walls: []wall{{name: "bounds of the host"}}, kept: "they are the host's own code, see TestHostileRun"}
			r.table.held(row, "owner", attempt{driven: got}, t.Failed())
			if (rogue.raw || rogue.floods) && fullProof() {
				r.table.fell(row, outcomeWins, rogue.reaches(t, e, g.spec(r.image, m.user)))
			}
		})
	}
}

// meetLate meets those that are waited for, all at once.
func (r *team) meetLate(t *testing.T, engine func(kind string) *Engine, spec func() sandbox.Spec) map[string]string {
	t.Helper()
	var meetings sync.WaitGroup
	var mu sync.Mutex
	became := map[string]string{}
	for _, rogue := range rogueAgents() {
		if rogue.want != "late" {
			continue
		}
		e, s := engine(rogue.kind), spec()
		meetings.Go(func() {
			got := rogue.meet(t, e, s)
			nothingLeft(t, r.e, s.Job)
			mu.Lock()
			defer mu.Unlock()
			became[rogue.kind] = got
		})
	}
	meetings.Wait()
	return became
}

// meet starts a box with the rogue and calls it.
func (a rogueAgent) meet(t *testing.T, e *Engine, s sandbox.Spec) string {
	t.Helper()
	before := inUse()
	b, err := sandbox.Open(context.Background(), e, s)
	if err != nil {
		t.Log(err)
		return "refused"
	}
	call := a.call
	if call == nil {
		call = runSomething
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = call(ctx, b)
	if after := inUse(); after > before+heldMost {
		t.Errorf("the host holds %d MiB more", (after-before)>>20)
	}
	lost := b.Lost()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	switch {
	case ctx.Err() != nil:
		return "the host was held up"
	case errors.Is(err, context.DeadlineExceeded):
		return "late"
	case errors.Is(err, sandbox.ErrTooLarge):
		return "large"
	case errors.Is(err, sandbox.ErrBoxLost):
		if len(err.Error()) > 4<<10 || strings.ContainsRune(err.Error(), '\033') {
			t.Errorf("the error carries what the box said: %.200q", err)
		}
		return "lost"
	case err == nil && lost == nil:
		return "fine"
	}
	return fmt.Sprint(err)
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// reaches says whether what a rogue sends gets to a host that does not guard
// itself: more than any bound of ours.
func (a rogueAgent) reaches(t *testing.T, e *Engine, s sandbox.Spec) string {
	t.Helper()
	c, err := e.Start(t.Context(), s)
	must(t, err)
	defer c.Close()
	in := io.Reader(c)
	if !a.raw {
		in = naive(t, c)
	}
	if n, err := io.CopyN(io.Discard, in, heldMost); err != nil {
		t.Errorf("a host without guard gets %d bytes, %v", n, err)
	}
	return fmt.Sprintf("%d MiB reach a host without guard", heldMost>>20)
}

// naive asks as a host would that takes what it gets.
func naive(t *testing.T, c sandbox.Conn) io.Reader {
	t.Helper()
	session, err := yamux.Client(c, nil)
	must(t, err)
	t.Cleanup(func() { session.Close() })
	stream, err := session.Open()
	must(t, err)
	request, err := http.NewRequest(http.MethodGet, "http://box/anything", nil)
	must(t, err)
	must(t, request.Write(stream))
	return stream
}
