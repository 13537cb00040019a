package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func frame(kind byte, payload string) string {
	var h [headerSize]byte
	h[0] = kind
	binary.BigEndian.PutUint32(h[4:], uint32(len(payload)))
	return string(h[:]) + payload
}

// The stream has to come out whole whatever pieces the network makes of it.
func TestDemux(t *testing.T) {
	in := frame(streamOut, "hello ") + frame(streamErr, "oops") + frame(streamOut, "") + frame(streamOut, "world") + frame(streamErr, "!")
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r },
		"bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "error with data": iotest.DataErrReader,
	}
	for name, wrap := range readers {
		t.Run(name, func(t *testing.T) {
			d := &demux{r: wrap(strings.NewReader(in))}
			got, err := io.ReadAll(d)
			if err != nil || string(got) != "hello world" {
				t.Errorf("got %q, %v", got, err)
			}
			if d.errs.String() != "oops!" {
				t.Errorf("standard error %q", d.errs.String())
			}
		})
	}
}

// A stream that ends inside a frame or says nonsense is an error, never a clean end.
func TestDemuxFaults(t *testing.T) {
	tests := map[string]string{
		"cut header":         frame(streamOut, "x")[:5],
		"cut output":         frame(streamOut, "hello")[:headerSize+2],
		"cut standard error": frame(streamErr, "hello")[:headerSize+2],
		"unknown stream":     frame(7, "hello"),
		"the engine speaks":  frame(streamFault, "out of ideas"),
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := io.ReadAll(&demux{r: strings.NewReader(in)})
			if err == nil {
				t.Error("no error")
			}
		})
	}
}

// A frame may claim 4 GiB and standard error may never end: what is held stays small.
func TestI7StreamIsBounded(t *testing.T) {
	var h [headerSize]byte
	h[0] = streamErr
	binary.BigEndian.PutUint32(h[4:], 1<<32-1)
	d := &demux{r: io.MultiReader(bytes.NewReader(h[:]), io.LimitReader(zeros{}, 64<<20))}
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if n := cap(d.errs.kept); n > 4*keepErr {
		t.Errorf("%d bytes held", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTailKeepsTheEnd(t *testing.T) {
	all := strings.Repeat("0123456789", keepErr)
	for _, piece := range []int{1, 7, keepErr - 1, keepErr, keepErr + 1, len(all)} {
		var k tail
		for rest := all; rest != ""; {
			n := min(piece, len(rest))
			k.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if k.String() != all[len(all)-keepErr:] {
			t.Errorf("pieces of %d: %d bytes kept, not the end", piece, len(k.String()))
		}
	}
}
