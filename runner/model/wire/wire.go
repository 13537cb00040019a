// Package wire is what the adapters of all providers share about HTTP: a
// transport that notices silence and bounds what it reads (wire.go), events
// out of bytes (events.go), and texts of servers made fit for people
// (text.go). It knows no provider's format. Every failure that comes out of it
// is a *model.Error, or the caller's own context error.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Bounds of what is read from a server.
const (
	MaxBody   = 32 << 20 // of one answer
	MaxEvent  = 8 << 20  // of one event of a stream
	MaxErrors = 64 << 10 // of the body of an error
)

// patience is how long a server may be silent unless somebody says otherwise:
// some hide the reasoning.
const patience = 5 * time.Minute

// errSilent ends a request whose server says nothing any more.
var errSilent = errors.New("silent")

// Transport sends requests and watches over their answers.
type Transport struct {
	// Base is what requests are sent with; nil is a transport of its own.
	Base http.RoundTripper
	// Wrap, if not nil, is put around Base: a recorder.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Key occurs in no error.
	Key string
	// FirstByte is how long the answer may take to begin (0: 5 minutes) and
	// Idle how long it may fall silent then (0: 5 minutes). There is no limit
	// to a whole answer.
	FirstByte, Idle time.Duration
	// Limit of an answer's body in bytes; 0 is MaxBody.
	Limit int
}

// Patient is t with every gap filled.
func (t Transport) Patient() *Transport {
	if t.Base == nil {
		t.Base = newHTTP()
	}
	if t.Wrap != nil {
		t.Base = t.Wrap(t.Base)
	}
	if t.FirstByte == 0 {
		t.FirstByte = patience
	}
	if t.Idle == 0 {
		t.Idle = patience
	}
	if t.Limit == 0 {
		t.Limit = MaxBody
	}
	return &t
}

// newHTTP is a transport of a client's own: the usual proxy variables hold,
// and a host that is not there is noticed within seconds.
func newHTTP() *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     90 * time.Second,
	}
}

// Client sends with rt and follows no redirect: a key must never travel to
// another address.
func Client(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// CloseIdleConnections closes the connections that are kept open; requests
// under way go on.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.Base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper]. The answer's body is bounded in
// size and in silence, and its errors are faults too.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	parent := req.Context()
	ctx, cancel := context.WithCancelCause(parent)
	timer := time.AfterFunc(t.FirstByte, func() { cancel(errSilent) })
	w := &watch{ctx: ctx, cancel: cancel, timer: timer, idle: t.Idle, first: t.FirstByte}
	resp, err := t.send(req.Clone(ctx))
	if err != nil {
		w.stop()
		return nil, w.explain(parent, err)
	}
	timer.Reset(t.FirstByte) // headers come early; reasoning models think after them
	resp.Body = &body{watch: w, parent: parent, raw: resp.Body, limit: t.Limit}
	return resp, nil
}

// send says of a failure whether the request left.
func (t *Transport) send(req *http.Request) (*http.Response, error) {
	var left atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		WroteHeaders: func() { left.Store(true) },
	}))
	resp, err := t.Base.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	fault := model.FaultUnreachable
	if left.Load() {
		fault = model.FaultServer
	}
	return nil, &model.Error{Fault: fault, Message: Clean(err.Error(), t.Key), Err: err}
}

// IsStream says that an answer claims to be a stream of events.
func IsStream(h http.Header) bool {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && t == "text/event-stream"
}

// watch ends a request when its server falls silent.
type watch struct {
	ctx         context.Context
	cancel      context.CancelCauseFunc
	timer       *time.Timer
	first, idle time.Duration
	begun       bool
}

func (w *watch) alive() {
	w.begun = true
	w.timer.Reset(w.idle)
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain turns the error of a connection into a fault, unless it is the
// caller who ended it.
func (w *watch) explain(parent context.Context, err error) error {
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	if errors.Is(context.Cause(w.ctx), errSilent) {
		message := fmt.Sprintf("the server did not begin to answer within %s", w.first)
		if w.begun {
			message = fmt.Sprintf("the server fell silent in the middle of its answer for %s", w.idle)
		}
		return &model.Error{Fault: model.FaultServer, Message: message, Err: err}
	}
	var e *model.Error
	if errors.As(err, &e) {
		return e
	}
	return &model.Error{Fault: model.FaultServer, Status: http.StatusOK, Message: "the answer was cut off: " + Clean(err.Error(), ""), Err: err}
}

// body is a response's body, bounded in size and in silence.
type body struct {
	watch  *watch
	parent context.Context
	raw    io.ReadCloser
	read   int
	limit  int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.raw.Read(p)
	b.read += n
	if n > 0 {
		b.watch.alive()
	}
	if b.read > b.limit {
		return n, &model.Error{Fault: model.FaultServer, Status: http.StatusOK,
			Message: fmt.Sprintf("the answer is longer than %d MiB", b.limit>>20)}
	}
	if err != nil && err != io.EOF {
		err = b.watch.explain(b.parent, err)
	}
	return n, err
}

func (b *body) Close() error {
	b.watch.stop()
	return b.raw.Close()
}
