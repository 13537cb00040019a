package model

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// RetryOptions say how patient [Retry] is. The zero value is a good choice.
type RetryOptions struct {
	// MaxWait bounds the sum of all waits for one request; 0 is 5 minutes: two
	// windows of a limit per minute, and some.
	MaxWait time.Duration
	// OnRetry is told before each wait: the number of the attempt that failed,
	// from 1, how long the wait is, and why. nil is nobody.
	OnRetry func(attempt int, wait time.Duration, err error)
	// Sleep waits for d or until ctx ends; nil is the real clock.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter is a number from 0 up to 1, so that many jobs don't come back
	// together; nil is random.
	Jitter func() float64
}

// Retry sends a request again when the failure is one that passes by itself:
// a rate limit, a fault of the server, no connection. Everything else, and a
// cancelled ctx, is returned at once. When patience is at an end the last
// error is returned as it came.
func Retry(next Model, o RetryOptions) Model {
	if o.MaxWait == 0 {
		o.MaxWait = 5 * time.Minute
	}
	if o.OnRetry == nil {
		o.OnRetry = func(int, time.Duration, error) {}
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return &retry{next: next, o: o}
}

type retry struct {
	next Model
	o    RetryOptions
}

func (t *retry) Reply(ctx context.Context, r Request) (Reply, error) {
	var waited time.Duration
	for attempt := 1; ; attempt++ {
		reply, err := t.next.Reply(ctx, r)
		if err == nil {
			return reply, nil
		}
		wait, again := t.wait(err, attempt)
		if !again || ctx.Err() != nil || waited+wait > t.o.MaxWait {
			return Reply{}, err
		}
		waited += wait
		t.o.OnRetry(attempt, wait, err)
		if serr := t.o.Sleep(ctx, wait); serr != nil {
			return Reply{}, serr
		}
	}
}

// wait says whether a failure is worth another attempt, and after how long.
// Attempts are few: a server that keeps failing after a request has left may
// bill each of them.
func (t *retry) wait(err error, attempt int) (time.Duration, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	attempts, base := 4, time.Second
	switch e.Fault {
	case FaultServer, FaultUnreachable:
	case FaultRateLimit:
		attempts, base = 8, 5*time.Second
	default:
		return 0, false
	}
	if attempt >= attempts {
		return 0, false
	}
	wait := max(base<<(attempt-1), e.RetryAfter)
	return wait + time.Duration(float64(wait)*t.o.Jitter()/4), true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
