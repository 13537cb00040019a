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
//	serve paid        OpenRouter as the predecessor met it: a free model is asked for, a paid one answers
//	serve prose       answers in words, never with a call
//	serve silence     never answers; `asked` waits until it was asked
//	serve echo        every request gets an error that quotes its key
//	serve catalogue   lists models in the forms of all providers
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: serve status N | other | paid | prose | silence")
	}
	var h http.HandlerFunc
	pwned := `{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"write","arguments":"{\"path\":\"pwned\",\"content\":\"x\"}"}}]}`
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
		h = reply("somebody-else", pwned, "tool_calls")
	case "paid":
		h = behind(`{"data":[{"id":"a/gift:free","canonical_slug":"a/gift-20260907","context_length":131072,"pricing":{"prompt":"0","completion":"0"}}]}`,
			reply("a/gift-20260907", pwned, "tool_calls"))
	case "prose":
		h = reply("m", `{"content":"I would rather talk.\u001b[2J"}`, "stop")
	case "echo":
		h = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"message":"you sent %s"}}`, r.Header.Get("Authorization"))
		}
	case "catalogue":
		h = catalogue
	case "silence":
		h = silence(ts)
	default:
		ts.Fatalf("serve: unknown %q", args[0])
	}
	server := httptest.NewServer(h)
	ts.Defer(server.Close)
	ts.Setenv("BASE_URL", server.URL+"/v1")
}

// catalogue lists 402 models, of which some are free, some call tools, and some
// are not what they should be.
func catalogue(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Api-Key") != "" {
		fmt.Fprint(w, `{"data":[{"id":"claude-opus-5-5","max_input_tokens":1000000,"max_tokens":128000},{"id":"claude-unheard-of"}]}`)
		return
	}
	rows := []string{
		`{"id":"z/free:free","context_length":262144,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools"]}`,
		`{"id":"a/dear","context_length":1000,"pricing":{"prompt":"0.00003","completion":"0.000180"},"supported_parameters":[]}`,
		`{"id":"a/\u001b[2Jgone","pricing":{"prompt":"0","completion":"0"}}`,
		`{"id":"openrouter/auto","pricing":{"prompt":"-1","completion":"-1"}}`,
		`{"id":"a/varies","pricing":{"prompt":"-1","completion":"-1"}}`,
		`{"id":"gpt-5-mini"}`, `{"id":"whisper-1"}`, `"nonsense"`,
	}
	for i := range 400 {
		rows = append(rows, fmt.Sprintf(`{"id":"many/model-%03d","context_length":128000,"pricing":{"prompt":"0.0000001","completion":"0.0000004"},"supported_parameters":["tools"]}`, i))
	}
	fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(rows, ","))
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

// behind answers GET with a catalogue, and everything else as h.
func behind(catalogue string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			h(w, r)
			return
		}
		fmt.Fprint(w, catalogue)
	}
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
