package openai

import (
	"bytes"
	"context"
	"encoding/json"
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

// errSilent ends a request whose server says nothing any more.
var errSilent = errors.New("silent")

// transport stands between the SDK and the wire. A failure of any kind comes
// out of it as a *model.Error: an error status and a redirect from RoundTrip,
// an error inside the stream and a cut stream from the body's Read.
type transport struct {
	config Config
	limit  int // of an answer's body in bytes
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

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	parent := req.Context()
	ctx, cancel := context.WithCancelCause(parent)
	timer := time.AfterFunc(t.config.FirstByte, func() { cancel(errSilent) })
	w := &watch{ctx: ctx, cancel: cancel, timer: timer, idle: t.config.Idle, first: t.config.FirstByte}
	resp, err := t.send(req.Clone(ctx))
	if err != nil {
		w.stop()
		return nil, w.explain(parent, err)
	}
	timer.Reset(t.config.FirstByte) // headers come early; reasoning models think after them
	if resp.StatusCode/100 != 2 {
		defer w.stop()
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrors))
		return nil, classify(answer{status: resp.StatusCode, header: resp.Header, body: body, key: t.config.Key})
	}
	resp.Body = &body{watch: w, parent: parent, raw: resp.Body, limit: t.limit}
	if req.Method == http.MethodPost {
		isStream := mediaType(resp.Header) == "text/event-stream"
		resp.Body = newLines(resp.Body, isStream, resp.Header, t.config.Key)
	}
	return resp, nil
}

// send adds what the SDK can't and says of a failure whether the request left.
func (t *transport) send(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost {
		if err := t.merge(req); err != nil {
			return nil, &model.Error{Fault: model.FaultRequest, Message: err.Error()}
		}
	}
	for k, v := range t.config.Header {
		req.Header[k] = v
	}
	var left atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		WroteHeaders: func() { left.Store(true) },
	}))
	resp, err := t.config.HTTP.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	fault := model.FaultUnreachable
	if left.Load() {
		fault = model.FaultServer
	}
	return nil, &model.Error{Fault: fault, Message: clean(err.Error(), t.config.Key), Err: err}
}

// merge puts the extra fields into the request's body and names the bound of
// the reply as the server wants it.
func (t *transport) merge(req *http.Request) error {
	raw, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("decode the request: %w", err)
	}
	if bound, ok := fields["max_completion_tokens"]; ok && !t.config.CompletionTokens {
		delete(fields, "max_completion_tokens")
		fields["max_tokens"] = bound
	}
	for name, value := range t.config.Extra {
		if fields[name], err = json.Marshal(value); err != nil {
			return fmt.Errorf("encode the field %s: %w", name, err)
		}
	}
	if raw, err = json.Marshal(fields); err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	req.Body = io.NopCloser(bytes.NewReader(raw))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	req.ContentLength = int64(len(raw))
	return nil
}

func mediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
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
	return &model.Error{Fault: model.FaultServer, Status: http.StatusOK, Message: "the answer was cut off: " + clean(err.Error(), ""), Err: err}
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
