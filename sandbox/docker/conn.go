package docker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

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
	stream types.HijackedResponse
	out    demux
	ended  atomic.Bool // the stream has ended from the other side, or failed

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
func newConn(start context.Context, a api, id string, stream types.HijackedResponse) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(start, cancel)
	defer stop()
	c := &conn{id: id, api: a, stream: stream, exited: make(chan struct{}), forget: cancel}
	c.out.r = stream.Reader
	result, failed := a.ContainerWait(ctx, id, container.WaitConditionNextExit)
	go func() {
		defer close(c.exited)
		select {
		case r := <-result:
			c.exit = describeExit(r)
		case <-failed:
		}
	}()
	return c
}

func describeExit(r container.WaitResponse) string {
	if r.Error != nil && r.Error.Message != "" {
		return wire.Printable(r.Error.Message, 300)
	}
	if r.StatusCode == 137 { // 128 + SIGKILL
		return "it was killed, from outside or because memory ran out (exit code 137)"
	}
	return fmt.Sprintf("exit code %d", r.StatusCode)
}

// ID is the first 12 digits of the container's id, as the docker command shows it.
func (c *conn) ID() string { return c.id[:min(12, len(c.id))] }

// Read reads what the agent sends.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if err != nil {
		c.ended.Store(true)
	}
	return n, err
}

// Write sends to the agent.
func (c *conn) Write(p []byte) (int, error) {
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

// remove removes a container, whatever state it is in, and returns when it is
// gone. One that is gone already is as good.
func remove(a api, id string) error {
	ctx, cancel := cleanup()
	defer cancel()
	err := a.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if cerrdefs.IsConflict(err) { // the engine removes it already, because it has ended
		err = awaitRemoval(ctx, a, id)
	}
	if err == nil || cerrdefs.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("remove container %.12s: %w", id, err)
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
