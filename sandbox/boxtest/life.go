//go:build linux

package boxtest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// lifeContract is about how boxes begin and end.
func lifeContract() map[string]func(*testing.T, contract) {
	return map[string]func(*testing.T, contract){
		"timeout":            timeout,
		"timeout, parallel":  timeoutParallel,
		"cancel":             cancel,
		"cancelled before":   cancelledBefore,
		"close ends a call":  closeEndsCall,
		"close twice":        closeTwice,
		"concurrent start":   concurrentStart,
		"cancelled start":    cancelledStart,
		"start outlives ctx": startOutlivesContext,
		"boxes are separate": separate,
	}
}

// timeout: a command whose time is over is stopped with all that it started,
// and what it had written is the clue to why it hung.
func timeout(t *testing.T, c contract) {
	b := c.open(t)
	// Something that the death of the box can be seen by, outside of it.
	cmd := shell("trap '' TERM; sleep 1000 & echo begun; printf 'the middle is left out'; echo end; wait")
	cmd.Timeout, cmd.Head, cmd.Tail = 500*time.Millisecond, 6, 4
	began := time.Now()
	r := run(t, b, cmd)
	took := time.Since(began)
	equal(t, "timed out", r.TimedOut, true)
	equal(t, "success", r.Success(), false)
	equal(t, "head", string(r.Head), "begun\n")
	equal(t, "tail", string(r.Tail), "end\n")
	equal(t, "elided", r.Elided, 22)
	if took < cmd.Timeout || took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	mustNotRun(t, b)
}

// timeoutParallel: the others of a box that is stopped must not be told as if
// they had failed by themselves.
func timeoutParallel(t *testing.T, c contract) {
	b := c.open(t)
	var all sync.WaitGroup
	all.Go(func() {
		_, err := b.Run(context.Background(), shell("sleep 1000"))
		wantLost(t, err)
	})
	cmd := shell("sleep 1000")
	cmd.Timeout = 300 * time.Millisecond
	equal(t, "timed out", run(t, b, cmd).TimedOut, true)
	all.Wait()
}

func cancel(t *testing.T, c contract) {
	b := c.open(t)
	ctx, stop := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer stop()
	began := time.Now()
	r, err := b.Run(ctx, shell("echo begun; sleep 1000"))
	is(t, "run", err, context.DeadlineExceeded)
	wantLost(t, err)
	equal(t, "success", r.Success() && r.Duration > 0, false)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	mustNotRun(t, b)
}

func cancelledBefore(t *testing.T, c contract) {
	b := c.open(t)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err := b.Run(ctx, shell("true"))
	is(t, "run", err, context.Canceled)
	wantLost(t, err)
	mustNotRun(t, b)
}

func closeEndsCall(t *testing.T, c contract) {
	b := c.open(t)
	output(t, b, "mkfifo pipe")
	lost := make(chan error)
	go func() {
		_, err := b.Run(context.Background(), shell("echo > pipe; sleep 1000"))
		lost <- err
	}()
	output(t, b, "cat pipe") // the other command runs
	equal(t, "close", b.Close(), nil)
	wantLost(t, <-lost)
}

func closeTwice(t *testing.T, c contract) {
	b := c.open(t)
	equal(t, "lost before", b.Lost(), nil)
	equal(t, "close", b.Close(), nil)
	equal(t, "close again", b.Close(), nil)
	mustNotRun(t, b)
	_, _, err := b.ReadFile(context.Background(), "file", 1)
	wantLost(t, err)
	_, _, err = b.WriteFile(context.Background(), "file", nil)
	wantLost(t, err)
	_, _, err = b.List(context.Background(), ".", 1, 1)
	wantLost(t, err)
}

func concurrentStart(t *testing.T, c contract) {
	const boxes = 4
	var all sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for range boxes {
		all.Go(func() {
			b, err := sandbox.Open(context.Background(), c.engine, c.spec)
			if err != nil {
				t.Error(err)
				return
			}
			defer b.Close()
			if r, err := b.Run(context.Background(), shell("echo hello")); err != nil || r.Output() != "hello\n" {
				t.Errorf("%q, %v", r.Output(), err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[b.ID()] = true
		})
	}
	all.Wait()
	equal(t, "different ids", len(ids), boxes)
}

// cancelledStart: a start that nobody waits for leaves nothing. What it would
// leave, the engine's own tests look for; here it must return, and soon.
func cancelledStart(t *testing.T, c contract) {
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		ctx, stop := context.WithTimeout(context.Background(), after)
		conn, err := c.engine.Start(ctx, c.spec)
		stop()
		if err == nil {
			conn.Close() // it was faster
			continue
		}
		is(t, "start", err, context.DeadlineExceeded)
	}
	if live, ok := c.engine.(interface{ Live() int }); ok {
		equal(t, "boxes that are left", live.Live(), 0)
	}
	c.open(t) // and the engine still works
}

func startOutlivesContext(t *testing.T, c contract) {
	ctx, stop := context.WithCancel(context.Background())
	b, err := sandbox.Open(ctx, c.engine, c.spec)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	equal(t, "output", output(t, b, "echo hello"), "hello\n")
}

// separate: a process of one box is nothing to another; the end of one box is
// not the end of another.
func separate(t *testing.T, c contract) {
	one, two := c.open(t), c.open(t)
	r := run(t, one, shell("sleep 1000 &"))
	equal(t, "processes of one", len(r.Left), 1)
	equal(t, "processes of two", len(run(t, two, shell("true")).Left), 0)
	equal(t, "close", one.Close(), nil)
	equal(t, "two", strings.TrimSpace(output(t, two, "echo on")), "on")
}
