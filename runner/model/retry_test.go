package model

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// clock is a Retry whose clock is a list.
type clock struct {
	now     time.Time
	waits   []time.Duration
	told    []int
	until   []time.Time
	options RetryOptions
}

func newClock() *clock {
	p := &clock{now: time.Date(2026, 11, 26, 19, 30, 0, 0, time.UTC)}
	p.options = RetryOptions{
		Jitter:  func() float64 { return 0 },
		Now:     func() time.Time { return p.now },
		OnReset: func(until time.Time, _ error) { p.until = append(p.until, until) },
		OnRetry: func(attempt int, _ time.Duration, _ error) { p.told = append(p.told, attempt) },
		Sleep: func(ctx context.Context, d time.Duration) error {
			p.waits, p.now = append(p.waits, d), p.now.Add(d)
			return ctx.Err()
		},
	}
	return p
}

func fail(f Fault, after time.Duration) answer {
	return answer{err: &Error{Fault: f, RetryAfter: after}}
}

var good = answer{reply: Reply{Content: "hello"}}

func TestRetry(t *testing.T) {
	s := time.Second
	for name, c := range map[string]struct {
		list  []answer
		waits []time.Duration
		fault Fault // "" is success
	}{
		"server":                   {[]answer{fail(FaultServer, 0), fail(FaultServer, 0), good}, []time.Duration{1 * s, 2 * s}, ""},
		"unreachable":              {[]answer{fail(FaultUnreachable, 0), good}, []time.Duration{1 * s}, ""},
		"rate limit":               {[]answer{fail(FaultRateLimit, 0), fail(FaultRateLimit, 0), good}, []time.Duration{5 * s, 10 * s}, ""},
		"as long as asked":         {[]answer{fail(FaultRateLimit, 42*s), good}, []time.Duration{42 * s}, ""},
		"server gives up":          {[]answer{fail(FaultServer, 0), fail(FaultServer, 0), fail(FaultServer, 0), fail(FaultServer, 0)}, []time.Duration{1 * s, 2 * s, 4 * s}, FaultServer},
		"five minutes in all":      {[]answer{fail(FaultRateLimit, 200*s), fail(FaultRateLimit, 200*s)}, []time.Duration{200 * s}, FaultRateLimit},
		"longer than patience":     {[]answer{fail(FaultRateLimit, 301*s)}, nil, FaultRateLimit},
		"a day is no retry":        {[]answer{fail(FaultDailyLimit, s)}, nil, FaultDailyLimit},
		"a wrong key stays wrong":  {[]answer{fail(FaultKey, 0)}, nil, FaultKey},
		"no credits":               {[]answer{fail(FaultCredits, 0)}, nil, FaultCredits},
		"a bad request stays bad":  {[]answer{fail(FaultRequest, 0)}, nil, FaultRequest},
		"another model is no slip": {[]answer{fail(FaultWrongModel, 0)}, nil, FaultWrongModel},
		"nor is the budget":        {[]answer{fail(FaultServer, 0), fail(FaultBudget, 0)}, []time.Duration{1 * s}, FaultBudget},
	} {
		t.Run(name, func(t *testing.T) {
			p := newClock()
			next := &answers{t: t, list: c.list}
			reply, err := Retry(next, p.options).Reply(context.Background(), Request{})
			if faultOf(err) != c.fault || (err == nil) != (reply.Content == "hello") {
				t.Errorf("got %v, %+v", err, reply)
			}
			if !slices.Equal(p.waits, c.waits) || len(p.told) != len(c.waits) {
				t.Errorf("waited %v, want %v; told %v", p.waits, c.waits, p.told)
			}
			if len(next.asked) != len(c.list) {
				t.Errorf("%d requests, want %d", len(next.asked), len(c.list))
			}
		})
	}
}

// A slip of the server is worth one more attempt, whatever its fault is.
func TestRetryOnce(t *testing.T) {
	slip := answer{err: &Error{Fault: FaultNotFound, Once: true}}
	for name, c := range map[string]struct {
		list  []answer
		fault Fault
	}{
		"a slip":    {[]answer{slip, good}, ""},
		"it stays":  {[]answer{slip, slip}, FaultNotFound},
		"no longer": {[]answer{slip, fail(FaultNotFound, 0)}, FaultNotFound},
	} {
		p := newClock()
		next := &answers{t: t, list: c.list}
		_, err := Retry(next, p.options).Reply(context.Background(), Request{})
		if faultOf(err) != c.fault || !slices.Equal(p.waits, []time.Duration{time.Second}) || len(next.asked) != 2 {
			t.Errorf("%s: %v, waited %v, %d requests", name, err, p.waits, len(next.asked))
		}
	}
}

// With WaitForReset a daily limit is slept through, to the time that the
// provider names, else into the next day of UTC.
func TestRetryWaitsForReset(t *testing.T) {
	h, m := time.Hour, time.Minute
	for name, c := range map[string]struct {
		list  []answer
		slept []time.Duration // each sleep until a reset
		fault Fault
	}{
		"the next day":              {[]answer{fail(FaultDailyLimit, 0), good}, []time.Duration{4*h + 31*m}, ""},
		"as told":                   {[]answer{fail(FaultDailyLimit, 7*h), good}, []time.Duration{7 * h}, ""},
		"at most 25 hours":          {[]answer{fail(FaultDailyLimit, 47*h), good}, []time.Duration{25 * h}, ""},
		"never no time at all":      {[]answer{fail(FaultDailyLimit, 1), fail(FaultDailyLimit, 1), fail(FaultDailyLimit, 1), good}, []time.Duration{m, 2 * m, 4 * m}, ""},
		"a long limit per minute":   {[]answer{fail(FaultRateLimit, 6*m), good}, []time.Duration{6 * m}, ""},
		"a short one comes first":   {[]answer{fail(FaultRateLimit, m), good}, nil, ""},
		"then something else":       {[]answer{fail(FaultDailyLimit, h), fail(FaultKey, 0)}, []time.Duration{h}, FaultKey},
		"a fault is not waited for": {[]answer{fail(FaultServer, 6*m)}, nil, FaultServer},
	} {
		t.Run(name, func(t *testing.T) {
			p := newClock()
			p.options.WaitForReset = true
			start := p.now
			next := &answers{t: t, list: c.list}
			if _, err := Retry(next, p.options).Reply(context.Background(), Request{}); faultOf(err) != c.fault {
				t.Errorf("got %v", err)
			}
			var slept []time.Duration
			for _, until := range p.until {
				slept, start = append(slept, until.Sub(start)), until
			}
			if !slices.Equal(slept, c.slept) {
				t.Errorf("slept %v, want %v", slept, c.slept)
			}
			if len(c.slept) > 0 && p.now.Before(start) {
				t.Errorf("came back at %v, before %v", p.now, start)
			}
		})
	}
}

// A machine that was suspended wakes up after the reset: it goes on within a
// minute, not after all that it had still to sleep.
func TestRetryAfterSuspension(t *testing.T) {
	p := newClock()
	p.options.WaitForReset = true
	p.options.Sleep = func(_ context.Context, d time.Duration) error {
		p.waits, p.now = append(p.waits, d), p.now.Add(d)
		if len(p.waits) == 2 {
			p.now = p.now.Add(10 * time.Hour) // suspended
		}
		return nil
	}
	next := &answers{t: t, list: []answer{fail(FaultDailyLimit, 5*time.Hour), good}}
	if _, err := Retry(next, p.options).Reply(context.Background(), Request{}); err != nil || len(p.waits) != 2 {
		t.Errorf("%v, %v", p.waits, err)
	}
}

// Cancelling ends every wait within a second.
func TestRetryCancelledWaits(t *testing.T) {
	for name, f := range map[string]Fault{"to try again": FaultRateLimit, "for the reset": FaultDailyLimit} {
		ctx, cancel := context.WithCancel(context.Background())
		next := &answers{t: t, list: []answer{fail(f, time.Minute)}}
		o := RetryOptions{WaitForReset: true}
		o.OnRetry = func(int, time.Duration, error) { cancel() }
		o.OnReset = func(time.Time, error) { cancel() }
		start := time.Now()
		if _, err := Retry(next, o).Reply(ctx, Request{}); !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
		cancel()
	}
}

// Jitter only ever adds: a server that says when to come back is not asked before.
func TestRetryJitter(t *testing.T) {
	p := newClock()
	p.options.Jitter = func() float64 { return 0.8 }
	next := &answers{t: t, list: []answer{fail(FaultRateLimit, 10*time.Second), good}}
	if _, err := Retry(next, p.options).Reply(context.Background(), Request{}); err != nil {
		t.Fatal(err)
	}
	if p.waits[0] != 12*time.Second {
		t.Errorf("waited %v", p.waits)
	}
}

// Ctrl-C during a wait ends it at once, on the real clock too.
func TestRetryCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := RetryOptions{OnRetry: func(int, time.Duration, error) { cancel() }}
	start := time.Now()
	_, err := Retry(&answers{t: t, list: []answer{fail(FaultRateLimit, time.Minute)}}, o).Reply(ctx, Request{})
	if !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// An error that is not a provider's (a full disk) is not one to try again.
func TestRetryOtherErrors(t *testing.T) {
	p := newClock()
	next := &answers{t: t, list: []answer{{err: errors.New("no space left on device")}}}
	if _, err := Retry(next, p.options).Reply(context.Background(), Request{}); err == nil || len(p.waits) > 0 {
		t.Errorf("%v, %v", err, p.waits)
	}
}
