package record

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// maxBody bounds what is kept of a body in bytes; adapters read less.
const maxBody = 64 << 20

// transport records what goes through it.
type transport struct {
	next     http.RoundTripper
	recorder *Recorder
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	n := t.recorder.begin()
	line := Line{Kind: KindRequest, Exchange: n, Method: req.Method, URL: req.URL.String(), Header: req.Header}
	if req.Body != nil {
		sent, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(sent))
		t.recorder.body(&line, sent)
	}
	t.recorder.write(line)
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		t.recorder.write(Line{Kind: KindResponse, Exchange: n, Error: err.Error()})
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, recorder: t.recorder,
		line: Line{Kind: KindResponse, Exchange: n, Status: resp.StatusCode, Header: resp.Header}}
	return resp, nil
}

// CloseIdleConnections closes those of the transport below.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// body keeps what is read of an answer and records it when the answer ends: by
// itself, by an error, or because nobody reads on.
type body struct {
	io.ReadCloser
	recorder *Recorder
	line     Line
	kept     []byte
	once     sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.kept = append(b.kept, p[:min(n, maxBody-len(b.kept))]...)
	if err != nil {
		if err != io.EOF {
			b.line.Error = err.Error()
		}
		b.end()
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *body) end() {
	b.once.Do(func() {
		b.recorder.body(&b.line, b.kept)
		b.recorder.write(b.line)
		b.kept = nil
	})
}
