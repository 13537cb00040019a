package openai

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
)

// event is one server-sent event: its name, "" mostly, and its data.
type event struct {
	name string
	data []byte
}

var done = []byte("[DONE]")

// eagerLines are how many data lines of an event are tried for being all of it.
const eagerLines = 16

// events reads server-sent events as servers really send them: comments and
// unknown fields skipped, data lines joined until they are complete, with or
// without blank lines in between, LF or CRLF.
type events struct{ r *bufio.Reader }

// next returns the next event, or io.EOF after the last complete one.
func (s *events) next() (event, error) {
	var e event
	for lines := 0; ; {
		line, err := s.line()
		if err != nil {
			if err == io.EOF && len(e.data) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return event{}, err
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && len(e.data) > 0:
			return e, nil // the data is no JSON: whoever decodes it says so
		case line == "":
			e, lines = event{}, 0
		case field == "event":
			e.name = value
		case field == "data":
			if len(e.data) > 0 {
				e.data = append(e.data, '\n')
			}
			e.data = append(e.data, value...)
			if len(e.data) > maxEvent {
				return event{}, fmt.Errorf("an event is longer than %d MiB", maxEvent>>20)
			}
			// Some servers send no blank lines, so complete JSON is an event.
			// Looking after each of a million lines would take hours.
			if lines++; lines <= eagerLines && (bytes.Equal(bytes.TrimSpace(e.data), done) || json.Valid(e.data)) {
				return e, nil
			}
		}
	}
}

// line reads a bounded line, without its end and without a byte order mark.
func (s *events) line() (string, error) {
	var line []byte
	for {
		part, err := s.r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxEvent {
			return "", fmt.Errorf("a line is longer than %d MiB", maxEvent>>20)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err == io.EOF && len(line) > 0 {
			err = nil // the last line may lack its end; the next read says EOF
		}
		return strings.TrimPrefix(strings.TrimRight(string(line), "\r\n"), "\ufeff"), err
	}
}

// lines is the body that the SDK reads: one line "data: …" for each chunk and
// "data: [DONE]" only after an answer that is complete. Everything else ends
// Read with a *model.Error.
type lines struct {
	source io.ReadCloser
	events events
	stream bool // else one JSON document
	header http.Header
	key    string

	pending  []byte
	finished bool // a finish_reason was seen
	err      error
}

func newLines(source io.ReadCloser, stream bool, h http.Header, key string) io.ReadCloser {
	return &lines{source: source, events: events{bufio.NewReaderSize(source, 64<<10)}, stream: stream, header: h, key: key}
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
	next := l.events.next
	if !l.stream {
		next = l.document
	}
	e, err := next()
	switch {
	case err == io.EOF && l.finished:
		l.end()
	case err != nil:
		l.err = l.broken(err)
	case bytes.Equal(bytes.TrimSpace(e.data), done):
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
func (l *lines) document() (event, error) {
	if l.finished {
		return event{data: done}, nil
	}
	data, err := io.ReadAll(l.events.r)
	if err != nil {
		return event{}, err
	}
	if start := bytes.TrimSpace(data); bytes.HasPrefix(start, []byte("data:")) || bytes.HasPrefix(start, []byte(":")) {
		// A stream without its media type.
		l.stream, l.events.r = true, bufio.NewReader(bytes.NewReader(data))
		return l.events.next()
	}
	l.finished = true
	return event{data: data}, nil
}

// chunk passes one chunk on, unless it is an error in disguise.
func (l *lines) chunk(e event) {
	var c struct {
		Error   json.RawMessage `json:"error"`
		Choices []struct {
			Error  json.RawMessage `json:"error"`
			Finish string          `json:"finish_reason"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(e.data, &c); err != nil {
		l.err = l.broken(fmt.Errorf("an event is no chunk: %q", first(string(e.data), 200)))
		return
	}
	failed := e.name == "error" || present(c.Error)
	for _, choice := range c.Choices {
		failed = failed || present(choice.Error) || choice.Finish == "error"
		l.finished = l.finished || choice.Finish != ""
		if !present(c.Error) {
			c.Error = choice.Error
		}
	}
	if failed {
		l.err = classify(answer{status: http.StatusOK, header: l.header, body: wrapError(c.Error, e.data), key: l.key})
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.data); err != nil {
		l.err = l.broken(err)
		return
	}
	l.pending = append(append(append(l.pending, "data: "...), compact.Bytes()...), '\n')
}

// broken is the fault of a stream that ended too early or is none.
func (l *lines) broken(err error) error {
	var e *model.Error
	if errors.As(err, &e) {
		return e
	}
	if isContext(err) {
		return err
	}
	message := "the answer is not what was agreed on: " + clean(err.Error(), l.key)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		message = "the answer was cut off before its end"
	}
	return &model.Error{Fault: model.FaultServer, Status: http.StatusOK, Message: message, Err: err}
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// wrapError gives an error found anywhere the form of an error's body.
func wrapError(raw json.RawMessage, whole []byte) []byte {
	if !present(raw) {
		return whole
	}
	return append(append([]byte(`{"error":`), raw...), '}')
}
