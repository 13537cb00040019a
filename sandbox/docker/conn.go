package docker

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	units "github.com/docker/go-units"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// exitTime is how long Diagnosis waits for the exit code of a box whose stream
// has ended: the engine tells it some milliseconds after the stream's end.
const exitTime = time.Second

// conn is the stream to the agent of one box.
type conn struct {
	id     string // of the container
	api    api
	memory int64 // limit in bytes
	stream types.HijackedResponse
	out    demux
	sealed io.ReadWriter // the stream for those who use it, nil: as it is
	ended  atomic.Bool   // the stream has ended from the other side, or failed

	exited  chan struct{} // closed when how the box ended is known, or never will be
	exit    string        // how it ended, "" if unknown; read it after exited
	forget  context.CancelFunc
	closing sync.Once
	gone    error
}

var _ sandbox.Conn = (*conn)(nil)

// newConn takes over a container and the stream that is attached to it, and
// begins to wait for its end, before the container is started so that no end
// is too early. It heeds start only until the engine waits too.
func newConn(start context.Context, a api, id string, memory int64, stream types.HijackedResponse) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(start, cancel)
	defer stop()
	c := &conn{id: id, api: a, memory: memory, stream: stream, exited: make(chan struct{}), forget: cancel}
	c.out.r = stream.Reader
	result, failed := a.ContainerWait(ctx, id, container.WaitConditionNextExit)
	go func() {
		defer close(c.exited)
		select {
		case r := <-result:
			c.exit = describeExit(r, c.memory, c.ranOut)
		case <-failed:
			if ctx.Err() == nil {
				c.exit = "the connection to the engine broke, as when that is restarted"
			}
		}
	}()
	return c
}

// describeExit says how the box ended. A box whose agent is killed may have run
// out of memory, but also have been killed from outside; the engine's flag, if
// it can still be had, speaks of anything in the box at any time. So the limit
// is stated as it is set.
func describeExit(r container.WaitResponse, memory int64, ranOut func() bool) string {
	if r.Error != nil && r.Error.Message != "" {
		return wire.Printable(r.Error.Message, 300)
	}
	switch r.StatusCode {
	case 0:
		return "its stream ended (exit code 0)"
	case 137: // 128 + SIGKILL
	default:
		return fmt.Sprintf("exit code %d", r.StatusCode)
	}
	words := "its agent was killed (exit code 137)"
	if ranOut() {
		words += ", and the engine saw it run out of memory"
	}
	return words + "; its memory limit as set is " + units.BytesSize(float64(memory))
}

// ranOut says that the engine knows of something in the box that was killed for
// want of memory. The container may be gone before it can be asked.
func (c *conn) ranOut() bool {
	ctx, cancel := context.WithTimeout(context.Background(), exitTime/2)
	defer cancel()
	info, err := c.api.ContainerInspect(ctx, c.id)
	return err == nil && info.ContainerJSONBase != nil && info.State != nil && info.State.OOMKilled
}

// ID is the first 12 digits of the container's id, as the docker command shows it.
func (c *conn) ID() string { return c.id[:min(12, len(c.id))] }

// seal seals what is read and written from now on, before others use c.
func (c *conn) seal(key []byte) (err error) {
	c.sealed, err = wire.Seal(bare{c}, key, true)
	return err
}

// Read reads what the agent sends.
func (c *conn) Read(p []byte) (int, error) {
	if c.sealed != nil {
		return c.sealed.Read(p)
	}
	return bare{c}.Read(p)
}

// Write sends to the agent.
func (c *conn) Write(p []byte) (int, error) {
	if c.sealed != nil {
		return c.sealed.Write(p)
	}
	return bare{c}.Write(p)
}

// bare is the stream as it travels.
type bare struct{ *conn }

func (c bare) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if err != nil {
		c.ended.Store(true)
	}
	return n, err
}

func (c bare) Write(p []byte) (int, error) {
	n, err := c.stream.Conn.Write(p)
	if err != nil {
		c.ended.Store(true)
	}
	return n, err
}

// Diagnosis is how the box ended and what its agent last wrote to standard
// error, one line of at most 1 KiB. It may wait for a second if the stream has
// just ended.
func (c *conn) Diagnosis() string {
	var parts []string
	if c.ended.Load() {
		select {
		case <-c.exited:
		case <-time.After(exitTime):
		}
	}
	select {
	case <-c.exited:
		if c.exit != "" {
			parts = append(parts, c.exit)
		}
	default:
		if c.ended.Load() {
			parts = append(parts, "its stream broke while it ran")
		}
	}
	if words := strings.TrimSpace(c.out.errs.String()); words != "" {
		parts = append(parts, "the agent said: "+words)
	}
	return wire.Printable(strings.Join(parts, "; "), 1<<10)
}

// Close ends the stream, removes the container and returns when it is gone.
func (c *conn) Close() error {
	c.closing.Do(func() {
		c.stream.Close()
		c.gone = remove(c.api, c.id)
		c.forget()
		<-c.exited
	})
	return c.gone
}

// removeTries is how often a removal is tried: while an engine ends, or a
// container does by itself, engines fail to kill what they are about to remove.
const removeTries = 3

// remove removes a container, whatever state it is in, and returns when it is
// gone. One that is gone already is as good. An engine that is away is waited for.
func remove(a api, id string) error {
	ctx, cancel := cleanup()
	defer cancel()
	var err error
	for try := range removeTries {
		if err = removeOnce(ctx, a, id); err == nil || cerrdefs.IsNotFound(err) {
			return nil
		}
		if wentAway(err) && !back(ctx, a) || !pause(ctx, startPause<<try) {
			break
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("remove container %.12s: the engine did not do it within %s", id, cleanupTime)
	}
	return fmt.Errorf("remove container %.12s: %w", id, err)
}

func removeOnce(ctx context.Context, a api, id string) error {
	err := a.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if cerrdefs.IsConflict(err) { // the engine removes it already, because it has ended
		return awaitRemoval(ctx, a, id)
	}
	return err
}

func awaitRemoval(ctx context.Context, a api, id string) error {
	result, failed := a.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case r := <-result:
		if r.Error != nil {
			return fmt.Errorf("wait for its removal: %s", wire.Printable(r.Error.Message, 300))
		}
		return nil
	case err := <-failed:
		return err
	}
}
