package sandbox

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// gauge is a meter whose numbers a test sets.
type gauge struct {
	mu    sync.Mutex
	space Space
	usage Usage
	err   error
	looks int // at the files
}

func (g *gauge) Space(context.Context) (Space, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.space, g.err
}

func (g *gauge) Usage(context.Context, Rank) (Usage, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looks++
	return g.usage, g.err
}

// write adds to the files and to the file system, hidden to the file system only.
func (g *gauge) write(bytes, hidden int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.usage.Bytes += bytes
	g.space.Used += bytes + hidden
	g.space.Free -= bytes + hidden
}

const gib = 1 << 30

// newGauge is a disk of 100 GiB of which 40 are free, with 1 in the workspace.
func newGauge() *gauge {
	return &gauge{space: Space{Size: 100 * gib, Used: 60 * gib, Free: 40 * gib, Files: 6_000_000, UsedFiles: 1_000_000, FreeFiles: 5_000_000},
		usage: Usage{Bytes: gib, Files: 1000}}
}

// started is a Disk with the default quota of 4 GiB that has looked once, as
// when a call begins.
func started(t *testing.T, g *gauge) *Disk {
	t.Helper()
	d := NewDisk(DefaultLimits(), g)
	if full, err := d.Start(t.Context()); full != nil || err != nil {
		t.Fatalf("at the start: %v, %v", full, err)
	}
	d.base = look{space: g.space, usage: g.usage, at: time.Now()}
	return d
}

// seen is what the disk's next look finds.
func seen(t *testing.T, d *Disk) Limit {
	t.Helper()
	full, err := d.look(t.Context(), d.meter, true)
	if err != nil {
		t.Fatal(err)
	}
	if full == nil {
		return ""
	}
	return full.Limit
}

// Every limit of the disk, and growth that crosses none.
func TestDiskLimits(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*gauge)
		want Limit
	}{
		"nothing":                     {func(g *gauge) {}, ""},
		"just below":                  {func(g *gauge) { g.write(3*gib, 0) }, ""},
		"above":                       {func(g *gauge) { g.write(3*gib+4096, 0) }, LimitDisk},
		"files":                       {func(g *gauge) { g.usage.Files += 1 << 20; g.space.UsedFiles += 1 << 20; g.space.FreeFiles -= 1 << 20 }, LimitFiles},
		"others write":                {func(g *gauge) { g.write(0, 3*gib) }, ""},
		"more than the quota, unseen": {func(g *gauge) { g.write(0, 4*gib+1) }, LimitUnseen},
		"files, unseen":               {func(g *gauge) { g.space.UsedFiles += 1<<20 + 1 }, LimitUnseen},
		"half of it seen":             {func(g *gauge) { g.write(2*gib, 4*gib) }, ""},
		"others delete meanwhile":     {func(g *gauge) { g.write(3*gib+4096, -10*gib) }, LimitDisk},
		"the floor":                   {func(g *gauge) { g.space.Free = gib - 1 }, LimitFloor},
		"the floor of files":          {func(g *gauge) { g.space.FreeFiles = floorMostFiles - 1 }, LimitFloor},
		"a file system without files": {func(g *gauge) { g.space.Files, g.space.UsedFiles, g.space.FreeFiles = 0, 0, 0 }, ""},
		"a small one, a tenth free": {func(g *gauge) {
			g.space = Space{Size: 2 * gib, Used: 60 * gib, Free: gib / 4, Files: 1000, UsedFiles: 1_000_000, FreeFiles: 100}
		}, ""},
		"a small one, less free": {func(g *gauge) {
			g.space = Space{Size: 2 * gib, Used: 60 * gib, Free: gib / 10, Files: 1000, UsedFiles: 1_000_000, FreeFiles: 100}
		}, LimitFloor},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGauge()
			d := started(t, g)
			c.do(g)
			if got := seen(t, d); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The files are looked at when it may matter, not at every move of a disk that
// others use too.
func TestDiskLooksWhenItMoved(t *testing.T) {
	g := newGauge()
	d := started(t, g)
	for range 100 {
		g.write(0, 1<<20)
		seen(t, d)
	}
	if g.looks > 1 {
		t.Errorf("%d looks for 100 MiB of others", g.looks)
	}
	d.last.took = 0 // however slow this machine is
	g.write(0, 2*gib)
	seen(t, d)
	if g.looks != 2 {
		t.Errorf("%d looks after 2 GiB", g.looks)
	}
	d.last.at = d.last.at.Add(-time.Minute)
	g.write(0, 1)
	seen(t, d)
	if g.looks != 3 {
		t.Errorf("%d looks after a minute in which little moved", g.looks)
	}
}

// Where there is too much, nothing may be added, all may be deleted, and what
// was deleted can't come back above the quota.
func TestDiskExcess(t *testing.T) {
	g := newGauge()
	d := started(t, g)
	g.write(5*gib, 0)
	if got := seen(t, d); got != LimitDisk {
		t.Fatalf("6 of 4 GiB: %q", got)
	}
	d.finish(g, &fate{ready: make(chan struct{}), full: &Full{Limit: LimitDisk}})
	steps := []struct {
		bytes int64
		want  Limit
	}{{slack / 2, ""}, {slack, LimitDisk}, {-slack, ""}, {-gib, ""}, {gib / 2, LimitDisk}, {-2 * gib, ""}, {gib / 4, ""}, {gib, LimitDisk}}
	for i, step := range steps {
		g.write(step.bytes, 0)
		d.last.at = d.last.at.Add(-time.Minute) // whatever moved is looked at
		if got := seen(t, d); got != step.want {
			t.Errorf("step %d, %+d bytes, now %d: got %q, want %q", i, step.bytes, g.usage.Bytes, got, step.want)
		}
	}
}

// Below the floor the same holds for what is left, down to half of the floor.
func TestDiskBelowTheFloor(t *testing.T) {
	g := newGauge()
	d := started(t, g)
	g.space.Free = 900 << 20
	if got := seen(t, d); got != LimitFloor {
		t.Fatalf("got %q", got)
	}
	full := &Full{Limit: LimitFloor, Most: gib}
	d.finish(g, &fate{ready: make(chan struct{}), full: full})
	if full.Hopeless {
		t.Error("hopeless with most of the floor left")
	}
	for i, step := range []struct {
		free int64
		want Limit
	}{{899 << 20, ""}, {800 << 20, LimitFloor}, {950 << 20, ""}, {900 << 20, LimitFloor}, {2 * gib, ""}, {1000 << 20, LimitFloor}} {
		g.space.Free = step.free
		if got := seen(t, d); got != step.want {
			t.Errorf("step %d, %d MiB free: got %q, want %q", i, step.free>>20, got, step.want)
		}
	}
	g.space.Free = 400 << 20
	d.finish(g, &fate{ready: make(chan struct{}), full: full})
	if !full.Hopeless {
		t.Error("hope below half of the floor")
	}
}

// A directory that a box closed hides what is in it. Then the growth since it
// was open counts, over all calls.
func TestDiskWithAClosedDirectory(t *testing.T) {
	g := newGauge()
	d := started(t, g)
	d.stop = func() {} // no watch: the test looks itself
	b := openHostile(t, func(c net.Conn) { c.Read(make([]byte, 1)) })
	for call := range 5 {
		d.begin(b)
		g.usage.Unread = 1
		g.write(0, gib+1<<20)
		d.last.at = d.last.at.Add(-time.Minute)
		got := seen(t, d)
		if want := Limit(""); call == 3 {
			want = LimitUnseen
			if got != want {
				t.Errorf("call %d: got %q", call, got)
			}
			break
		}
		if got != "" {
			t.Errorf("call %d: got %q", call, got)
		}
		d.mu.Lock()
		d.boxes[b]--
		d.mu.Unlock()
	}
	d.forget(b)
}

// At the start of a job what is crossed already is told, with what takes most.
func TestDiskAtTheStart(t *testing.T) {
	g := newGauge()
	g.usage = Usage{Bytes: 5 * gib, Files: 10, Largest: []Item{{Path: "/workspace/big", Bytes: 5 * gib}}}
	d := NewDisk(DefaultLimits(), g)
	full, err := d.Start(t.Context())
	if err != nil || full == nil || full.Limit != LimitDisk || len(full.Usage.Largest) != 1 || full.Hopeless {
		t.Errorf("5 of 4 GiB: %+v, %v", full, err)
	}
	if got := seen(t, d); got != "" {
		t.Errorf("as it was at the start: %q", got)
	}
	g.usage.Bytes = 9 * gib
	if full, err := NewDisk(DefaultLimits(), g).Start(t.Context()); err != nil || full == nil || !full.Hopeless {
		t.Errorf("9 of 4 GiB: %+v, %v", full, err)
	}
}

// A guard that can't see says no: boxes whose disk can't be watched are ended.
func TestDiskThatCantBeWatched(t *testing.T) {
	g := newGauge()
	d := started(t, g)
	g.err = errors.New("input/output error")
	b := openHostile(t, func(c net.Conn) { c.Read(make([]byte, 1)) })
	b.disk = d
	_, err := b.Run(t.Context(), Command{Args: []string{"true"}})
	if !errors.Is(err, ErrBoxLost) || !errors.Is(err, g.err) {
		t.Errorf("got %v", err)
	}
	wantDestroyed(t, b)
}
