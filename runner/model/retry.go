package model

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// patience says how often a request is sent whose failure passes by itself,
// and how long the first wait is; each further one is twice as long.
type patience struct {
	fault    Fault
	attempts int
	first    time.Duration
}

// patiences are the faults that are worth another attempt. All others are given
// up at once. Attempts are few where the server fails: it may bill each of them.
func patiences() []patience {
	return []patience{
		{FaultServer, 4, time.Second},
		{FaultUnreachable, 4, time.Second},
		{FaultRateLimit, 8, 5 * time.Second},
	}
}

// slip is the patience with a failure that says it is worth [Error.Once].
func slip() patience { return patience{attempts: 2, first: time.Second} }

const (
	// maxWait bounds the sum of the waits for one request: two windows of a
	// limit per minute, and some.
	maxWait = 5 * time.Minute
	// maxReset bounds one sleep until a limit's reset: a day and its margin.
	maxReset = 25 * time.Hour
	// minReset is the shortest such sleep, so that a server that names the
	// past is not asked without end.
	minReset = time.Minute
	// lookAtClock is how often a long sleep looks at the clock: a machine that
	// was suspended sleeps no longer than it has to.
	lookAtClock = time.Minute
)

// RetryOptions say how patient [Retry] is. The zero value is a good choice.
type RetryOptions struct {
	// MaxWait bounds the sum of all waits for one request; 0 is 5 minutes.
	MaxWait time.Duration
	// WaitForReset goes on after a limit that outlasts MaxWait, a daily one
	// mostly: it sleeps until the limit's reset, at most 25 hours at a time.
	WaitForReset bool
	// OnRetry is told before each wait: the number of the attempt that failed,
	// from 1, how long the wait is, and why. nil is nobody.
	OnRetry func(attempt int, wait time.Duration, err error)
	// OnReset is told before each sleep until a reset. nil is nobody.
	OnReset func(until time.Time, err error)
	// Sleep waits for d or until ctx ends; nil is the real clock.
	Sleep func(ctx context.Context, d time.Duration) error
	// Now is the clock; nil is time.Now.
	Now func() time.Time
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
		o.MaxWait = maxWait
	}
	if o.OnRetry == nil {
		o.OnRetry = func(int, time.Duration, error) {}
	}
	if o.OnReset == nil {
		o.OnReset = func(time.Time, error) {}
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
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
	resets := 0
	for attempt := 1; ; attempt++ {
		reply, err := t.next.Reply(ctx, r)
		if err == nil {
			return reply, nil
		}
		var e *Error
		if !errors.As(err, &e) || ctx.Err() != nil {
			return Reply{}, err
		}
		wait, again := t.wait(e, attempt)
		if again = again && waited+wait <= t.o.MaxWait; again {
			waited += wait
			t.o.OnRetry(attempt, wait, err)
			err = t.o.Sleep(ctx, wait)
		} else if again = t.o.WaitForReset && limited(e.Fault); again {
			resets++
			err = t.untilReset(ctx, e, resets)
			attempt, waited = 0, 0 // a new day
		}
		if !again || err != nil {
			return Reply{}, err
		}
	}
}

// wait says whether a failure is worth another attempt, and after how long.
func (t *retry) wait(e *Error, attempt int) (time.Duration, bool) {
	p, ok := patienceWith(e)
	if !ok || attempt >= p.attempts {
		return 0, false
	}
	wait := max(p.first<<(attempt-1), e.RetryAfter)
	return wait + time.Duration(float64(wait)*t.o.Jitter()/4), true
}

func patienceWith(e *Error) (patience, bool) {
	if e.Once {
		return slip(), true
	}
	for _, p := range patiences() {
		if p.fault == e.Fault {
			return p, true
		}
	}
	return patience{}, false
}

func limited(f Fault) bool { return f == FaultRateLimit || f == FaultDailyLimit }

// untilReset sleeps until the limit that e is about is over. Each reset that
// brought nothing makes the next sleep at least twice as long.
func (t *retry) untilReset(ctx context.Context, e *Error, resets int) error {
	now := t.o.Now().Round(0) // the wall's clock, which goes on while a machine sleeps
	least := minReset << min(resets-1, 10)
	until := now.Add(min(max(e.Reset(now).Sub(now), least), maxReset))
	until = until.Add(time.Duration(t.o.Jitter() * float64(time.Minute)))
	t.o.OnReset(until, e)
	for left := until.Sub(now); left > 0; left = until.Sub(t.o.Now().Round(0)) {
		if err := t.o.Sleep(ctx, min(left, lookAtClock)); err != nil {
			return err
		}
	}
	return nil
}

// Reset is when a limit is over: as the provider says, else with the next day
// of UTC, which is when most providers' days begin, and a minute for clocks
// that differ.
func (e *Error) Reset(now time.Time) time.Time {
	if e.RetryAfter > 0 {
		return now.Add(e.RetryAfter)
	}
	if e.Fault != FaultDailyLimit {
		return now.Add(minReset)
	}
	return now.UTC().Truncate(24 * time.Hour).Add(24*time.Hour + time.Minute)
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
