package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// serve starts a server that misbehaves as providers do, and sets BASE_URL:
//
//	serve status N    every request gets the HTTP status N
//	serve other       another model answers, with a call that must not run
//	serve prose       answers in words, never with a call
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
	default:
		ts.Fatalf("serve: unknown %q", args[0])
	}
	server := httptest.NewServer(h)
	ts.Defer(server.Close)
	ts.Setenv("BASE_URL", server.URL+"/v1")
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
