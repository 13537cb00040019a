package docker

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Streams of an attached container, the first byte of each frame's header.
// The other bytes of the header: three zeros, four bytes of length, big endian.
// https://docs.docker.com/reference/api/engine/version/v1.41/#operation/ContainerAttach
const (
	streamOut   = 1
	streamErr   = 2
	streamFault = 3 // the engine itself speaks, and ends the stream
	headerSize  = 8
)

// keepErr is how much of the agent's last words on standard error is kept, in bytes.
const keepErr = 4 << 10

// demux reads what a container wrote to its standard output out of an attached
// stream, and keeps the end of what it wrote to standard error. It holds no
// more than that, however long a frame claims to be.
type demux struct {
	r    io.Reader
	left uint32 // of the frame of standard output under way
	errs tail
}

// Read implements io.Reader. It is for one goroutine.
func (d *demux) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for d.left == 0 {
		if err := d.header(); err != nil {
			return 0, err
		}
	}
	if uint64(len(p)) > uint64(d.left) {
		p = p[:d.left]
	}
	n, err := d.r.Read(p)
	d.left -= uint32(n)
	if err == io.EOF && d.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// header reads the next header, and the whole frame if it is not standard output.
func (d *demux) header() error {
	var h [headerSize]byte
	if _, err := io.ReadFull(d.r, h[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(h[4:])
	switch h[0] {
	case streamOut:
		d.left = size
		return nil
	case streamErr, streamFault:
		if _, err := io.CopyN(&d.errs, d.r, int64(size)); err != nil {
			return fmt.Errorf("read standard error: %w", unexpected(err))
		}
		if h[0] == streamFault {
			return fmt.Errorf("the engine ended the stream: %s", wire.Printable(d.errs.String(), 300))
		}
		return nil
	}
	return fmt.Errorf("the attached stream has an unknown frame of type %d", h[0])
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// tail keeps the last keepErr bytes written to it. Its methods may be called
// from several goroutines at once.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > keepErr {
		p = p[len(p)-keepErr:]
	}
	if over := len(t.kept) + len(p) - keepErr; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	t.kept = append(t.kept, p...)
	return n, nil
}

// String is what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
