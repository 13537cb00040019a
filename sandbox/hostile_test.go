package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// hostile is an engine whose box is whatever serve makes of the other end of
// the stream: what a box could do if the agent in it were somebody else's.
type hostile struct {
	serve func(net.Conn)
	ended chan struct{}
}

type hostileConn struct {
	net.Conn
	closed atomic.Bool
}

func (h *hostile) Start(context.Context, Spec) (Conn, error) {
	host, box := net.Pipe()
	h.ended = make(chan struct{})
	go func() {
		defer close(h.ended)
		h.serve(box)
		// What the agent sends no more does not end the stream by itself.
		io.Copy(io.Discard, box)
		box.Close()
	}()
	return &hostileConn{Conn: host}, nil
}

func (c *hostileConn) ID() string        { return "hostile" }
func (c *hostileConn) Diagnosis() string { return "it said:\033[2J" }
func (c *hostileConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// openHostile opens a box whose grace is short.
func openHostile(t *testing.T, serve func(net.Conn)) *Box {
	t.Helper()
	h := &hostile{serve: serve}
	b, err := Open(context.Background(), h, Spec{Limits: DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	b.grace = 50 * time.Millisecond
	t.Cleanup(func() {
		b.Close()
		<-h.ended
	})
	return b
}

// speaking serves HTTP over yamux like an agent, with a handler that is none of ours.
func speaking(handler http.HandlerFunc) func(net.Conn) {
	return func(c net.Conn) {
		session, err := wire.Server(c)
		if err != nil {
			panic(err)
		}
		(&http.Server{Handler: handler}).Serve(session)
	}
}

// answering serves one raw answer to each request.
func answering(answer func(w io.Writer)) func(net.Conn) {
	return func(c net.Conn) {
		session, err := wire.Server(c)
		if err != nil {
			panic(err)
		}
		for {
			stream, err := session.Accept()
			if err != nil {
				return
			}
			stream.Read(make([]byte, 1<<10))
			answer(stream)
			stream.Close()
		}
	}
}

// frame is a raw frame whose length may lie.
func frame(kind byte, length uint32, payload string) string {
	head := binary.BigEndian.AppendUint32([]byte{kind}, length)
	return string(head) + payload
}

func frames(s string) func(net.Conn) {
	return speaking(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) })
}

const ok = "HTTP/1.1 200 OK\r\n\r\n"

// endless writes until it can't.
func endless(w io.Writer, what string) {
	block := []byte(strings.Repeat(what, 1+4096/len(what)))
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// TestHostileRun: whatever an agent answers to a command, the host has its
// result or its error in time, the box is destroyed, and no result is made up.
func TestHostileRun(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"no yamux":           func(c net.Conn) { io.WriteString(c, strings.Repeat("HTTP/1.1 200 OK\r\n\r\n", 10)) },
		"endless noise":      func(c net.Conn) { go io.Copy(io.Discard, c); endless(c, "\x00\xff") },
		"closed at once":     func(c net.Conn) { c.Close() },
		"goes away":          func(c net.Conn) { c.Write([]byte{0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) },
		"opens streams":      func(c net.Conn) { openStreams(c) },
		"pings, never reads": func(c net.Conn) { endless(c, "\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01") },
		"long yamux frame":   func(c net.Conn) { c.Write([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}) },
		"beyond the window":  beyondWindow,
		"no HTTP":            answering(func(w io.Writer) { io.WriteString(w, "hello\r\n\r\n") }),
		"endless header":     answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\n"); endless(w, "A: b\r\n") }),
		"one endless line":   answering(func(w io.Writer) { endless(w, "x") }),
		"endless 1xx":        answering(func(w io.Writer) { endless(w, "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n") }),
		"lying about length": answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nr") }),
		"negative length":    answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n") }),
		"nonsense chunks":    answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") }),
		"endless chunk line": answering(func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			endless(w, "1")
		}),
		"another status": answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 500 No\r\n\r\n") }),
		"a redirect": answering(func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n")
		}),
		"an upgrade": answering(func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		}),
		"an error as a file":  answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 422 No\r\n\r\n{\"reason\":\"other\"}") }),
		"no frame":            frames(""),
		"half a header":       frames("h\x00"),
		"half a frame":        frames(frame('h', 10, "half")),
		"a frame of 4 GiB":    frames(frame('h', 0xffffffff, "x")),
		"an empty frame":      frames(frame('h', 0, "")),
		"an unknown frame":    frames(frame('x', 1, "x")),
		"more head":           frames(frame('h', 11, "12345678901")),
		"more head, in parts": frames(strings.Repeat(frame('h', 6, "123456"), 2)),
		"tail first":          frames(frame('t', 1, "x")),
		"endless head":        answering(func(w io.Writer) { io.WriteString(w, ok); endless(w, frame('h', 1, "x")) }),
		"more tail":           frames(frame('h', 10, "1234567890") + frame('t', 11, "12345678901")),
		"head after tail":     frames(frame('h', 10, "1234567890") + frame('t', 1, "x") + frame('h', 1, "x")),
		"no result":           frames(frame('h', 4, "only")),
		"no JSON":             frames(frame('r', 4, "only")),
		"a huge result":       frames(frame('r', 1<<20, strings.Repeat(" ", 1<<20))),
		"exit and signal":     frames(result1(`{"exit":0,"signal":"SIGKILL"}`)),
		"exit 256":            frames(result1(`{"exit":256}`)),
		"signal in colour":    frames(result1(`{"exit":-1,"signal":"SIG\u001b[31m"}`)),
		"negative count":      frames(result1(`{"elided":-1}`)),
		"elided too early":    frames(result1(`{"elided":1}`)),
		"negative time":       frames(result1(`{"nanos":-1}`)),
		"too many left":       frames(result1(`{"left":[` + strings.Repeat(`{"pid":2},`, 20) + `{"pid":2}]}`)),
		"process zero":        frames(result1(`{"left":[{"pid":0}]}`)),
		"an unknown limit":    frames(result1(`{"limits":["budget"]}`)),
		"the host's limit":    frames(result1(`{"limits":["disk"]}`)),
		"a limit twice":       frames(result1(`{"limits":["memory","memory"]}`)),
		"limits without end":  frames(result1(`{"limits":["memory"` + strings.Repeat(`,"memory"`, 5000) + `]}`)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openHostile(t, serve)
			r, err := b.Run(context.Background(), Command{Args: []string{"true"}, Timeout: 10 * time.Second, Head: 10, Tail: 10})
			if !errors.Is(err, ErrBoxLost) {
				t.Fatalf("got %+v and error %v, want ErrBoxLost", r, err)
			}
			if strings.ContainsRune(err.Error(), '\033') || len(err.Error()) > 2000 {
				t.Errorf("the error carries what the box said: %q", err)
			}
			wantDestroyed(t, b)
		})
	}
}

// What a box says of what is left in it is bounded and checked like a result;
// the limits that it can know are taken over.
func TestHostileLeft(t *testing.T) {
	for answer, want := range map[string][]Limit{
		`{"limits":["memory","pids"]}`:   {LimitMemory, LimitPIDs},
		`{"limits":["budget"]}`:          nil,
		`{"limits":["disk"]}`:            nil,
		`{"limits":["memory","memory"]}`: nil,
		`{"limits":["\u001b[31m"]}`:      nil,
		`{"limits":["memory"` + strings.Repeat(`,"memory"`, 50_000) + `]}`: nil,
	} {
		b := openHostile(t, speaking(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
		left, err := b.Left(t.Context())
		if want != nil {
			if err != nil || !slices.Equal(left.Hit, want) {
				t.Errorf("%s: limits %q, %v", answer, left.Hit, err)
			}
			continue
		}
		if !errors.Is(err, ErrBoxLost) || len(err.Error()) > 2000 || len(left.Hit) > 0 {
			t.Errorf("%.100s: limits %q, %v", answer, left.Hit, err)
		}
		wantDestroyed(t, b)
	}
}

func result1(json string) string { return frame('r', uint32(len(json)), json) }

// openStreams opens streams without end.
func openStreams(c net.Conn) {
	session, err := yamux.Server(c, nil)
	if err != nil {
		panic(err)
	}
	for {
		if _, err := session.Open(); err != nil {
			return
		}
	}
}

// beyondWindow sends more on the host's first stream than it said it takes.
func beyondWindow(c net.Conn) {
	go io.Copy(io.Discard, c)
	block := append([]byte{0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0, 0}, bytes.Repeat([]byte("x"), 64<<10)...)
	for {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

// forNobody sends data of a stream that there is not.
func forNobody(c net.Conn) {
	go io.Copy(io.Discard, c)
	endless(c, string(append([]byte{0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0x10, 0}, make([]byte, 4096)...)))
}

func wantDestroyed(t *testing.T, b *Box) {
	t.Helper()
	if !b.conn.(*hostileConn).closed.Load() {
		t.Error("the box was not destroyed")
	}
	if _, err := b.Run(context.Background(), Command{Args: []string{"true"}}); !errors.Is(err, ErrBoxLost) {
		t.Errorf("use after it: got error %v, want ErrBoxLost", err)
	}
}

// TestHardDeadline: an agent that does not keep a command's time is not waited
// for, however busy it looks, and what had come until then is not lost.
func TestHardDeadline(t *testing.T) {
	// begin answers with some output and does not end.
	begin := func(output string) func(net.Conn, <-chan struct{}) {
		return func(c net.Conn, done <-chan struct{}) {
			speaking(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, output)
				w.(http.Flusher).Flush()
				<-done
			})(c)
		}
	}
	for name, serve := range map[string]func(net.Conn, <-chan struct{}){
		"silent":                   begin(frame('h', 5, "begun")),
		"in the middle of a frame": begin(frame('h', 10, "begun")),
		"byte by byte": func(c net.Conn, done <-chan struct{}) {
			answering(func(w io.Writer) {
				io.WriteString(w, ok+frame('h', 5, "begun"))
				for tick := time.Tick(40 * time.Millisecond); ; <-tick {
					if _, err := io.WriteString(w, frame('h', 1, "x")); err != nil {
						return
					}
				}
			})(c)
		},
		"in the middle of a yamux frame": func(c net.Conn, done <-chan struct{}) {
			go io.Copy(io.Discard, c)
			c.Write([]byte{0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0})
			c.Write(append([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0}, ok[:5]...))
			<-done
		},
		"never reads":     func(c net.Conn, done <-chan struct{}) { <-done },
		"data for nobody": func(c net.Conn, done <-chan struct{}) { forNobody(c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openHostile(t, func(c net.Conn) { serve(c, t.Context().Done()) })
			began := time.Now()
			r, err := b.Run(context.Background(), Command{Args: []string{"true"}, Stdin: make([]byte, 1<<20), Timeout: 200 * time.Millisecond, Head: 1000})
			if err != nil || !r.TimedOut || r.Success() {
				t.Fatalf("got %+v and error %v, want a timeout", r, err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if name != "never reads" && !strings.Contains(name, "yamux") && name != "data for nobody" && !bytes.HasPrefix(r.Head, []byte("begun")) {
				t.Errorf("the head is lost: %q", r.Head)
			}
			wantDestroyed(t, b)
		})
	}
}

// TestHostileFiles: the same for what is said about files.
func TestHostileFiles(t *testing.T) {
	header := func(file, body string) func(net.Conn) {
		return answering(func(w io.Writer) {
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\n%s: %s\r\n\r\n%s", wire.FileHeader, file, body)
		})
	}
	body := func(json string) func(net.Conn) {
		return answering(func(w io.Writer) { io.WriteString(w, ok+json) })
	}
	read := func(b *Box) error { _, _, err := b.ReadFile(context.Background(), "f", 10); return err }
	write := func(b *Box) error { _, _, err := b.WriteFile(context.Background(), "f", nil); return err }
	list := func(b *Box) error { _, _, err := b.List(context.Background(), "d", 1, 2); return err }
	entry := func(path string) string {
		return fmt.Sprintf(`{"entries":[{"path":%q,"kind":"file"}]}`, base64Of(path))
	}
	for name, test := range map[string]struct {
		serve func(net.Conn)
		call  func(*Box) error
	}{
		"read, no header":       {header("", "x"), read},
		"read, unknown kind":    {header(`{"kind":"door"}`, "x"), read},
		"read, negative size":   {header(`{"kind":"file","size":-1}`, "x"), read},
		"read, setuid and more": {header(`{"kind":"file","mode":65536}`, "x"), read},
		"read, cut": {answering(func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"+wire.FileHeader+": {\"kind\":\"file\"}\r\n\r\nx")
		}), read},
		"write, no JSON":        {body("yes"), write},
		"write, endless":        {answering(func(w io.Writer) { io.WriteString(w, ok); endless(w, " ") }), write},
		"write, unknown kind":   {body(`{"existed":true,"before":{"kind":"door"}}`), write},
		"list, more than asked": {body(`{"entries":[` + strings.Repeat(`{"path":"YQ==","kind":"file"},`, 2) + `{"path":"YQ==","kind":"file"}]}`), list},
		"list, absolute":        {body(entry("/etc/passwd")), list},
		"list, upwards":         {body(entry("a/../../b")), list},
		"list, empty":           {body(entry("")), list},
		"list, NUL":             {body(entry("a\x00")), list},
		"list, endless":         {answering(func(w io.Writer) { io.WriteString(w, ok+`{"entries":[`); endless(w, `{},`) }), list},
		"refused, endless":      {answering(func(w io.Writer) { io.WriteString(w, "HTTP/1.1 422 No\r\n\r\n"); endless(w, " ") }), read},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openHostile(t, test.serve)
			if err := test.call(b); !errors.Is(err, ErrBoxLost) {
				t.Fatalf("got error %v, want ErrBoxLost", err)
			}
			wantDestroyed(t, b)
		})
	}
}

// TestRefusal: a refusal keeps the box, and what the box says of it is bounded
// and harmless on a terminal.
func TestRefusal(t *testing.T) {
	b := openHostile(t, answering(func(w io.Writer) {
		io.WriteString(w, "HTTP/1.1 422 No\r\n\r\n{\"reason\":\"new\",\"message\":\"\\u001b[2J"+strings.Repeat("x", 3000)+"\"}")
	}))
	_, _, err := b.ReadFile(context.Background(), "f", 10)
	var p *fs.PathError
	if !errors.As(err, &p) || len(err.Error()) > 600 || strings.ContainsRune(err.Error(), '\033') {
		t.Fatalf("got error %.1000q, want a short *fs.PathError", err)
	}
	if b.Lost() != nil {
		t.Error("the box is lost")
	}
}

// TestStreamsAreBounded: an agent that answers well, ends none of its streams and
// fills the window of each is noticed before that is much.
func TestStreamsAreBounded(t *testing.T) {
	b := openHostile(t, func(c net.Conn) {
		session, err := wire.Server(c)
		if err != nil {
			panic(err)
		}
		for {
			stream, err := session.Accept()
			if err != nil {
				return
			}
			go func() {
				stream.Read(make([]byte, 1<<10))
				io.WriteString(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				endless(stream, "x")
			}()
		}
	})
	for calls := 1; ; calls++ {
		_, _, err := b.List(t.Context(), "d", 1, 1)
		if errors.Is(err, ErrBoxLost) && errors.Is(err, wire.ErrProtocol) {
			t.Logf("noticed at call %d: %v", calls, err)
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if calls > 2*maxStreams {
			t.Fatalf("%d streams after %d calls", b.session.NumStreams(), calls)
		}
	}
	wantDestroyed(t, b)
}

// TestHostileMemory: an agent that sends all it can, for as long as it is let,
// does not fill the host: what is alive at any moment stays small.
func TestHostileMemory(t *testing.T) {
	begin := func(answer string, more string) func(io.Writer) {
		return func(w io.Writer) {
			io.WriteString(w, answer)
			endless(w, more)
		}
	}
	flood := func(what string) func(net.Conn) {
		return func(c net.Conn) {
			go io.Copy(io.Discard, c)
			endless(c, what)
		}
	}
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, serve := range map[string]func(net.Conn){
		"frames":           answering(begin(ok, frame('h', 1000, strings.Repeat("x", 1000)))),
		"one line":         answering(begin("", "x")),
		"header":           answering(begin("HTTP/1.1 200 OK\r\n", "A: b\r\n")),
		"interim answers":  answering(begin("", "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n")),
		"trailer":          answering(begin(chunked+"0\r\n", "A: b\r\n")),
		"chunk extensions": answering(begin(chunked, "1;a=b\r\nh\r\n")),
		"pings":            flood("\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01"),
		"answers to pings": flood("\x00\x02\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01"),
		"windows":          flood("\x00\x01\x00\x02\x00\x00\x00\x01\x00\x00\x10\x00"),
		"empty streams":    flood("\x00\x01\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00"),
		"empty data":       flood("\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00"),
		"for nobody":       forNobody,
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			b := openHostile(t, func(c net.Conn) { serve(counting{c, &sent}) })
			limit := liveHeap() + 16<<20
			done := make(chan struct{})
			began := time.Now()
			go func() {
				defer close(done)
				b.Run(context.Background(), Command{Args: []string{"true"}, Timeout: floodTime(), Head: 1 << 20, Tail: 1 << 20})
			}()
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				if live := liveHeap(); live > limit {
					t.Errorf("%d MiB are alive after %d MiB were sent", live>>20, sent.Load()>>20)
					b.Close()
					<-done
					over = true
				}
			}
			t.Logf("%d MiB in %s", sent.Load()>>20, time.Since(began).Round(time.Millisecond))
			wantDestroyed(t, b)
		})
	}
}

// floodTime is how long each kind of flood is let run: gigabytes in full.
func floodTime() time.Duration {
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		return 20 * time.Second
	}
	return 300 * time.Millisecond
}

// counting counts what is sent.
type counting struct {
	net.Conn
	n *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// liveHeap is what can't be freed.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
