package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// serve starts a server that misbehaves as providers do, and sets BASE_URL:
//
//	serve status N    every request gets the HTTP status N
//	serve other       another model answers, with a call that must not run
//	serve prose       answers in words, never with a call
//	serve silence     never answers; `asked` waits until it was asked
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: serve status N | other | prose")
	}
	var h http.HandlerFunc
	switch args[0] {
	case "status":
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		h = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "86400")
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":{"code":%d,"message":"provider says %d\u001b[2J"}}`, status, status)
		}
	case "other":
		h = reply("somebody-else", `{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"write","arguments":"{\"path\":\"pwned\",\"content\":\"x\"}"}}]}`, "tool_calls")
	case "prose":
		h = reply("m", `{"content":"I would rather talk.\u001b[2J"}`, "stop")
	case "silence":
		h = silence(ts)
	default:
		ts.Fatalf("serve: unknown %q", args[0])
	}
	server := httptest.NewServer(h)
	ts.Defer(server.Close)
	ts.Setenv("BASE_URL", server.URL+"/v1")
}

// silence tells asked that a request has come and holds it until it is given up.
func silence(ts *testscript.TestScript) http.HandlerFunc {
	sign := ts.MkAbs("asked")
	ts.Check(syscall.Mkfifo(sign, 0o600))
	return func(w http.ResponseWriter, r *http.Request) {
		if f, err := os.OpenFile(sign, os.O_RDWR, 0); err == nil { // opens though nobody reads yet
			defer f.Close()
			_, _ = f.WriteString("asked\n")
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
}

// asked waits until the silent server was asked something.
func asked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: asked")
	}
	f, err := os.OpenFile(ts.MkAbs("asked"), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	var line [6]byte
	_, err = io.ReadFull(f, line[:])
	ts.Check(err)
}

// reply streams one answer to every request.
func reply(model, delta, finish string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		chunk := func(choices string) {
			fmt.Fprintf(w, "data: {\"id\":\"r1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":%q,%s}\n\n", model, choices)
		}
		chunk(`"choices":[{"index":0,"delta":` + delta + `}]`)
		chunk(`"choices":[{"index":0,"delta":{},"finish_reason":"` + finish + `"}]`)
		chunk(`"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}`)
		fmt.Fprint(w, strings.Repeat("\n", 1)+"data: [DONE]\n\n")
	}
}
