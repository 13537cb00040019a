package anthropic

import (
	"io"
	"net/http"

	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// transport turns every answer that is no success into a fault, so that the
// SDK has nothing to say about it.
type transport struct {
	key  string
	next http.RoundTripper
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || resp.StatusCode/100 == 2 {
		return resp, err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, wire.MaxErrors))
	return nil, classify(answer{status: resp.StatusCode, header: resp.Header, body: body, key: t.key})
}
