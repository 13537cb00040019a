package scripted

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxRequest bounds a request's body in bytes.
const maxRequest = 32 << 20

// Serve serves the script on a free port of 127.0.0.1 in the OpenAI wire
// format. baseURL ends in /v1; stop ends the server and its connections.
func (s *Script) Serve() (baseURL string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("serve the script: %w", err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // always ErrServerClosed after stop
	}()
	stop = func() {
		_ = server.Close()
		<-ended
	}
	return "http://" + l.Addr().String() + "/v1", stop, nil
}

// Handler is the script as a server: /v1/chat/completions and /v1/models.
func (s *Script) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", s.models)
	mux.HandleFunc("POST /v1/chat/completions", s.chat)
	return mux
}

func (s *Script) models(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "list",
		"data":   []any{map[string]any{"id": s.Name, "object": "model", "owned_by": "glovebox"}},
	})
}

func (s *Script) chat(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxRequest))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "the request is too long")
		return
	}
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		refuse(w, http.StatusBadRequest, "the request is no JSON: "+err.Error())
		return
	}
	r.bytes = len(body)
	if r.Model != s.Name {
		refuse(w, http.StatusNotFound, fmt.Sprintf("there is no model %q", r.Model))
		return
	}
	turn := s.answer(r)
	if turn.Status != 0 {
		message := turn.Error
		if message == "" {
			message = http.StatusText(turn.Status)
		}
		refuse(w, turn.Status, message)
		return
	}
	s.reply(turn, r).write(w)
}

func refuse(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": message}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
}

// Pieces of a stream in bytes: small enough that every reply comes in several.
const (
	textPiece = 48
	argsPiece = 512
)

// write streams the reply as server-sent events.
func (r reply) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": a script, no tokens are bought\n\n")
	r.event(w, map[string]any{"role": "assistant", "content": ""}, "")
	for _, piece := range pieces(r.text, textPiece) {
		r.event(w, map[string]any{"content": piece}, "")
	}
	for i, c := range r.calls {
		r.event(w, toolDelta(i, map[string]any{"id": fmt.Sprintf("call_%d_%d", r.turn, i+1), "type": "function",
			"function": map[string]any{"name": c.Name, "arguments": ""}}), "")
		for _, piece := range pieces(c.Arguments, argsPiece) {
			r.event(w, toolDelta(i, map[string]any{"function": map[string]any{"arguments": piece}}), "")
		}
	}
	if r.cut {
		return
	}
	r.event(w, map[string]any{}, r.finish)
	if !r.noUsage {
		r.send(w, map[string]any{"choices": []any{}, "usage": map[string]any{
			"prompt_tokens": r.prompt, "completion_tokens": r.completion,
			"total_tokens": r.prompt + r.completion, "cost": r.cost,
		}})
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func toolDelta(index int, call map[string]any) map[string]any {
	call["index"] = index
	return map[string]any{"tool_calls": []any{call}}
}

func (r reply) event(w http.ResponseWriter, delta map[string]any, finish string) {
	choice := map[string]any{"index": 0, "delta": delta, "finish_reason": nil}
	if finish != "" {
		choice["finish_reason"] = finish
	}
	r.send(w, map[string]any{"choices": []any{choice}})
}

func (r reply) send(w http.ResponseWriter, chunk map[string]any) {
	chunk["id"], chunk["object"], chunk["model"] = "scripted", "chat.completion.chunk", r.model
	b, err := json.Marshal(chunk)
	if err != nil {
		return // a cost that is no JSON: the client sees an answer without usage
	}
	fmt.Fprintf(w, "data: %s\n\n", b)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// pieces cuts s into parts of about n bytes, on whole characters.
func pieces(s string, n int) []string {
	var out []string
	start := 0
	for i := range s {
		if i-start >= n {
			out = append(out, s[start:i])
			start = i
		}
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}
