package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// errHardDeadline says that the agent did not answer within the time it had.
var errHardDeadline = errors.New("the agent did not answer in time")

// request is one HTTP request to the agent.
type request struct {
	method, path string
	query        url.Values
	body         io.Reader // nil: none
	length       int64     // of body
}

// ask sends r and hands the answer to read, all of it within limit. When ask
// fails, the box is destroyed before it returns, and the error says why:
// ctx.Err(), errHardDeadline, or what was wrong with the answer. The one
// exception is a *wire.Error, which is an answer like any other.
func (b *Box) ask(ctx context.Context, limit time.Duration, r request, read func(*http.Response) error) error {
	timed, cancel := context.WithTimeoutCause(ctx, limit, errHardDeadline)
	defer cancel()
	// The stream may be stuck in a read that no deadline of its own ends;
	// destroying the box always does.
	stop := context.AfterFunc(timed, func() { b.Close() })
	defer stop()

	err := b.roundTrip(timed, r, read)
	var refused *wire.Error
	if err == nil || errors.As(err, &refused) {
		return err
	}
	b.Close()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil:
		return errHardDeadline
	}
	return err
}

func (b *Box) roundTrip(ctx context.Context, r request, read func(*http.Response) error) error {
	u := url.URL{Scheme: "http", Host: wire.Host, Path: r.path, RawQuery: r.query.Encode()}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), r.body)
	if err != nil {
		return err
	}
	if r.body != nil {
		req.ContentLength = r.length
	}
	res, err := b.http.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return read(res)
	case wire.StatusFileError:
		refused, err := wire.ReadError(res.Body)
		if err != nil {
			return err
		}
		return refused
	}
	return fmt.Errorf("%w: status %d", wire.ErrProtocol, res.StatusCode)
}
