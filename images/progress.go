package images

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
)

const (
	streamEvery = 5 * time.Second // at most one line of a program's output in this time
	streamTail  = 20              // lines kept for the message about a failure
	streamWidth = 160             // bytes of a line
)

// progress writes lines for people. It never fails: what is being made matters more.
type progress struct {
	mu  sync.Mutex
	out io.Writer
	now func() time.Time
}

func newProgress(out io.Writer) *progress {
	if out == nil {
		out = io.Discard
	}
	return &progress{out: out, now: time.Now}
}

func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, "image: "+format+"\n", args...)
}

// done says that something is there now, how long it took and how large it is.
func (p *progress) done(what string, start time.Time, img Image) {
	p.line("%s in %s, %s", what, p.now().Sub(start).Round(time.Second), units.HumanSize(float64(img.Size)))
}

// stream takes the output of a program that builds or pulls.
func (p *progress) stream() *stream {
	return &stream{p: p, shown: p.now()}
}

// stream shows a line now and then, so that a person sees that something
// moves, and keeps the last ones. What it takes comes out of containers and
// off the network: control characters are replaced and lines are bounded.
type stream struct {
	mu    sync.Mutex
	p     *progress
	part  []byte // of a line that has not ended, bounded
	shown time.Time
	last  []string
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range b {
		switch {
		case c == '\n' || c == '\r':
			s.end()
		case len(s.part) >= streamWidth:
		case c < ' ' || c > '~':
			s.part = append(s.part, '?')
		default:
			s.part = append(s.part, c)
		}
	}
	return len(b), nil
}

// end takes a whole line.
func (s *stream) end() {
	line := strings.TrimSpace(string(s.part))
	s.part = s.part[:0]
	if line == "" {
		return
	}
	s.last = append(s.last, line)
	if len(s.last) > streamTail {
		s.last = s.last[1:]
	}
	if now := s.p.now(); now.Sub(s.shown) >= streamEvery {
		s.shown = now
		s.p.line("  %s", line)
	}
}

// tail is the last lines.
func (s *stream) tail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	return strings.Join(s.last, "\n")
}

// writerFunc is called for each write and drops what is written.
type writerFunc func()

func (f writerFunc) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}
