package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shake runs both halves of the handshake over a pipe.
func shake(t *testing.T, want Hello, build string) (Hello, error, error) {
	t.Helper()
	host, box := net.Pipe()
	defer host.Close()
	answered := make(chan error)
	go func() {
		_, err := Answer(box, func() (string, error) { return build, nil })
		answered <- err
	}()
	got, err := Handshake(host, want)
	return got, err, <-answered
}

func TestHandshake(t *testing.T) {
	got, err, agent := shake(t, Hello{Build: "abc", Check: true}, "abc")
	if err != nil || agent != nil || got.Build != "abc" || got.Protocol != Version {
		t.Errorf("same build: %+v, %v, %v", got, err, agent)
	}
	// Hashing costs the agent milliseconds of each start: not without being asked.
	got, err, _ = shake(t, Hello{Build: "abc"}, "other")
	if err != nil || got.Build != "" {
		t.Errorf("without a check: %+v, %v", got, err)
	}
	_, err, _ = shake(t, Hello{Build: "abc", Check: true}, "other")
	var mismatch *MismatchError
	if !errors.As(err, &mismatch) || mismatch.What != "build" || mismatch.Got != "other" {
		t.Errorf("another build: %v", err)
	}
}

// TestHandshakeHostile: the first line of a box is as hostile as all others.
func TestHandshakeHostile(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":       "",
		"half":          `{"protocol":1`,
		"no JSON":       "hello\n",
		"too long":      strings.Repeat(" ", 1<<20),
		"protocol as x": `{"protocol":"x"}` + "\n",
	} {
		if _, err := Handshake(rw{strings.NewReader(answer), io.Discard}, Hello{}); err == nil || len(err.Error()) > 500 {
			t.Errorf("%s: %.600v", name, err)
		}
	}
	var mismatch *MismatchError
	_, err := Handshake(rw{strings.NewReader(`{"protocol":2}` + "\n"), io.Discard}, Hello{})
	if !errors.As(err, &mismatch) || mismatch.What != "protocol" {
		t.Errorf("another protocol: %v", err)
	}
	rest := strings.NewReader(`{"protocol":1}` + "\nrest")
	if _, err := Handshake(rw{rest, io.Discard}, Hello{}); err != nil || rest.Len() != 4 {
		t.Errorf("%d bytes are left of what follows, %v", rest.Len(), err)
	}
}

type rw struct {
	io.Reader
	io.Writer
}

// TestFrames: what the agent's writer writes, the host's reader reads, however
// the bytes are cut on the way.
func TestFrames(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	head, tail := bytes.Repeat([]byte("h"), 200<<10), bytes.Repeat([]byte("t"), 100<<10)
	want := Result{Exit: 3, Elided: 7, Nanos: 9, Saved: true, Left: []Process{{PID: 2, Command: "a\x1b[2J" + strings.Repeat("b", 300)}}}
	for _, err := range []error{w.Head(head), w.Tail(tail), w.Result(want)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var out Output
	got, err := ReadFrames(iotest.OneByteReader(&b), len(head), len(tail), &out)
	if err != nil || !bytes.Equal(out.Head, head) || !bytes.Equal(out.Tail, tail) || got.Exit != 3 || got.Elided != 7 || !got.Saved {
		t.Errorf("%+v, %v, %d and %d bytes", got, err, len(out.Head), len(out.Tail))
	}
	if name := got.Left[0].Command; len(name) > MaxName || strings.ContainsRune(name, '\x1b') {
		t.Errorf("name %q", name)
	}
}

// FuzzReadFrames: no bytes make the reader panic, hold more than was asked
// for, or believe a result that can't be.
func FuzzReadFrames(f *testing.F) {
	f.Add([]byte("h\x00\x00\x00\x01xr\x00\x00\x00\x0a{\"exit\":0}"), 1, 1)
	f.Add([]byte("h\x00\x00\x00\x02xyt\x00\x00\x00\x01zr\x00\x00\x00\x14{\"exit\":1,\"elided\":5}"), 2, 1)
	f.Add([]byte("r\xff\xff\xff\xff"), 0, 0)
	f.Add([]byte("t\x00\x00\x00\x00"), 0, 5)
	f.Add([]byte("r\x00\x00\x00\x1c{\"exit\":-1,\"signal\":\"SIGHUP\"}"), 0, 0)
	f.Fuzz(func(t *testing.T, data []byte, head, tail int) {
		if head < 0 || tail < 0 || head > 1<<20 || tail > 1<<20 {
			return
		}
		var out Output
		r, err := ReadFrames(bytes.NewReader(data), head, tail, &out)
		if len(out.Head) > head || len(out.Tail) > tail {
			t.Fatalf("%d and %d bytes, asked for %d and %d", len(out.Head), len(out.Tail), head, tail)
		}
		if err == nil && (r.Exit < -1 || r.Exit > 255 || r.Elided < 0 || r.Nanos < 0 || len(r.Left) > MaxLeft) {
			t.Fatalf("believed %+v", r)
		}
	})
}

// FuzzGuard: the guard finds the same frames however the bytes are cut.
func FuzzGuard(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02xy\x00\x02\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07"))
	f.Add([]byte("\x00\x01\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, pieces := &guarded{}, &guarded{}
		want := whole.check(data)
		var got error
		for i := 0; i < len(data) && got == nil; i++ {
			got = pieces.check(data[i : i+1])
		}
		if (got == nil) != (want == nil) {
			t.Fatalf("at once %v, in pieces %v", want, got)
		}
	})
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"ls -l":         "ls -l",
		"a\x00b\tc\nd":  "a b c d",
		"\x1b[2J":       "\uFFFD[2J",
		"a\xffb":        "a\uFFFDb",
		"r\u202Etl":     "r\uFFFDtl",
		"äöü äöü äöü":   "äöü äö",
		"0123456789abc": "0123456789",
	} {
		max := 100
		if len(in) > 12 {
			max = 10
		}
		if got := Printable(in, max); got != want && max == 100 || len(got) > max {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
