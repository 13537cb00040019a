package docker

import (
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// detour is a way to the engine on which requests are late, get lost or get
// half an answer.
type detour struct {
	server *httptest.Server
	dir    string // of the socket, whose path must be short
	mu     sync.Mutex
	fault  fault
	where  *regexp.Regexp
	left   int // requests that still meet the fault
	joined map[net.Conn]struct{}
	behind []net.Conn // to the engine
}

// fault is what happens to a request; next is the engine's way with it.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// The requests that make a box, as "METHOD PATH".
func boxRequests() map[string]string {
	return map[string]string{
		"create": `^POST .*/containers/create`, "attach": `^POST .*/attach`, "wait": `^POST .*/wait\?condition=next-exit`,
		"start": `^POST .*/start`, "remove": `^DELETE .*/containers/`,
	}
}

// newDetour makes a detour to an engine on this machine.
func newDetour(t *testing.T, e *Engine) *detour {
	t.Helper()
	socket, local := strings.CutPrefix(e.api.DaemonHost(), "unix://")
	if !local {
		t.Skip("the engine is not on this machine")
	}
	dir, err := os.MkdirTemp("", "gbd")
	if err != nil {
		t.Fatal(err)
	}
	d := &detour{dir: dir, joined: map[net.Conn]struct{}{}}
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.dial(ctx, socket)
	}}
	silent := log.New(io.Discard, "", 0)
	straight := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, ErrorLog: silent, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine"
	}}
	d.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := d.take(r); f != nil {
			f(w, r, straight)
			return
		}
		straight.ServeHTTP(w, r)
	}))
	d.server.Listener.Close()
	d.server.Listener = listener
	d.server.Config.ErrorLog = silent
	d.server.Config.ConnState = d.watch
	d.server.Start()
	return d
}

func (d *detour) dial(ctx context.Context, socket string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.behind = append(d.behind, c)
	}
	return c, err
}

// close ends the detour and every connection on it. The engine ends none that
// is attached to a container which never ran.
func (d *detour) close() {
	d.cut()
	d.mu.Lock()
	for _, c := range d.behind {
		c.Close()
	}
	d.mu.Unlock()
	d.server.CloseClientConnections()
	d.server.Close()
	_ = os.RemoveAll(d.dir)
}

func (d *detour) host() string { return "unix://" + filepath.Join(d.dir, "s") }

// meet lets the next n requests that match meet a fault.
func (d *detour) meet(where string, n int, f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.where, d.left, d.fault = regexp.MustCompile(where), n, f
}

func (d *detour) take(r *http.Request) fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 || !d.where.MatchString(r.Method+" "+r.URL.RequestURI()) {
		return nil
	}
	d.left--
	return d.fault
}

// watch remembers the connections that became attached streams.
func (d *detour) watch(c net.Conn, s http.ConnState) {
	if s == http.StateHijacked {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.joined[c] = struct{}{}
	}
}

// cut cuts the attached streams.
func (d *detour) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.joined {
		c.Close()
	}
	clear(d.joined)
}

// late passes a request on after a while, also one that was given up meanwhile,
// as an engine with much to do does.
func late(d time.Duration) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		time.Sleep(d)
		next.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
	}
}

// stalled never answers.
func stalled(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// dropped ends the connection instead of passing the request on.
func dropped(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// answerLost ends the connection when the engine has done what it was asked.
func answerLost(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// halfAnswer ends the connection in the middle of the answer.
func halfAnswer(w http.ResponseWriter, r *http.Request, next http.Handler) {
	all := httptest.NewRecorder()
	next.ServeHTTP(all, r)
	maps.Copy(w.Header(), all.Header())
	w.Header().Set("Content-Length", strconv.Itoa(all.Body.Len()+1))
	w.WriteHeader(all.Code)
	_, _ = w.Write(all.Body.Bytes()[:all.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// An engine behind a bad connection, or with too much to do: a box comes up in
// the end and works, or its start fails in time and says why. Nothing is left,
// at the engine or here.
func TestSlowEngine(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	f, err := e.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	openBox(t, e, s).Close() // the agent's volume is there
	const brief, long = 500 * time.Millisecond, time.Minute
	type test struct {
		fault    fault
		times    int
		requests string        // that meet it, each in a test of its own
		within   time.Duration // how long the start may take
		fails    bool
	}
	tests := map[string]test{
		"late":                 {late(300 * time.Millisecond), 1, "create attach start remove", long, false},
		"later than is waited": {late(time.Second), 1, "create attach wait start", brief, true},
		"stalled":              {stalled, 1, "attach wait start", brief, true},
		"dropped once":         {dropped, 1, "create attach wait start remove", long, false},
		"dropped always":       {dropped, 1000, "start", long, true},
		"answer lost":          {answerLost, 1, "create start remove", long, false},
		"answer lost always":   {answerLost, 1000, "create", long, true},
		"half an answer":       {halfAnswer, 1, "create", long, false},
	}
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		tests["stalled for good"] = test{stalled, 1000, "create remove", brief, true}
	}
	for name, tt := range tests {
		for _, request := range strings.Fields(tt.requests) {
			t.Run(name+", "+request, func(t *testing.T) {
				leaves := leavesNothing(t, e)
				d := newDetour(t, e)
				bad := engineAt(t, d.host(), Options{})
				bad.agent, bad.facts = e.provenAgent(), &f // that limits bite is known
				d.meet(boxRequests()[request], tt.times, tt.fault)
				err := tryBox(t, bad, s, tt.within)
				if (err != nil) != tt.fails {
					t.Errorf("got %v", err)
				}
				if err != nil {
					t.Log(err)
				}
				bad.Close()
				d.close()
				leaves()
			})
		}
	}
}

// tryBox starts a box within some time, uses it and ends it.
func tryBox(t *testing.T, e *Engine, s sandbox.Spec, within time.Duration) error {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	b, err := sandbox.Open(ctx, e, s)
	if took := time.Since(begun); took > startTime {
		t.Errorf("it took %s", took)
	}
	if err != nil {
		return err
	}
	r, err := b.Run(t.Context(), shell("echo works"))
	if err == nil && r.Output() != "works\n" {
		err = errors.New(r.Output())
	}
	return errors.Join(err, b.Close())
}

// A stream that breaks while the box runs loses the call and the box, and says
// that it was the stream.
func TestStreamCutDuringACall(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	leaves := leavesNothing(t, e)
	d := newDetour(t, e)
	behind := engineAt(t, d.host(), Options{})
	b := openBox(t, behind, s)
	failed := callUnderWay(t, b)
	d.cut()
	err := <-failed
	if !errors.Is(err, sandbox.ErrBoxLost) || !strings.Contains(err.Error(), "stream") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	behind.Close()
	d.close()
	leaves()
}
