package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
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
	b := &Box{conn: conn, session: session, limits: s.Limits, grace: grace}
	b.http = &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return session.OpenStream()
		},
		// A stream for each request: an idle connection would be a place where
		// an agent can speak without being asked.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: wire.MaxHeader,
	}
	return b, nil
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
	})
	return b.closeErr
}

// maxDiagnosis bounds what the engine says about a box's end, in bytes.
const maxDiagnosis = 500

// lost is the error of a box that is gone; cause, if not nil, is wrapped too.
func (b *Box) lost(doing string, cause error) error {
	err := fmt.Errorf("%s box %s: %w", doing, b.ID(), ErrBoxLost)
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	if d := b.conn.Diagnosis(); d != "" {
		err = fmt.Errorf("%w (%s)", err, wire.Printable(d, maxDiagnosis))
	}
	return err
}
