//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// stdio is the stream to the host.
type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return nil }

// rogue is an agent that somebody has taken over: it greets the host as it
// should and then does what kind says. It never ends by itself.
func rogue(kind string) {
	signal.Ignore()
	if kind == "babble" {
		endless(os.Stdout, "babble")
	}
	if kind == "chatter" {
		go endless(os.Stderr, "\x1b[2Jchatter")
	}
	if _, err := wire.Answer(stdio{}, build); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	switch kind {
	case "noise":
		endless(os.Stdout, "\x00\xffnoise")
	case "pings":
		endless(os.Stdout, "\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01")
	case "streams":
		streams()
	case "long-frame":
		os.Stdout.WriteString("\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff")
		endless(os.Stdout, "x")
	case "deaf":
		forever()
	case "dies":
		os.Exit(7)
	}
	session, err := wire.Server(stdio{})
	if err != nil {
		os.Exit(1)
	}
	http.Serve(session, answers(kind))
	forever() // the end of the stream is no reason to end
}

func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

// build is the hash that an agent gives of itself.
func build() (string, error) {
	program, err := os.ReadFile("/proc/self/exe")
	sum := sha256.Sum256(program)
	return hex.EncodeToString(sum[:]), err
}

// answers are what a rogue answers to every request.
func answers(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out := flushing{w, http.NewResponseController(w)}
		switch kind {
		case "endless":
			out.Write(frame('h', 3, "one"))
			endless(out, string(frame('h', 1000, strings.Repeat("x", 1000))))
		case "huge-frame":
			out.Write(frame('h', 0xffffffff, ""))
			endless(out, "x")
		case "short":
			w.Header().Set("Content-Length", "1000000")
			out.Write(frame('h', 3, "one"))
			panic(http.ErrAbortHandler)
		case "slow":
			for {
				out.Write(frame('h', 1, "x"))
				time.Sleep(20 * time.Millisecond)
			}
		case "silent":
			forever()
		case "false-result":
			out.Write(result(`{"exit":0,"signal":"SIGKILL","left":[{"pid":-1,"command":"\u001b[2J"}]}`))
		case "huge-result":
			out.Write(result(`{"exit":0,"signal":"` + strings.Repeat("A", 8<<20) + `"}`))
		case "header":
			for n := range 100000 {
				w.Header().Set(fmt.Sprintf("H-%d", n), strings.Repeat("x", 1000))
			}
			out.Write(result(`{"exit":0}`))
		case "big-file":
			w.Header().Set(wire.FileHeader, `{"kind":"file","size":1}`)
			endless(out, "x")
		case "lying-list":
			io.WriteString(out, `{"entries":[{"path":"Li4vLi4vZXRjL3Bhc3N3ZA==","kind":"file"}]}`) // ../../etc/passwd
		case "redirect":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		default:
			out.Write(result(`{"exit":0}`))
		}
	}
}

// flushing sends at once.
type flushing struct {
	io.Writer
	control *http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	f.control.Flush()
	return n, err
}

// streams opens streams without end, each with its own number.
func streams() {
	var b bytes.Buffer
	for n := uint32(2); ; n += 2 {
		b.WriteString("\x00\x01\x00\x01")
		binary.Write(&b, binary.BigEndian, [2]uint32{n, 0})
		if b.Len() > 4096 {
			if _, err := os.Stdout.Write(b.Bytes()); err != nil {
				forever()
			}
			b.Reset()
		}
	}
}

func frame(kind byte, length uint32, payload string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, length), payload...)
}

func result(json string) []byte { return frame('r', uint32(len(json)), json) }

// endless writes until nobody takes it any more, and then waits.
func endless(w io.Writer, what string) {
	block := []byte(strings.Repeat(what, 1+64<<10/len(what)))
	for {
		if _, err := w.Write(block); err != nil {
			forever()
		}
	}
}
