// Package record keeps the raw traffic with a provider, without keys, as JSON
// lines: what was asked, and what really came over the wire. replay.go plays
// the answers of such a file back.
//
// A file begins with the model ([KindModel]); each exchange is a line when the
// request leaves ([KindRequest]) and a line when the answer has ended, however
// it ended ([KindResponse]).
package record

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Version is the format of the lines.
const Version = 1

// MaxFile is how long a recording may be in bytes.
const MaxFile = 1 << 30

// Kind says what a line is.
type Kind string

// The kinds of lines.
const (
	KindModel    Kind = "model"    // Info: who was asked
	KindRequest  Kind = "request"  // Method, URL, Header, Body
	KindResponse Kind = "response" // Status, Header, Body, Error
	KindEnd      Kind = "end"      // Error: why nothing more was recorded
)

// Line is a line of a recording.
type Line struct {
	V        int         `json:"v"`
	Kind     Kind        `json:"kind"`
	Time     time.Time   `json:"time"`
	Exchange int         `json:"exchange,omitempty"` // from 1
	Info     *model.Info `json:"info,omitempty"`
	Method   string      `json:"method,omitempty"`
	URL      string      `json:"url,omitempty"`
	Status   int         `json:"status,omitempty"` // 0: there was no answer
	Header   http.Header `json:"header,omitempty"`
	Body     string      `json:"body,omitempty"`
	Length   int         `json:"length,omitempty"` // of a body in bytes, where Body is [Withheld]
	Error    string      `json:"error,omitempty"`  // how the exchange broke
}

// Options are what a [Recorder] is made with.
type Options struct {
	// Redact removes every known secret from a text.
	Redact func(string) string
	// Max is how long the recording may be in bytes; 0 is [MaxFile].
	Max int64
	// Stopped is told once why nothing more is recorded. nil is nobody.
	Stopped func(error)
}

// Recorder writes a recording. It is safe for concurrent use. A recording that
// can't go on never fails a request.
type Recorder struct {
	o         Options
	mu        sync.Mutex
	w         io.Writer
	written   int64
	exchanges int
	stopped   bool
}

// New returns a recorder that writes to w.
func New(w io.Writer, o Options) *Recorder {
	if o.Max == 0 {
		o.Max = MaxFile
	}
	if o.Stopped == nil {
		o.Stopped = func(error) {}
	}
	return &Recorder{o: o, w: w}
}

// Model records who is asked.
func (r *Recorder) Model(info model.Info) { r.write(Line{Kind: KindModel, Info: &info}) }

// Wrap is next with everything recorded that goes through it.
func (r *Recorder) Wrap(next http.RoundTripper) http.RoundTripper {
	return &transport{next: next, recorder: r}
}

// begin numbers an exchange.
func (r *Recorder) begin() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges++
	return r.exchanges
}

// lastLine is kept free for the line that says why a recording has ended.
const lastLine = 1 << 10

func (r *Recorder) write(l Line) {
	l.V, l.Time = Version, time.Now().UTC()
	l.URL, l.Error = r.o.Redact(l.URL), r.o.Redact(l.Error)
	l.Header = r.header(l.Header)
	data, err := json.Marshal(l)
	if err != nil {
		return // a line has nothing that can't be encoded
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if r.written+int64(len(data)) > r.o.Max-lastLine {
		r.stop(fmt.Errorf("the recording has reached its limit of %d bytes", r.o.Max))
		return
	}
	n, err := r.w.Write(append(data, '\n'))
	if r.written += int64(n); err != nil {
		r.stop(fmt.Errorf("write the recording: %w", err))
	}
}

// stop says in the recording and outside that it ends here.
func (r *Recorder) stop(why error) {
	r.stopped = true
	data, err := json.Marshal(Line{V: Version, Kind: KindEnd, Time: time.Now().UTC(), Error: why.Error()})
	if err == nil {
		_, _ = r.w.Write(append(data, '\n')) // that it can't be written may be the very reason
	}
	r.o.Stopped(why)
}

// secretHeaders hold keys and sessions, in small letters.
func secretHeaders() []string {
	return []string{"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "set-cookie"}
}

// Withheld stands in place of what is not recorded.
const Withheld = "[redacted]"

func (r *Recorder) header(h http.Header) http.Header {
	out := h.Clone()
	for name, values := range out {
		for i, v := range values {
			if values[i] = r.o.Redact(v); slices.Contains(secretHeaders(), strings.ToLower(name)) {
				values[i] = Withheld
			}
		}
	}
	return out
}

// body puts a body into a line, or how long one is that could hide a secret: in
// pieces, or between bytes that are no text, where a secret is not found.
func (r *Recorder) body(l *Line, body []byte) {
	text := r.o.Redact(string(body))
	if !utf8.Valid(body) || spreads(text, r.o.Redact) {
		l.Body, l.Length = Withheld, len(body)
		return
	}
	l.Body = text
}
