package docker

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/docker/docker/api/types/container"
)

// FuzzFollow: whatever an engine tells of its progress, it ends, is shown as
// short lines that move no terminal, and a failure shows few of them.
func FuzzFollow(f *testing.F) {
	f.Add([]byte(`{"stream":"Step 1/2 : FROM x\n"}` + "\r\n" + `{"stream":"a\u001b[2J"}` + "\n" + `{"errorDetail":{"code":1,"message":"x\u0007"}}`))
	f.Add([]byte(`{"status":"Pull complete","id":"\u202e"}`))
	f.Add([]byte(`{"stream":"` + strings.Repeat(`x\n`, 3000) + `"}` + "\n" + `{"error":"` + strings.Repeat("y", 3000) + `"}`))
	f.Add([]byte("\x1b[2J"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var shown strings.Builder
		_, err := follow(bytes.NewReader(in), &shown)
		for line := range strings.SplitSeq(shown.String(), "\n") {
			shortAndPlain(t, line, lineBytes)
		}
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				shortAndPlain(t, line, 2000)
			}
			if len(err.Error()) > (lastLines+1)*lineBytes+2000 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
		}
	})
}

// FuzzDiagnosis: what is said of a box that ended is one short line, whatever
// its agent and the engine said.
func FuzzDiagnosis(f *testing.F) {
	f.Add([]byte("last words\n"), "", int64(137))
	f.Add([]byte("\x1b]0;title\x07\xff"), "\u202eerror\n", int64(-1))
	f.Add(bytes.Repeat([]byte("x"), 10000), strings.Repeat("y", 10000), int64(0))
	f.Fuzz(func(t *testing.T, words []byte, engine string, status int64) {
		r := container.WaitResponse{StatusCode: status}
		if engine != "" {
			r.Error = &container.WaitExitError{Message: engine}
		}
		c := &conn{exited: make(chan struct{}), exit: describeExit(r, 1<<30, func() bool { return true })}
		close(c.exited)
		if _, err := c.out.errs.Write(words); err != nil {
			t.Fatal(err)
		}
		shortAndPlain(t, c.Diagnosis(), 1<<10)
	})
}

func shortAndPlain(t *testing.T, line string, most int) {
	t.Helper()
	if len(line) > most {
		t.Fatalf("a line of %d bytes", len(line))
	}
	if !utf8.ValidString(line) {
		t.Fatalf("%q is no text", line)
	}
	if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) && r != '\uFFFD' }) {
		t.Fatalf("%q can't be printed", line)
	}
}

// FuzzDemux: whatever comes in, there is an end to it, no more comes out than
// came in, little is kept, and an end that is not between two frames is no
// clean one. What comes out does not depend on how the bytes are cut.
func FuzzDemux(f *testing.F) {
	f.Add([]byte(frame(streamOut, "hello")+frame(streamErr, "oops")), 1)
	f.Add([]byte(frame(streamFault, "x\x1b[2J")), 3)
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255, 'x'}, 7)
	f.Add([]byte(strings.Repeat(frame(streamErr, ""), 5)), 2)
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		whole, pieces := &demux{r: bytes.NewReader(in)}, &demux{r: cut{bytes.NewReader(in), max(1, piece%16)}}
		want, wantErr := io.ReadAll(whole)
		got, err := io.ReadAll(pieces)
		if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) || whole.errs.String() != pieces.errs.String() {
			t.Fatalf("at once %d bytes, %v; in pieces %d, %v", len(want), wantErr, len(got), err)
		}
		if len(want) > len(in) || len(whole.errs.String()) > keepErr {
			t.Fatalf("%d bytes in, %d out, %d kept", len(in), len(want), len(whole.errs.String()))
		}
		if wantErr == nil && whole.left > 0 {
			t.Fatal("a clean end in the middle of a frame")
		}
		if wantErr != nil && !errors.Is(wantErr, io.ErrUnexpectedEOF) {
			shortAndPlain(t, wantErr.Error(), 500)
		}
	})
}

// cut gives at most n bytes at a time.
type cut struct {
	r io.Reader
	n int
}

func (c cut) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }
