package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Asker is who is asked: by what client, and what must not be told.
type Asker struct {
	HTTP *http.Client
	// Model names it in errors, and Key occurs in none.
	Model, Key string
}

// Get reads a document, for catalogues: at most limit bytes. Its faults are
// those of the client's transport.
func (a Asker) Get(ctx context.Context, url string, header http.Header, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, &model.Error{Fault: model.FaultRequest, Message: "the base URL can't be used: " + Clean(err.Error(), a.Key)}
	}
	req.Header = header
	resp, err := a.HTTP.Do(req)
	if err != nil {
		return nil, a.Fault(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, a.Fault(ctx, err)
	}
	if int64(len(body)) > limit {
		return nil, &model.Error{Fault: model.FaultServer, Status: resp.StatusCode,
			Message: fmt.Sprintf("the answer to %s is longer than %d bytes", req.URL.Path, limit)}
	}
	return body, nil
}

// Fault makes what callers are promised of any error: ctx's own error if it
// ended, a *model.Error else.
func (a Asker) Fault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask %s: %w", a.Model, context.Cause(ctx))
	}
	var e *model.Error
	if errors.As(err, &e) {
		return e
	}
	// What is left are an SDK's own refusals: nothing was sent.
	return &model.Error{Fault: model.FaultRequest, Message: Clean(err.Error(), a.Key)}
}
