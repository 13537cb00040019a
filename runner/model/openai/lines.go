package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// lines is the body that the SDK reads: one line "data: …" for each chunk and
// "data: [DONE]" only after an answer that is complete. Everything else ends
// Read with a *model.Error.
type lines struct {
	source io.ReadCloser
	events *wire.Events
	stream bool // else one JSON document
	header http.Header
	host   string
	key    string

	pending  []byte
	finished bool // a finish_reason was seen
	err      error
}

func newLines(resp *http.Response, host, key string) io.ReadCloser {
	return &lines{source: resp.Body, events: wire.NewEvents(resp.Body),
		stream: wire.IsStream(resp.Header), header: resp.Header, host: host, key: key}
}

func (l *lines) Close() error { return l.source.Close() }

func (l *lines) Read(p []byte) (int, error) {
	for len(l.pending) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		l.fill()
	}
	n := copy(p, l.pending)
	l.pending = l.pending[n:]
	return n, nil
}

func (l *lines) fill() {
	next := l.events.Next
	if !l.stream {
		next = l.document
	}
	e, err := next()
	switch {
	case err == io.EOF && l.finished:
		l.end()
	case err != nil:
		l.err = l.broken(err)
	case e.Done():
		l.end()
	default:
		l.chunk(e)
	}
}

func (l *lines) end() {
	l.pending = append(l.pending, "data: [DONE]\n"...)
	l.err = io.EOF
}

// document is a whole answer that came as one JSON document although a stream
// was asked for: an error, or a server that can't stream.
func (l *lines) document() (wire.Event, error) {
	if l.finished {
		return wire.Event{Data: []byte("[DONE]")}, nil
	}
	data, err := l.events.Rest()
	if err != nil {
		return wire.Event{}, err
	}
	if start := bytes.TrimSpace(data); bytes.HasPrefix(start, []byte("data:")) || bytes.HasPrefix(start, []byte(":")) {
		// A stream without its media type.
		l.stream, l.events = true, wire.NewEvents(bytes.NewReader(data))
		return l.events.Next()
	}
	l.finished = true
	return wire.Event{Data: data}, nil
}

// chunk passes one chunk on, unless it is an error in disguise.
func (l *lines) chunk(e wire.Event) {
	var c struct {
		Error   json.RawMessage `json:"error"`
		Choices []struct {
			Error  json.RawMessage `json:"error"`
			Finish string          `json:"finish_reason"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(e.Data, &c); err != nil {
		l.err = l.broken(fmt.Errorf("an event is no chunk: %q", wire.First(string(e.Data), 200)))
		var broken *model.Error
		if errors.As(l.err, &broken) {
			l.err = testified(broken, e.Data)
		}
		return
	}
	failed := e.Name == "error" || wire.Present(c.Error)
	for _, choice := range c.Choices {
		failed = failed || wire.Present(choice.Error) || choice.Finish == "error"
		l.finished = l.finished || choice.Finish != ""
		if !wire.Present(c.Error) {
			c.Error = choice.Error
		}
	}
	if failed {
		fault := classify(answer{status: http.StatusOK, host: l.host, header: l.header, body: wrapError(c.Error, e.Data), key: l.key})
		l.err = testified(fault, e.Data)
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.Data); err != nil {
		l.err = l.broken(err)
		return
	}
	l.pending = append(append(append(l.pending, "data: "...), compact.Bytes()...), '\n')
}

// broken is the fault of a stream that ended too early or is none.
func (l *lines) broken(err error) error {
	err = wire.Broken(err, l.key)
	var e *model.Error
	if errors.As(err, &e) {
		e.ID = replyID(l.header)
	}
	return err
}

// wrapError gives an error found anywhere the form of an error's body.
func wrapError(raw json.RawMessage, whole []byte) []byte {
	if !wire.Present(raw) {
		return whole
	}
	return append(append([]byte(`{"error":`), raw...), '}')
}
