package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
)

const (
	maxReplay  = 256 << 20 // bytes of a recording that is replayed: it is kept in memory
	maxRequest = 32 << 20  // bytes of a request
)

// Replay answers requests with the answers of a recording, in their order.
type Replay struct {
	Info model.Info // of the model that was recorded

	mu    sync.Mutex
	next  int
	turns []turn
}

// turn is a request that was recorded, and what came of it.
type turn struct {
	messages int
	answer   Line
}

// Load reads the recording in a file. Catalogues that it holds are left out.
func Load(file string) (*Replay, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	defer f.Close()
	p := &Replay{}
	if err := p.read(io.LimitReader(f, maxReplay)); err != nil {
		return nil, fmt.Errorf("recording %s: %w", file, err)
	}
	return p, nil
}

// read takes what the lines hold. A last line that was cut off by the end of a
// process is no line.
func (p *Replay) read(r io.Reader) error {
	asked := map[int]int{} // exchange to turn
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var l Line
		err := dec.Decode(&l)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return p.check()
		case err != nil:
			return fmt.Errorf("line %d is no line of a recording: %w", n, err)
		case l.V != Version:
			return fmt.Errorf("line %d has format %d, and this glovebox reads format %d", n, l.V, Version)
		case l.Kind == KindModel && l.Info != nil:
			p.Info = *l.Info
		case l.Kind == KindRequest && l.Method == http.MethodPost:
			asked[l.Exchange] = len(p.turns)
			p.turns = append(p.turns, turn{messages: messages([]byte(l.Body))})
		case l.Kind == KindResponse:
			if i, ok := asked[l.Exchange]; ok {
				p.turns[i].answer = l
			}
		}
	}
}

func (p *Replay) check() error {
	switch {
	case p.Info.ID == "":
		return errors.New("it does not say which model was asked")
	case len(p.turns) == 0:
		return errors.New("nothing was asked in it")
	}
	return nil
}

// messages counts the messages of a request, -1 if it has none.
func messages(body []byte) int {
	var r struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(body, &r) != nil {
		return -1
	}
	return len(r.Messages)
}

// Serve serves the recording on a free port of 127.0.0.1. baseURL ends in /v1;
// stop ends the server and its connections.
func (p *Replay) Serve() (baseURL string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("serve the recording: %w", err)
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
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

// ServeHTTP gives the next recorded answer, if the request is like the one that
// it was given to.
func (p *Replay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		refuse(w, "the request is too long")
		return
	}
	answer, err := p.take(messages(body))
	if err != nil {
		refuse(w, err.Error())
		return
	}
	if answer.Status == 0 {
		panic(http.ErrAbortHandler) // nothing came back then, and nothing does now
	}
	for name, values := range answer.Header {
		if !slices.Contains(ofTheConnection(), strings.ToLower(name)) {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, answer.Body)
	if answer.Error != "" {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // it was cut there
	}
}

// ofTheConnection are headers that belong to the recorded connection, in small letters.
func ofTheConnection() []string {
	return []string{"connection", "content-encoding", "content-length", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade"}
}

// take returns the answer to the next request, which must have as many
// messages as the recorded one.
func (p *Replay) take(messages int) (Line, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next >= len(p.turns) {
		return Line{}, fmt.Errorf("the recording has only %d requests, and this is one more", len(p.turns))
	}
	turn := p.turns[p.next]
	if messages != turn.messages {
		return Line{}, fmt.Errorf("request %d has %d messages, and the recorded one had %d: the job goes another way than the recorded one",
			p.next+1, messages, turn.messages)
	}
	if p.next++; turn.answer.Body == Withheld {
		return Line{}, fmt.Errorf("the answer to request %d is not in the recording: a key stood in it, or it was no text", p.next)
	}
	return turn.answer, nil
}

func refuse(w http.ResponseWriter, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": http.StatusBadRequest, "message": "replay: " + message}})
}
