package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Box is a box that runs. Its methods may be called from several goroutines at
// once. What an agent answers is checked before it is believed; one that
// breaks the protocol, or does not answer in time, loses its box: the box is
// destroyed and the error wraps [ErrBoxLost].
type Box struct {
	conn    Conn
	session *yamux.Session
	http    *http.Transport
	limits  Limits
	grace   time.Duration // see the constant; tests shorten it
	disk    *Disk         // nil: nobody watches it
	fate    atomic.Pointer[fate]
	left    atomic.Bool // processes of earlier commands still ran when the last one ended

	closing  sync.Once
	closeErr error
}

// Open starts a box on e and makes its stream usable. A cancelled ctx ends the
// start and leaves nothing behind; afterwards it has no effect on the box.
func Open(ctx context.Context, e Engine, s Spec) (*Box, error) {
	conn, err := e.Start(ctx, s)
	if err != nil {
		return nil, err
	}
	session, err := wire.Client(conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the stream to box %s: %w", conn.ID(), err), conn.Close())
	}
	b := &Box{conn: conn, session: session, limits: s.Limits, grace: grace, disk: s.Disk}
	b.http = &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return b.stream()
		},
		// A stream for each request: an idle connection would be a place where
		// an agent can speak without being asked.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: wire.MaxHeader,
	}
	return b, nil
}

// maxStreams is how many streams a box may have. A call has one; more are
// those that the agent has not ended yet, for 10 s at most, and each of them
// may hold a window of 256 KiB.
const maxStreams = 64

func (b *Box) stream() (net.Conn, error) {
	if b.session.NumStreams() >= maxStreams {
		return nil, fmt.Errorf("%w: the agent ends no stream", wire.ErrProtocol)
	}
	return b.session.OpenStream()
}

// ID names the box in messages.
func (b *Box) ID() string { return b.conn.ID() }

// Lost is nil as long as the box can be used, and else an error that wraps
// [ErrBoxLost] and says what is known about why.
func (b *Box) Lost() error {
	if !b.session.IsClosed() {
		return nil
	}
	return b.lost("use", nil)
}

// Close destroys the box and everything that runs in it, and returns when it
// is gone. It may be called more than once; an error means that the engine
// could not destroy it.
func (b *Box) Close() error {
	b.closing.Do(func() {
		if err := b.conn.Close(); err != nil {
			b.closeErr = fmt.Errorf("destroy box %s: %w", b.ID(), err)
		}
		b.session.Close()
		if b.disk != nil {
			b.disk.forget(b)
		}
	})
	return b.closeErr
}

// begin counts a call whose box may be ended because of the disk; end is to be
// called when it is over.
func (b *Box) begin() (end func()) {
	if b.disk == nil {
		return func() {}
	}
	b.disk.begin(b)
	return func() { b.disk.end(b) }
}

// ended says that the box was ended because of the disk, and returns when all is
// known about that: it takes seconds at most.
func (b *Box) ended() (*Full, error) {
	f := b.fate.Load()
	if f == nil {
		return nil, nil
	}
	<-f.ready
	return f.full, f.err
}

// maxDiagnosis bounds what the engine says about a box's end, in bytes, and
// what the error says that was found in its stream.
const maxDiagnosis = 500

// shown is an error whose words a box may have had a part in: net/http puts
// the header it can't read into its errors, whole.
type shown struct{ error }

func (s shown) Error() string { return wire.Printable(s.error.Error(), maxDiagnosis) }

func (s shown) Unwrap() error { return s.error }

// lost is the error of a box that is gone; cause, if not nil, is wrapped too.
func (b *Box) lost(doing string, cause error) error {
	err := fmt.Errorf("%s box %s: %w", doing, b.ID(), ErrBoxLost)
	if full, failed := b.ended(); full != nil {
		return fmt.Errorf("%w: %w", err, full)
	} else if failed != nil {
		return fmt.Errorf("%w: its disk can't be watched: %w", err, failed)
	}
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, shown{cause})
	}
	if d := b.conn.Diagnosis(); d != "" {
		err = fmt.Errorf("%w (%s)", err, wire.Printable(d, maxDiagnosis))
	}
	return err
}
