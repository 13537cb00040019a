package runner

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model/modeltest"
)

// The predecessor was asked for a free model, and its server served a paid one
// for weeks. Here the first such reply is the last.
func TestPredecessorsCase(t *testing.T) {
	t.Parallel()
	row := misbehaviour{on: free(), place: always().on([]modeltest.Fault{modeltest.WrongModel(dearID), poisoned()}),
		want: refusedAt(1, wrongModel, exactly)}
	s, w, got := misbehave(t, row)
	checkRow(t, row, s, w, got)
	checkWant(t, row, got)
	if !got.billed.IsPositive() {
		t.Error("the reply cost nothing: this is not the predecessor's case")
	}
	if code := got.outcome.ExitCode(); code != 5 {
		t.Errorf("exit code %d", code)
	}
	for _, words := range []string{"asked openrouter for a/gift:free", `"a/dear" answered`, wrongModel} {
		if !strings.Contains(got.says, words) {
			t.Errorf("a person is told %q, which lacks %q", got.says, words)
		}
	}
	if s, err := ReadStatus(w.o.Dir); err != nil || s.Outcome != ModelRefused || !s.Spent.Equal(got.billed) {
		t.Errorf("status afterwards: %+v, %v", s, err)
	}
}

// I8 and I9 for whole jobs over their restarts: whatever a server that keeps to
// its prices does, and wherever the process is interrupted or killed, nothing
// of another model's reply is executed, and what was billed in all never
// exceeds the cap.
func TestI8AndI9WhateverAServerDoes(t *testing.T) {
	cases := 12
	switch {
	case testing.Short():
		cases = 3
	case os.Getenv("GLOVEBOX_PROOF") == "full":
		cases = 500
	}
	setCases(t, cases)
	rapid.Check(t, func(r *rapid.T) {
		l := newLife(t, r)
		for range rapid.IntRange(1, 3).Draw(r, "processes") {
			l.process(t, r)
			l.check(r)
		}
	})
}

// setCases says how many cases rapid makes; the default is too many for whole jobs.
func setCases(t *testing.T, n int) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if f.Value.String() != f.DefValue {
		return // somebody asked for a number
	}
	must(t, flag.Set("rapid.checks", fmt.Sprint(n)))
	t.Cleanup(func() { must(t, flag.Set("rapid.checks", f.DefValue)) })
}

// life is a job over all its processes.
type life struct {
	ask    ask
	name   string
	server *modeltest.Server
	world  *world

	mu      sync.Mutex
	arrived func() // at each request to the server
}

func newLife(t *testing.T, r *rapid.T) *life {
	l := &life{ask: rapid.SampledFrom([]ask{
		paid(), openAI(), custom(), claude(), free(), zero(), {wire: modeltest.OpenRouter, upstream: "p"}, {wire: modeltest.Local, price: "1/2", words: true},
	}).Draw(r, "asked")}
	var models []modeltest.Model
	l.name, models = l.ask.sold()
	models = append(models, modeltest.Model{ID: otherID, Price: models[0].Price})
	script := errand()
	l.server = modeltest.New(t, l.ask.wire, func(r modeltest.Request) modeltest.Turn {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.arrived != nil {
			l.arrived()
		}
		return script(r)
	}, models...)
	for n := 1; n <= 16; n++ {
		var faults []modeltest.Fault
		if rapid.IntRange(0, 2).Draw(r, fmt.Sprintf("good %d", n)) == 0 {
			faults = append(faults, poisonable(r, l.ask.wire)...)
		}
		if rapid.IntRange(0, 2).Draw(r, fmt.Sprintf("plain %d", n)) == 0 {
			faults = append(faults, rapid.SampledFrom(in(l.ask.wire, harmless())).Draw(r, "also"))
		}
		l.server.On(n, faults...)
	}
	if l.ask.words {
		l.server.From(1, modeltest.CallsAsText("tag"))
	}
	l.world = newWorld(t, nil)
	l.world.o.Image = bareImage(t)
	l.world.o.Budget = price(rapid.SampledFrom([]string{"0.01", "0.02", "0.05", "0.12", "0.25", "0.6"}).Draw(r, "budget"))
	if l.ask.budget != "" {
		l.world.o.Budget = price(l.ask.budget)
	}
	l.world.o.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return l
}

// otherID is a model that costs what the right one costs.
const otherID = "a/other"

// poisonable draws a fault after which nothing of the reply may be executed,
// sometimes one of another model, and makes the reply do what must not be done.
func poisonable(r *rapid.T, wire modeltest.Wire) []modeltest.Fault {
	faults := []modeltest.Fault{poisoned()} // first, so that what cuts a reply cuts it too
	if rapid.IntRange(0, 3).Draw(r, "another model") == 0 {
		who := []modeltest.Fault{modeltest.WrongModel(otherID), modeltest.WrongModelMidStream(2, otherID), modeltest.NoModel()}
		if wire == modeltest.OpenRouter { // which alone tells of its routing
			who = append(who, modeltest.WrongAttempt(otherID), modeltest.WrongEndpoint(otherID), modeltest.Strategy("fallback"))
		}
		faults = append(faults, rapid.SampledFrom(in(wire, who)).Draw(r, "who"))
		if rapid.Bool().Draw(r, "whole") {
			return faults
		}
	}
	return append(faults, rapid.SampledFrom(in(wire, []modeltest.Fault{
		modeltest.CutBeforeFinish(), modeltest.CutAfter(4), modeltest.CutInEvent(5), modeltest.HangUp(), modeltest.NoChoices(),
		modeltest.Finish("content_filter"), modeltest.Finish("refusal"), modeltest.Finish("a new word"),
		modeltest.ErrorMidStream(3, 502), modeltest.ErrorMidStream(3, 429), modeltest.ErrorIn200(502), modeltest.NotJSON(3),
		modeltest.Down(500), modeltest.Busy(time.Second), modeltest.BadRequest(), modeltest.HTMLPage(200), modeltest.Length(true),
	})).Draw(r, "fault"))
}

// in are the faults that answers of a format can have.
func in(wire modeltest.Wire, faults []modeltest.Fault) []modeltest.Fault {
	return slices.DeleteFunc(slices.Clone(faults), func(f modeltest.Fault) bool { return !f.In(wire) })
}

// harmless are faults that a reply is understood with, some without its cost.
func harmless() []modeltest.Fault {
	return []modeltest.Fault{
		modeltest.NoUsage(), modeltest.UsageIs("0", "0"), modeltest.UsageIs("-1", "1"), modeltest.UsageNull(), modeltest.NoCost(),
		modeltest.Cached(300, 100), modeltest.NoIndex(), modeltest.ArgumentsAsObject(), modeltest.NullContent(), modeltest.NoDone(),
		modeltest.Comments(2), modeltest.CRLF(),
	}
}

// process is one process of the job: it may end by itself, be interrupted at
// an event, or be killed, at an event or when a request of it has arrived. What
// a killed process leaves is the disk as it was at that moment.
func (l *life) process(t *testing.T, r *rapid.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := l.ask.resolve(t, l.world, l.server, l.name); err != nil {
		r.Fatal(err)
	}
	end := rapid.SampledFrom([]string{"by itself", "interrupted", "killed", "killed while it waits"}).Draw(r, "end")
	at := rapid.IntRange(1, 40).Draw(r, "at")
	left := ""
	stop := func() {
		if at--; at == 0 {
			if strings.HasPrefix(end, "killed") {
				left = copyOf(t, l.world.o.Dir)
			}
			cancel()
		}
	}
	l.world.on = nil
	switch end {
	case "interrupted", "killed":
		l.world.on = func(ledger.Event) { stop() }
	case "killed while it waits":
		at = at%6 + 1
		l.onArrival(stop)
		defer l.onArrival(nil)
	}
	_, err := Run(ctx, l.world.o)
	var e *Error
	if err == nil || !errors.As(err, &e) {
		r.Errorf("the job ended with %v", err)
	}
	if left != "" {
		l.world.o.Dir = left
	}
}

func (l *life) onArrival(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived = do
}

func (l *life) check(r *rapid.T) {
	billed, booked, limit := l.server.Billed(), booked(l.world.t, l.world), l.world.o.Budget
	if billed.GreaterThan(limit) || booked.GreaterThan(limit) || booked.LessThan(billed) {
		r.Errorf("billed %s, booked %s, the cap is %s", billed, booked, limit)
	}
	if l.world.maybe(pwnedFile) != "" {
		r.Errorf("a call that must never be executed was executed")
	}
	for _, fault := range unauthorised(l.ask, l.server) {
		r.Error("unauthorised: " + fault)
	}
	if r.Failed() {
		r.Log(l.world.history())
	}
}
