package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// patient is how long the host may take over bytes that have all arrived, on
// a machine that does much else.
const patient = 10 * time.Second

// FuzzHandshake: whatever a box greets with, the host reads one line of it and
// no byte more, and says what was wrong in few and printable words.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(`{"protocol":1}`+"\nrest"), false)
	f.Add([]byte(`{"protocol":1,"build":"abc"}`+"\n"), true)
	f.Add([]byte(`{"protocol":2,"build":"\u001b[2J"}`+"\n"), true)
	f.Add([]byte("\x1b[2J\n"), false)
	f.Add([]byte(`{"protocol":1e99}`+"\n"), false)
	f.Add(bytes.Repeat([]byte("["), maxHello+1), false)
	f.Fuzz(func(t *testing.T, answer []byte, check bool) {
		in := bytes.NewReader(answer)
		got, err := Handshake(rw{in, io.Discard}, Hello{Build: "abc", Check: check})
		line, _, whole := bytes.Cut(answer, []byte("\n"))
		if read := len(answer) - in.Len(); read > len(line)+1 || read > maxHello+1 {
			t.Fatalf("%d bytes were read of a line of %d", read, len(line))
		}
		var mismatch *MismatchError
		switch {
		case err == nil:
			if got.Protocol != Version || check && got.Build != "abc" || !whole {
				t.Fatalf("believed %q: %+v", answer, got)
			}
		case errors.As(err, &mismatch) || errors.Is(err, ErrProtocol):
			plainly(t, err)
		case !whole && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		default:
			t.Fatalf("an error of no known kind: %v", err)
		}
	})
}

// FuzzClient: bytes of a box behind the handshake make the host's end of the
// stream neither panic nor hang, and what it holds of them is at most what
// came, at most one window a stream.
func FuzzClient(f *testing.F) {
	ack := "\x00\x01\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00"
	data := "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02hi"
	f.Add([]byte(ack + data + "\x00\x01\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00\x00\x02hi"))                        // established and half closed in one
	f.Add([]byte(ack + strings.Repeat("\x00\x01\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff", 8))) // windows that overflow
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x63\x00\x00\x00\x05hello" + ack))               // for a stream that there is not
	f.Add([]byte(ack + "\x00\x01\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00" + "\x00\x01\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00" + ack + data)) // reset, then spoken on
	f.Add([]byte(strings.Repeat("\x00\x02\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07", 8)))
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x01\x00\x03\xff\xffcut"))
	f.Fuzz(func(t *testing.T, in []byte) {
		host, box := net.Pipe()
		defer box.Close()
		session, err := Client(host)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		go io.Copy(io.Discard, box)
		stream, err := session.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		go stream.Write([]byte("a request"))
		go func() {
			box.Write(in)
			box.Close()
		}()
		if err := stream.SetReadDeadline(time.Now().Add(patient)); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(stream)
		if len(got) > len(in) {
			t.Fatalf("%d bytes in, %d out", len(in), len(got))
		}
		select {
		case <-session.CloseChan():
		case <-time.After(patient):
			t.Fatal("the box is gone and the session lives")
		}
	})
}

// FuzzSealed: what comes out of a sealed stream is what its other side put in,
// up to the first byte that somebody touched, cut off or added.
func FuzzSealed(f *testing.F) {
	f.Add([]byte("hello, host"), 3, byte(1), 100)
	f.Add([]byte("hello, host"), 0, byte(0), 5)
	f.Add(bytes.Repeat([]byte("x"), 3*maxSealed), maxSealed+40, byte(0x80), 1<<20)
	f.Fuzz(func(t *testing.T, plain []byte, at int, touch byte, most int) {
		key := make([]byte, KeySize)
		var sent bytes.Buffer
		agent, err := Seal(closer{rw{nil, &sent}}, key, false)
		if err != nil {
			t.Fatal(err)
		}
		for rest := plain; len(rest) > 0; {
			n := min(len(rest), 1+len(plain)/3)
			if _, err := agent.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		stream := sent.Bytes()
		whole := len(stream)
		stream = stream[:min(whole, max(0, most))]
		touched := touch != 0 && at >= 0 && at < len(stream)
		if touched {
			stream[at] ^= touch
		}
		host, err := Seal(closer{rw{bytes.NewReader(stream), io.Discard}}, key, true)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(host)
		if !bytes.HasPrefix(plain, got) {
			t.Fatalf("%d bytes came out that never went in", len(got))
		}
		if touched && err == nil || !touched && len(stream) == whole && (err != nil || len(got) != len(plain)) {
			t.Fatalf("%d of %d bytes and error %v, touched %v", len(got), len(plain), err, touched)
		}
		if err != nil && !errors.Is(err, ErrProtocol) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("an error of no known kind: %v", err)
		}
	})
}

type closer struct{ io.ReadWriter }

func (closer) Close() error { return nil }

// FuzzAnswers: the JSON of an answer is one of what it may be or an error that
// says that the box broke the protocol; nothing that is held grows with what
// the box claims.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"entries":[{"path":"YQ==","kind":"file","size":1,"mode":420}],"more":true}`))
	f.Add([]byte(`{"reason":"not-exist","message":"no such file","file":{"kind":"dir"}}`))
	f.Add([]byte(`{"existed":true,"before":{"kind":"file"}}`))
	f.Add([]byte(`{"left":[{"pid":7,"command":"sleep\u001b"}],"output":"aGk=","dropped":3}`))
	f.Add([]byte(`{"entries":[` + strings.Repeat(`{},`, MaxEntries) + `{}]}`))
	f.Add([]byte(strings.Repeat("[", 20000)))
	f.Add([]byte(`{"message":"` + strings.Repeat("\u001b", 300) + `"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var list List
		if known(t, ReadJSON(bytes.NewReader(in), MaxList, &list)) && len(list.Entries) > MaxEntries {
			t.Fatalf("a listing of %d entries", len(list.Entries))
		}
		if e, err := ReadError(bytes.NewReader(in)); known(t, err) {
			plainly(t, e)
		}
		var over LeftOver
		if known(t, ReadJSON(bytes.NewReader(in), MaxLeftOver, &over)) && known(t, over.Check()) {
			for _, p := range over.Left {
				onlyPrintable(t, p.Command)
			}
			if len(over.Output) > MaxRecent || len(over.Left) > MaxLeft {
				t.Fatalf("%d bytes and %d processes left", len(over.Output), len(over.Left))
			}
		}
		var wrote Wrote
		known(t, ReadJSON(bytes.NewReader(in), MaxHeader, &wrote))
		var r Result
		if json.Unmarshal(in, &r) == nil {
			out := Output{Head: make([]byte, 1), Tail: make([]byte, 1)}
			if checkResult(r, &out, 1, 1) == nil && (len(r.Left) > MaxLeft || r.Exit > 255 || r.Exit < -1 || r.Nanos < 0) {
				t.Fatalf("believed %+v", r)
			}
		}
	})
}

// known says that there is no error; one must be of the protocol.
func known(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, ErrProtocol) {
		t.Fatalf("an error of no known kind: %v", err)
	}
	return err == nil
}

// FuzzPrintable: what is shown of a box's words is short, is text, and moves no
// terminal.
func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[2J\u202e\xff", 5)
	f.Add("äöü", 1)
	f.Add("", -1)
	f.Fuzz(func(t *testing.T, in string, n int) {
		out := Printable(in, n)
		if len(out) > max(n, 0) {
			t.Fatalf("%d bytes, at most %d were asked for", len(out), n)
		}
		onlyPrintable(t, out)
	})
}

// plainly checks the words of an error that a box had a part in.
func plainly(t *testing.T, err error) {
	t.Helper()
	if len(err.Error()) > 1000 {
		t.Fatalf("an error of %d bytes", len(err.Error()))
	}
	onlyPrintable(t, err.Error())
}

func onlyPrintable(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("%q is no text", s)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\uFFFD' }); i >= 0 {
		t.Fatalf("%q at %d can't be printed", s, i)
	}
}
