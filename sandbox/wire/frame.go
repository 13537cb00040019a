package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// A frame is [type, 1 byte][length, 4 bytes big-endian][payload].
type frameType byte

const (
	frameHead   frameType = 'h' // a piece of the output's beginning, as it comes
	frameTail   frameType = 't' // a piece of its end, after the command has ended
	frameResult frameType = 'r' // a Result as JSON: the last frame
)

const (
	frameHeader = 5
	// maxPiece is the longest piece of output in one frame, in bytes.
	maxPiece = 64 << 10
	// maxResult is the longest result: MaxLeft names of MaxName bytes, each
	// byte at worst six of JSON, is 24 KB.
	maxResult = 64 << 10
)

// Writer writes the frames of one command; it is the agent's.
type Writer struct {
	w     io.Writer
	frame []byte // the last one; its memory is used again
}

// NewWriter writes frames to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Head sends a piece of the output's beginning.
func (w *Writer) Head(p []byte) error { return w.pieces(frameHead, p) }

// Tail sends a piece of the output's end.
func (w *Writer) Tail(p []byte) error { return w.pieces(frameTail, p) }

// Result sends the last frame.
func (w *Writer) Result(r Result) error {
	p, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return w.write(frameResult, p)
}

func (w *Writer) pieces(t frameType, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxPiece)
		if err := w.write(t, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// write sends header and payload in one Write, so that it is one packet.
func (w *Writer) write(t frameType, p []byte) error {
	w.frame = append(w.frame[:0], byte(t))
	w.frame = binary.BigEndian.AppendUint32(w.frame, uint32(len(p)))
	w.frame = append(w.frame, p...)
	_, err := w.w.Write(w.frame)
	return err
}

// Output collects what the frames of a command carry. It is filled while they
// come, so what has arrived is there even if the rest never comes.
type Output struct {
	Head, Tail []byte
}

// ReadFrames reads the frames of one command to the last one. It never holds
// more than head + tail bytes of output and one frame. Whatever is not as
// agreed wraps [ErrProtocol]: an unknown frame, more output than was asked for,
// a tail before the head is full, a result that can't be, an end without one.
// Only a failing r is another error.
func ReadFrames(r io.Reader, head, tail int, out *Output) (Result, error) {
	var header [frameHeader]byte
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return Result{}, ended(err)
		}
		t, n := frameType(header[0]), int64(binary.BigEndian.Uint32(header[1:]))
		if err := checkFrame(t, n, out, head, tail); err != nil {
			return Result{}, err
		}
		if t == frameResult {
			return readResult(r, n, out, head, tail)
		}
		into := &out.Head
		if t == frameTail {
			into = &out.Tail
		}
		if err := readPiece(r, int(n), into); err != nil {
			return Result{}, err
		}
	}
}

// checkFrame judges a frame by its header alone, before anything is held of it.
func checkFrame(t frameType, n int64, out *Output, head, tail int) error {
	most := int64(maxPiece)
	switch t {
	case frameHead:
		most = min(most, int64(head-len(out.Head)))
		if len(out.Tail) > 0 {
			return fmt.Errorf("%w: head after tail", ErrProtocol)
		}
	case frameTail:
		most = min(most, int64(tail-len(out.Tail)))
		if len(out.Head) < head {
			return fmt.Errorf("%w: tail before the head is full", ErrProtocol)
		}
	case frameResult:
		most = maxResult
	default:
		return fmt.Errorf("%w: unknown frame %#02x", ErrProtocol, byte(t))
	}
	if n == 0 || n > most {
		return fmt.Errorf("%w: frame %q of %d bytes, at most %d are left", ErrProtocol, string(rune(t)), n, most)
	}
	return nil
}

// readPiece appends n bytes to into, also when fewer come.
func readPiece(r io.Reader, n int, into *[]byte) error {
	start := len(*into)
	if cap(*into)-start < n {
		*into = slices.Grow(*into, max(n, start)) // append grows by a quarter only: 16 MiB would move many times
	}
	*into = (*into)[:start+n]
	got, err := io.ReadFull(r, (*into)[start:])
	*into = (*into)[:start+got]
	return ended(err)
}

func readResult(r io.Reader, n int64, out *Output, head, tail int) (Result, error) {
	p := make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		return Result{}, ended(err)
	}
	var res Result
	if err := json.Unmarshal(p, &res); err != nil {
		return Result{}, fmt.Errorf("%w: the result is no JSON", ErrProtocol)
	}
	if err := checkResult(res, out, head, tail); err != nil {
		return Result{}, err
	}
	printable(res.Left)
	return res, nil
}

// ended calls an end in the middle what it is; other read errors stay as they are.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: the answer ended before the result", ErrProtocol)
	}
	return err
}
