package model

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// patience is a Retry whose clock is a list.
type patience struct {
	waits   []time.Duration
	told    []int
	options RetryOptions
}

func newPatience() *patience {
	p := &patience{}
	p.options = RetryOptions{
		Jitter:  func() float64 { return 0 },
		OnRetry: func(attempt int, _ time.Duration, _ error) { p.told = append(p.told, attempt) },
		Sleep: func(ctx context.Context, d time.Duration) error {
			p.waits = append(p.waits, d)
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
			p := newPatience()
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

// Jitter only ever adds: a server that says when to come back is not asked before.
func TestRetryJitter(t *testing.T) {
	p := newPatience()
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
	p := newPatience()
	next := &answers{t: t, list: []answer{{err: errors.New("no space left on device")}}}
	if _, err := Retry(next, p.options).Reply(context.Background(), Request{}); err == nil || len(p.waits) > 0 {
		t.Errorf("%v, %v", err, p.waits)
	}
}
