package wire

import (
	"encoding/binary"
	"io"
)

// yamuxHeader is the length of a frame's header in bytes.
const yamuxHeader = 12

// joined sends in one write what belongs together. yamux writes a frame's
// header and its payload one after the other, and a new stream's opening before
// its first frame. Each write wakes a chain of processes on its way to the
// other side (the engine copies from a socket to a pipe, and back), which costs
// more than all that the agent does for a small command.
//
// It relies on two things that yamux does: only one goroutine writes, and who
// opens a stream sends on it or closes it at once (so does our HTTP).
type joined struct {
	io.ReadWriteCloser
	held    []byte // of a frame, or of an opening, whose rest is about to come
	payload bool   // the next write is the payload of the last header
}

// Write takes a whole header, or the payload that belongs to the one before.
func (j *joined) Write(p []byte) (int, error) {
	j.held = append(j.held, p...)
	if !j.payload && len(p) == yamuxHeader {
		kind, flags, length := p[1], binary.BigEndian.Uint16(p[2:]), binary.BigEndian.Uint32(p[8:])
		j.payload = kind == yamuxData && length > 0
		if j.payload || kind == yamuxWindow && flags&yamuxSYN != 0 {
			return len(p), nil
		}
	}
	j.payload = false
	_, err := j.ReadWriteCloser.Write(j.held)
	j.held = j.held[:0]
	return len(p), err
}
