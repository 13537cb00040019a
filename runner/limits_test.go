package runner

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// lastEnded is how the last session ended.
func (w *world) lastEnded() ledger.SessionInfo {
	w.t.Helper()
	for i := len(w.events) - 1; i >= 0; i-- {
		if e := w.events[i]; e.Kind == ledger.SessionEnd {
			return *e.Ended
		}
	}
	w.t.Fatal("no session ended")
	return ledger.SessionInfo{}
}

// busy works on hello for ever and never repeats itself; the rest is the greeter's.
func busy(r model.Request) model.Reply {
	if !isFor(r, "hello") {
		return greeter(r)
	}
	return says(bash("echo " + strings.Repeat("x", turnOf(r))))
}

func TestMaxTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, busy)
	w.o.MaxTurns, w.o.MaxSessions = 5, 2
	w.ends(Incomplete)
	if end := w.lastEnded(); end.Ending != endTurns || end.Limit != "5 turns (--max-turns)" {
		t.Errorf("%+v", end)
	}
}

// The time of a run ends what is under way, a request or a call; the session is
// verified like any other, no attempt is used up, and the same command goes on.
func TestMaxTime(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]func(ctx context.Context) model.Reply{
		"in a call":    func(context.Context) model.Reply { return says(bash("sleep 300")) },
		"in a request": func(ctx context.Context) model.Reply { <-ctx.Done(); return model.Reply{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, greeter)
			w.o.MaxSessions = 1
			w.ends(Incomplete) // the plan is made without haste
			w.o.MaxSessions = 0
			w.o.Model = hanging{func(ctx context.Context, r model.Request) model.Reply {
				if isFor(r, "hello") && turnOf(r) == 0 {
					return says(write("hello.sh", "echo hello\n"))
				}
				return hang(ctx)
			}}
			w.o.MaxTime = 20 * time.Second
			if testing.Short() {
				w.o.MaxTime = 5 * time.Second
			}
			w.o.Limits.Timeout = 10 * time.Minute
			start := time.Now()
			e := w.ends(Incomplete)
			if took := time.Since(start); took > 4*w.o.MaxTime {
				t.Errorf("it took %s", took)
			}
			if !strings.Contains(e.Reason, "(--max-time)") || e.Hint == "" {
				t.Errorf("%q, hint %q", e.Reason, e.Hint)
			}
			if end := w.lastEnded(); end.Ending != endTime || !strings.Contains(end.Limit, "(--max-time)") {
				t.Errorf("%+v", end)
			}
			if w.count(ledger.Passed) != 1 {
				t.Errorf("what the session had built was not verified\n%s", w.history())
			}
			w.o.MaxTime, w.o.Model = 0, actor(greeter)
			w.done()
		})
	}
}

// hanging is a model that sees the context of its request.
type hanging struct {
	reply func(context.Context, model.Request) model.Reply
}

func (h hanging) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	reply, err := actor(func(r model.Request) model.Reply { return h.reply(ctx, r) }).Reply(ctx, r)
	if ctx.Err() != nil {
		return model.Reply{}, ctx.Err()
	}
	return reply, err
}

// Limits of a process use up no attempt: however often it is ended by them, the
// job goes on when they are lifted.
func TestMaxCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, busy)
	w.o.MaxSessions = 1
	w.ends(Incomplete)
	w.o.MaxSessions, w.o.MaxCalls = 0, 2
	for range codingAttempts + 1 {
		w.events = nil
		if e := w.ends(Incomplete); e.Reason != "2 calls of this run are done (--max-calls)" || e.Hint == "" {
			t.Errorf("%q, hint %q", e.Reason, e.Hint)
		}
		if n := w.count(ledger.CallStart); n != 2 {
			t.Errorf("%d calls", n)
		}
	}
	w.o.MaxCalls, w.o.Model = 0, actor(greeter)
	w.done()
}

// A reply with more calls than are left is done as far as it may be, and each
// call has an answer.
func TestMaxCallsInAReply(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.MaxCalls = 3
	w.ends(Incomplete)
	if n := w.count(ledger.CallStart); n != 3 {
		t.Errorf("%d calls were executed", n)
	}
}

// The tokens are the whole job's, over all its processes.
func TestMaxJobTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, busy) // 110 tokens a reply
	w.o.MaxJobTokens = 500
	e := w.ends(Incomplete)
	if e.Reason != "550 of 500 tokens of the job are used (--max-job-tokens)" || !strings.Contains(e.Hint, "--max-job-tokens") {
		t.Errorf("%q, hint %q", e.Reason, e.Hint)
	}
	asked := w.count(ledger.Request)
	w.ends(Incomplete)
	if n := w.count(ledger.Request); n != asked {
		t.Errorf("a new process sent %d more requests", n-asked)
	}
}

// A limit of tokens that can't be kept, because they are not told, ends the job.
func TestMaxJobTokensUntold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.Model = untold{greeter}
	w.o.MaxJobTokens = 1_000_000
	if e := w.ends(Incomplete); !strings.Contains(e.Reason, "does not say how many tokens") {
		t.Error(e)
	}
	if n := w.count(ledger.Request); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// untold is a model that says nothing of its usage.
type untold struct{ actor }

func (u untold) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	reply, err := u.actor.Reply(ctx, r)
	reply.Usage = model.Usage{}
	return reply, err
}

// Errors of the provider in session after session end the job as failed, and
// that they did is said.
func TestProviderErrorsInARow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	m := &refusing{actor: greeter}
	w.o.Model = m
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.Approved {
			m.err = &model.Error{Fault: model.FaultRequest, Status: 400, Message: "no"}
		}
	}
	if e := w.ends(FailedRun); !strings.Contains(e.Reason, fmt.Sprintf("%d sessions in a row", providerErrors)) || e.Hint == "" {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
}

// The planner's last ending is part of why there is no list.
func TestNoListSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		return says(bash("echo " + strings.Repeat("x", turnOf(r))))
	})
	w.o.MaxTurns = 2
	if e := w.ends(Incomplete); !strings.Contains(e.Reason, "after 3 sessions; the last one was ended by turns (2 turns (--max-turns))") {
		t.Error(e)
	}
}

func TestInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{8 * time.Hour: "8h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 90 * time.Second: "1m30s", time.Second: "1s"} {
		if got := inWords(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}
