package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Event is one server-sent event: its name, "" mostly, and its data.
type Event struct {
	Name string
	Data []byte
}

var done = []byte("[DONE]")

// Done says that e is the end of a stream in OpenAI's format.
func (e Event) Done() bool { return bytes.Equal(bytes.TrimSpace(e.Data), done) }

// eagerLines are how many data lines of an event are tried for being all of it.
const eagerLines = 16

// Events reads server-sent events as servers really send them: comments and
// unknown fields skipped, data lines joined until they are complete, with or
// without blank lines in between, LF or CRLF.
type Events struct{ r *bufio.Reader }

// NewEvents reads events from r.
func NewEvents(r io.Reader) *Events { return &Events{bufio.NewReaderSize(r, 64<<10)} }

// Rest reads what is left without looking for events in it.
func (s *Events) Rest() ([]byte, error) { return io.ReadAll(s.r) }

// Next returns the next event, or io.EOF after the last complete one.
func (s *Events) Next() (Event, error) {
	var e Event
	for lines := 0; ; {
		line, err := s.line()
		if err != nil {
			if err == io.EOF && len(e.Data) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return Event{}, err
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && len(e.Data) > 0:
			return e, nil // the data is no JSON: whoever decodes it says so
		case line == "":
			e, lines = Event{}, 0
		case field == "event":
			e.Name = value
		case field == "data":
			if len(e.Data) > 0 {
				e.Data = append(e.Data, '\n')
			}
			e.Data = append(e.Data, value...)
			if len(e.Data) > MaxEvent {
				return Event{}, fmt.Errorf("an event is longer than %d MiB", MaxEvent>>20)
			}
			// Some servers send no blank lines, so complete JSON is an event.
			// Looking after each of a million lines would take hours.
			if lines++; lines <= eagerLines && (e.Done() || json.Valid(e.Data)) {
				return e, nil
			}
		}
	}
}

// line reads a bounded line, without its end and without a byte order mark.
func (s *Events) line() (string, error) {
	var line []byte
	for {
		part, err := s.r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxEvent {
			return "", fmt.Errorf("a line is longer than %d MiB", MaxEvent>>20)
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

// Broken is the fault of a stream that ended too early or is none. Faults and
// context errors stay as they are.
func Broken(err error, key string) error {
	var e *model.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	message := "the answer is not what was agreed on: " + Clean(err.Error(), key)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		message = "the answer was cut off before its end"
	}
	return &model.Error{Fault: model.FaultServer, Status: http.StatusOK, Message: message, Err: err}
}
