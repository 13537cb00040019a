package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/runner/batch"
	reports "github.com/glovebox-run/glovebox/runner/report"
)

// parseServe checks that an address can be reached from this machine alone.
func parseServe(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", usage("for example --serve 127.0.0.1:8080", "--serve %q is no address with a port", text)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return "", usage("for example --serve 127.0.0.1:8080, and ssh -L to look from elsewhere", "--serve %q: the page shows the code to whoever asks, so only loopback addresses are served", text)
	}
	return net.JoinHostPort(host, port), nil
}

// liveEvery is how often a live page is looked after.
const liveEvery = time.Second

// livePage serves the report of a batch while it runs. It only reads.
type livePage struct {
	a    *app
	out  string
	port string
	done chan struct{} // closed at the end

	mu    sync.Mutex
	watch *batch.Watch
	stamp string
	last  *reports.Report // as of stamp
}

// serveBatch serves the live page of the batch in out at an address, until end
// is called. Without an address it does nothing.
func (a *app) serveBatch(out, address string) (end func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, usage("give another port; 0 takes any that is free", "--serve: %v", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		listener.Close()
		return nil, err
	}
	page := &livePage{a: a, out: out, port: port, done: make(chan struct{}), watch: batch.NewWatch(out)}
	server := &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it ends by Close alone
	a.screen.Print("live page http://" + listener.Addr().String() + "/")
	return func() {
		close(page.done)
		ctx, cancel := context.WithTimeout(context.Background(), 2*liveEvery) // for pages to be told so
		defer cancel()
		_ = server.Shutdown(ctx)
		_ = server.Close()
		serving.Wait()
	}, nil
}

// ServeHTTP answers whoever asks for it by this machine's own name: a page from
// elsewhere whose name leads here (DNS rebinding) gets nothing.
func (p *livePage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": "frame-ancestors 'none'",
	} {
		w.Header().Set(name, value)
	}
	switch {
	case !p.isOurs(r.Host):
		http.Error(w, "this page is served by its own address only", http.StatusForbidden)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "this page can only be read", http.StatusMethodNotAllowed)
	case r.URL.Path == "/":
		p.write(w, reports.Live)
	case r.URL.Path == "/main":
		p.write(w, reports.Main)
	case r.URL.Path == "/events":
		p.events(w, r)
	default:
		http.NotFound(w, r)
	}
}

// isOurs says that a Host header names a loopback address or localhost, and our port.
func (p *livePage) isOurs(hostport string) bool {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || port != p.port {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (p *livePage) write(w http.ResponseWriter, form func(io.Writer, *reports.Report) error) {
	var b bytes.Buffer
	if err := p.report(&b, form); err != nil {
		http.Error(w, p.a.redact.String(plain(err.Error())), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // whoever asked may have gone
}

// report writes the report as it is now; one at a time, since jobs share memory.
func (p *livePage) report(w io.Writer, form func(io.Writer, *reports.Report) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stamp := p.watch.Stamp(); p.last == nil || stamp != p.stamp {
		jobs, err := p.watch.Jobs(reports.Options{Redact: p.a.redact.String})
		if err != nil {
			return err
		}
		p.last, p.stamp = reports.New(now(), versionText(), jobs...), stamp
	}
	return form(w, p.last)
}

// events tells a page whenever there is something new, and at the end.
func (p *livePage) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for told := ""; ; {
		stamp := p.watch.Stamp()
		if stamp != told {
			fmt.Fprint(w, "data: changed\n\n")
			told = stamp
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-p.done:
			fmt.Fprint(w, "event: end\ndata: over\n\n")
			_ = out.Flush()
			return
		}
	}
}
