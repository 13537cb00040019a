package modeltest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/shopspring/decimal"
)

// Key is the only key that servers accept; [Local] ones ask for none.
const Key = "sk-or-v1-modeltest-0123456789abcdef"

// maxRequest bounds what is read of a request in bytes.
const maxRequest = 64 << 20

// Server sells models. Its methods may be called from several goroutines.
type Server struct {
	// URL is the API's address, up to and including /v1.
	URL string

	t         testing.TB
	wire      Wire
	script    Script
	elsewhere *httptest.Server

	mu        sync.Mutex
	models    []Model
	placed    []placed
	catalogue []Fault
	exchanges []Exchange
	bills     map[string]bill // by the id of the reply, for /generation
	late      int             // questions for a record until it is there
	strays    []Request
}

// placed are the faults of some requests.
type placed struct {
	from, to int // numbers of requests, both included
	faults   []Fault
}

// bill is what a generation's record says.
type bill struct {
	model  string
	usage  Usage
	billed decimal.Decimal
}

// Exchange is a request to a model and what came of it.
type Exchange struct {
	Request
	Faults []Fault
	Status int             // HTTP, as it was answered; 0 if it was not
	Billed decimal.Decimal // USD
}

// New starts a server of the models, the first of which the tests ask for
// mostly. It ends with the test.
func New(t testing.TB, w Wire, script Script, models ...Model) *Server {
	t.Helper()
	s := &Server{t: t, wire: w, script: script, models: models, bills: map[string]bill{}}
	s.elsewhere = httptest.NewServer(http.HandlerFunc(s.stray))
	t.Cleanup(s.elsewhere.Close)
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	s.URL = server.URL + "/v1"
	return s
}

// On gives the nth request to a model, from 1, these faults.
func (s *Server) On(n int, faults ...Fault) { s.place(n, n, faults) }

// From gives them to the nth request and all after it.
func (s *Server) From(n int, faults ...Fault) { s.place(n, int(^uint(0)>>1), faults) }

// Always gives them to every request to a model.
func (s *Server) Always(faults ...Fault) { s.From(1, faults...) }

// Catalogue gives faults to every request for the catalogue.
func (s *Server) Catalogue(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalogue = append(s.catalogue, faults...)
}

// RecordsAfter has OpenRouter's record of a reply not be there for the first n questions.
func (s *Server) RecordsAfter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = n
}

func (s *Server) place(from, to int, faults []Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed = append(s.placed, placed{from, to, faults})
}

// Sell changes what the server sells from now on: a model of that id is
// replaced, or a new one added.
func (s *Server) Sell(m Model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.models, func(o Model) bool { return o.ID == m.ID }); i >= 0 {
		s.models[i] = m
		return
	}
	s.models = append(s.models, m)
}

// Exchanges are the requests to models so far.
func (s *Server) Exchanges() []Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.exchanges)
}

// Billed is what all of them cost together in USD.
func (s *Server) Billed() decimal.Decimal {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := decimal.Zero
	for _, e := range s.exchanges {
		sum = sum.Add(e.Billed)
	}
	return sum
}

// Strays are the requests that followed a [Redirect].
func (s *Server) Strays() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.strays)
}

func (s *Server) stray(_ http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strays = append(s.strays, Request{Number: len(s.strays) + 1, Path: r.URL.Path, Header: r.Header})
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", s.listing)
	switch s.wire {
	case OpenRouter:
		mux.HandleFunc("GET /v1/models/user", s.listing)
		mux.HandleFunc("GET /v1/model/{vendor}/{slug}", s.entry)
		mux.HandleFunc("GET /v1/models/{vendor}/{slug}/endpoints", s.endpoints)
		mux.HandleFunc("GET /v1/key", s.key)
		mux.HandleFunc("GET /v1/generation", s.generation)
		mux.HandleFunc("POST /v1/chat/completions", s.ask)
	case Anthropic:
		mux.HandleFunc("GET /v1/models/{slug}", s.entry)
		mux.HandleFunc("POST /v1/messages", s.ask)
	default:
		mux.HandleFunc("POST /v1/chat/completions", s.ask)
	}
	return s.admit(mux)
}

// admit lets nobody in without the key.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.wire != Local && r.Header.Get("Authorization") != "Bearer "+Key && r.Header.Get("X-Api-Key") != Key {
			a := s.newAnswer(Request{})
			Unauthorized().do(a)
			a.send(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ask is a request to a model.
func (s *Server) ask(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return // the client has gone, or sends without end
	}
	a := s.prepare(Request{Path: r.URL.Path, Header: r.Header, Body: body})
	a.send(w, r)
}

// prepare decides on the answer and writes down what it costs, before a byte
// of it is sent.
func (s *Server) prepare(r Request) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Number = len(s.exchanges) + 1
	a := s.newAnswer(r)
	var faults []Fault
	if s.wire != Anthropic {
		if err := Valid(s.wire, r.Body); err != nil {
			s.t.Errorf("request %d would be refused: %v", r.Number, err)
		}
	}
	if err := a.asked.parse(); err != nil {
		a.refuse(http.StatusBadRequest, "invalid_request_error", "the request is no JSON: "+err.Error())
	} else if m, ok := s.sold(a.asked.Model); !ok {
		a.refuse(http.StatusNotFound, "not_found_error", fmt.Sprintf("there is no model %q", a.asked.Model))
	} else {
		faults = s.faultsOf(r.Number)
		s.reply(a, m, faults)
	}
	s.exchanges = append(s.exchanges, Exchange{Request: a.asked, Faults: faults, Status: a.sentStatus(), Billed: a.bill()})
	s.bills[a.id] = bill{model: a.names, usage: a.usage, billed: a.bill()}
	return a
}

func (s *Server) reply(a *answer, m Model, faults []Fault) {
	a.turn = s.script(a.asked)
	a.names, a.price, a.usage = m.ID, m.Price, usageOf(a.asked, a.turn)
	a.routing = routing{strategy: "direct", requested: a.asked.Model, provider: "P", endpoint: m.slug(), attempts: []string{m.slug()}}
	for _, f := range faults {
		if !f.In(s.wire) {
			s.t.Errorf("%q is no fault of the format %s", f.Name, s.wire)
			continue
		}
		f.do(a)
	}
}

func (s *Server) faultsOf(n int) (faults []Fault) {
	for _, p := range s.placed {
		if n >= p.from && n <= p.to {
			faults = append(faults, p.faults...)
		}
	}
	return faults
}

func (s *Server) sold(id string) (Model, bool) {
	i := slices.IndexFunc(s.models, func(m Model) bool { return m.ID == id })
	if i < 0 {
		return Model{}, false
	}
	return s.models[i], true
}

func (s *Server) newAnswer(r Request) *answer {
	return &answer{server: s, asked: r, header: http.Header{}, id: fmt.Sprintf("gen-%d", r.Number)}
}

// format is the format's family, for faults that only one has.
func (w Wire) format() Wire {
	if w == Anthropic {
		return Anthropic
	}
	return OpenAI
}
