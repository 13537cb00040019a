//go:build linux

package agent

import (
	"errors"
	"io"
	"os"
	"time"
)

// stream is the agent's end of the one stream to the host. It notices the two
// ways in which a host is gone: in ends, or nothing comes for too long.
type stream struct {
	in, out *os.File
	silence time.Duration
	timer   *time.Timer
	// ended receives nil for the end of in and else what went wrong, once.
	ended chan error
}

func newStream(in, out *os.File, silence time.Duration) *stream {
	s := &stream{in: in, out: out, silence: silence, ended: make(chan error, 2)}
	s.timer = time.AfterFunc(silence, func() { s.end(errors.New("no byte came from the host for " + silence.String())) })
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if n > 0 {
		s.timer.Reset(s.silence)
	}
	if err == io.EOF {
		s.end(nil)
	} else if err != nil {
		s.end(err)
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) { return s.out.Write(p) }

// Close ends the stream for the host. A read that hangs is not woken by it;
// the process ends soon.
func (s *stream) Close() error {
	s.timer.Stop()
	return errors.Join(s.in.Close(), s.out.Close())
}

func (s *stream) end(err error) {
	select {
	case s.ended <- err:
	default:
	}
}
