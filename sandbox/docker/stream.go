package docker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Bounds of what an engine tells while it builds, pulls or imports.
const (
	maxMessage = 1 << 20 // bytes of one message; engines cut output at 32 KiB
	lastLines  = 20      // lines of output that a failure shows
	lineBytes  = 400     // bytes of a line that are shown
)

// message is one line of an engine's progress, the parts of it that we read.
// https://docs.docker.com/reference/api/engine/version/v1.41/#operation/ImageBuild
type message struct {
	Stream      string `json:"stream"`
	Status      string `json:"status"`
	ID          string `json:"id"`
	Progress    string `json:"progress"`
	Error       string `json:"error"`
	ErrorDetail *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// engineError is a failure that an engine reported after it had said 200.
type engineError struct {
	code int // for example 404, or of a command that failed in a build; 0 if there was none
	text string
	last []string // lines of output before
}

func (e *engineError) Error() string {
	if len(e.last) == 0 {
		return e.text
	}
	return e.text + "; the last lines of its output:\n" + strings.Join(e.last, "\n")
}

// follow reads an engine's progress to its end, for it is not done before, and
// writes it as lines for people. spoke says that there was any.
func follow(r io.Reader, progress io.Writer) (spoke bool, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxMessage)
	p := printer{to: progress}
	for in.Scan() {
		var m message
		if len(in.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(in.Bytes(), &m); err != nil {
			return p.spoke, fmt.Errorf("read the engine's progress: %w", err)
		}
		if m.Error != "" || m.ErrorDetail != nil {
			return p.spoke, p.failure(m)
		}
		p.show(m)
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return p.spoke, fmt.Errorf("the engine sent a message of more than %d bytes", maxMessage)
	}
	if in.Err() != nil {
		return p.spoke, fmt.Errorf("read the engine's progress: %w", in.Err())
	}
	p.flush()
	return p.spoke, nil
}

// printer makes lines of messages and keeps the last ones.
type printer struct {
	to    io.Writer
	part  string // a line whose end has not come
	last  []string
	spoke bool
}

func (p *printer) show(m message) {
	if m.Stream == "" {
		if m.Status != "" && m.Progress == "" { // a bar that moves is not for a file
			p.line(strings.TrimPrefix(m.ID+": "+m.Status, ": "))
		}
		return
	}
	p.part += m.Stream
	for {
		line, rest, found := strings.Cut(p.part, "\n")
		if !found {
			break
		}
		p.line(line)
		p.part = rest
	}
	if len(p.part) > lineBytes {
		p.flush()
	}
}

func (p *printer) flush() {
	p.line(p.part)
	p.part = ""
}

// line shows a line. Whoever reads progress may be gone; the work goes on.
func (p *printer) line(s string) {
	s = strings.TrimSpace(wire.Printable(strings.TrimSpace(s), lineBytes))
	if s == "" {
		return
	}
	p.spoke = true
	if p.last = append(p.last, s); len(p.last) > lastLines {
		p.last = p.last[1:]
	}
	fmt.Fprintln(p.to, s)
}

func (p *printer) failure(m message) error {
	p.flush()
	e := &engineError{text: m.Error, last: p.last}
	if m.ErrorDetail != nil {
		e.code = m.ErrorDetail.Code
		if m.ErrorDetail.Message != "" {
			e.text = m.ErrorDetail.Message
		}
	}
	e.text = wire.Printable(e.text, 1000)
	return e
}
