package sandbox

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// The calls of a box, by a number.
func fuzzedCall(ctx context.Context, b *Box, which byte) (held int, err error) {
	switch which % 5 {
	case 0:
		var r Result
		r, err = b.Run(ctx, Command{Args: []string{"true"}, Stdin: []byte("in"), Timeout: 100 * time.Millisecond, Head: 10, Tail: 10})
		if err == nil && (len(r.Head) > 10 || len(r.Tail) > 10 || len(r.Left) > wire.MaxLeft) {
			err = errors.New("more than was asked for")
		}
		return len(r.Head) + len(r.Tail), err
	case 1:
		f, data, err := b.ReadFile(ctx, "f", 10)
		if len(data) > 10 || f.Path != "f" {
			err = errors.New("more than was asked for")
		}
		return len(data), err
	case 2:
		_, _, err := b.WriteFile(ctx, "f", []byte("out"))
		return 0, err
	case 3:
		left, err := b.Left(ctx)
		if len(left.Output) > wire.MaxRecent || len(left.Running) > wire.MaxLeft {
			err = errors.New("more than was asked for")
		}
		return len(left.Output), err
	default:
		entries, _, err := b.List(ctx, "d", 1, 2)
		if len(entries) > 2 {
			err = errors.New("more than was asked for")
		}
		return len(entries), err
	}
}

// judge says what must hold after any call, whatever the box did: an answer
// that can be, or the box is destroyed and its loss told in a few printable words.
func judge(t *testing.T, b *Box, err error, took time.Duration) {
	t.Helper()
	if took > 10*time.Second {
		t.Fatalf("it took %s", took)
	}
	if err == nil {
		return
	}
	if len(err.Error()) > 2000 {
		t.Fatalf("an error of %d bytes", len(err.Error()))
	}
	if i := strings.IndexFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) && r != '\uFFFD' }); i >= 0 {
		t.Fatalf("the error can't be printed: %q", err)
	}
	var refused *fs.PathError
	switch lost := errors.Is(err, ErrBoxLost); {
	case lost == errors.As(err, &refused):
		t.Fatalf("an error of no known kind: %v", err)
	case lost && !b.conn.(*hostileConn).closed.Load():
		t.Fatalf("lost and not destroyed: %v", err)
	case lost && b.Lost() == nil:
		t.Fatalf("lost and still to be had: %v", err)
	}
}

// FuzzAnswer: no answer of an agent that speaks the stream's protocol makes a
// call panic, hang, or believe what can't be.
func FuzzAnswer(f *testing.F) {
	head := "HTTP/1.1 200 OK\r\n"
	file := head + wire.FileHeader + `: {"kind":"file","size":2,"mode":420}` + "\r\n"
	chunked := head + "Transfer-Encoding: chunked\r\n"
	for which, answers := range map[byte][]string{
		0: {
			head + "\r\n" + frame('h', 2, "hi") + result1(`{"exit":0,"nanos":1}`),
			chunked + "\r\n5\r\n" + frame('h', 0, "") + "\r\n0\r\nTrailer: \x1b[2J\r\n\r\n",
			chunked + "\r\n" + strings.Repeat("1;ext=\""+strings.Repeat("x", 50)+"\"\r\nh\r\n", 40),
			chunked + "\r\n0\r\n" + strings.Repeat("T: x\r\n", 2000) + "\r\n",
			chunked + "Content-Length: 3\r\n\r\n0\r\n\r\n",
			head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
			head + "Content-Length: 18446744073709551617\r\n\r\n",
			head + "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff",
			head + "\x1b]0;title\x07 no header\r\n\r\n",
			head + "Bad\x1b[2JName: x\r\n\r\n",
			head + " folded\r\n\r\n",
			head + strings.Repeat("no colon ", 1000) + "\r\n\r\n",
			"HTTP/1.1 " + strings.Repeat("9", 3000) + "\r\n\r\n",
			"HTTP/1.1 \x1b[2J\r\n\r\n",
			"HTTP/9.9 200 OK\r\n\r\n",
			strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20) + head + "\r\n",
			"HTTP/1.1 204 No Content\r\n\r\nleft" + head,
			head + "Content-Length: 0\r\n\r\n" + strings.Repeat(head+"\r\n", 5),
		},
		1: {
			file + "\r\nhi", file + "\r\nmore than was asked for",
			head + wire.FileHeader + ": {}\r\n" + wire.FileHeader + ": {\"kind\":\"file\"}\r\n\r\n",
			"HTTP/1.1 422 No\r\n\r\n{\"reason\":\"is-dir\",\"message\":\"\x1b\",\"file\":{\"kind\":\"dir\"}}",
			"HTTP/1.1 422 No\r\n\r\n{\"reason\":\"other\",\"message\":\"\\u001b[2J\\u202e\"}",
		},
		2: {head + "\r\n{\"existed\":true,\"before\":{\"kind\":\"link\"}}", "HTTP/1.1 422 No\r\n\r\n{\"reason\":\"not-exist\"}"},
		3: {head + "\r\n" + `{"left":[{"pid":7,"command":"sleep"}],"output":"aGk="}`, "HTTP/1.1 422 No\r\n\r\n{\"reason\":\"other\"}"},
		4: {head + "\r\n" + `{"entries":[{"path":"YQ==","kind":"file"}],"more":true}`, head + "\r\nnull"},
	} {
		for _, answer := range answers {
			f.Add(which, []byte(answer))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, answer []byte) {
		b := openHostile(t, answering(func(w io.Writer) { w.Write(answer) }))
		begun := time.Now()
		_, err := fuzzedCall(t.Context(), b, which)
		judge(t, b, err, time.Since(begun))
	})
}

// FuzzStream: the same for an agent that does not even speak that protocol.
func FuzzStream(f *testing.F) {
	ack := "\x00\x01\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00"
	data := func(s string) string {
		return "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" + string(rune(len(s))) + s
	}
	end := "\x00\x01\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00"
	f.Add(byte(0), []byte(ack+data(ok)+data(frame('h', 2, "hi")+result1(`{"exit":0}`))+end))
	f.Add(byte(0), []byte(data(ok)+end+end))
	f.Add(byte(1), []byte(ack+"\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00"))
	f.Add(byte(2), []byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Add(byte(3), []byte(ack+data(ok)+data("{}")+end))
	f.Add(byte(4), []byte(ack+data(ok)+data("null")+end))
	f.Add(byte(0), []byte(ack+strings.Repeat("\x00\x01\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff", 3)))
	f.Fuzz(func(t *testing.T, which byte, in []byte) {
		b := openHostile(t, func(c net.Conn) {
			var reading sync.WaitGroup
			defer reading.Wait()
			reading.Go(func() { io.Copy(io.Discard, c) })
			c.Write(in)
			c.Close()
		})
		begun := time.Now()
		_, err := fuzzedCall(t.Context(), b, which)
		judge(t, b, err, time.Since(begun))
	})
}

// An answer that says it is compressed is taken as it is: a megabyte of zeros
// in a kilobyte is nothing that the host unpacks.
func TestAnswersAreNotUnpacked(t *testing.T) {
	b := openHostile(t, speaking(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("the host asks for %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set(wire.FileHeader, `{"kind":"file"}`)
		io.WriteString(w, "\x1f\x8b\x08\x00packed")
	}))
	_, data, err := b.ReadFile(t.Context(), "f", 100)
	if err != nil || string(data) != "\x1f\x8b\x08\x00packed" {
		t.Errorf("got %q, %v", data, err)
	}
}
