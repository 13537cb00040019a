package runner

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/scripted"
)

// bilingual calls tools if it is offered some, and writes commands else: one
// call of the greeter after the other.
func bilingual(r model.Request) model.Reply {
	if len(r.Tools) > 0 {
		return greeter(r)
	}
	var calls []model.Call
	switch {
	case isPlan(r):
		calls = planCalls("hello", "bye")
	default:
		calls = greeter(r).Calls
	}
	return inWordsOf(calls[min(commands(r), len(calls)-1)])
}

// commands counts those that the model has written.
func commands(r model.Request) int {
	n := 0
	for _, m := range r.Messages {
		if m.Role == model.Assistant && strings.HasPrefix(m.Content, "<") {
			n++
		}
	}
	return n
}

// notes are the notes of the ledger that say so.
func (w *world) notes(words string) int {
	n := 0
	for _, e := range w.events {
		if e.Kind == ledger.Note && strings.Contains(e.Text, words) {
			n++
		}
	}
	return n
}

// A model that can't call tools is asked in words from its first request on,
// and what it is told of the form is in the system prompt.
func TestToolsByTheCatalogue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if len(r.Tools) > 0 || !strings.Contains(r.Messages[0].Content, "<write path=") || strings.Contains(r.Messages[0].Content, "Several calls in one reply") {
			t.Errorf("%d tools, system prompt %q", len(r.Tools), r.Messages[0].Content)
		}
		return bilingual(r)
	})
	w.o.ModelInfo.Tools = model.Unsupported
	w.done()
	if w.notes("can't call tools") != 1 {
		t.Errorf("not said once:\n%s", w.history())
	}
}

// picky is a model whose provider takes no tools.
type picky struct {
	actor
	refused int
}

func (p *picky) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if len(r.Tools) > 0 {
		p.refused++
		return model.Reply{}, &model.Error{Fault: model.FaultTools, Status: 404, Message: "no endpoints that support tool use"}
	}
	return p.actor.Reply(ctx, r)
}

// A provider that refuses tools is asked in words, once and for all: also the
// next process of the job does not try again. --tools native keeps to it.
func TestToolsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bilingual)
	p := &picky{actor: bilingual}
	w.o.Model, w.o.MaxSessions, w.o.Tools = p, 1, ToolsNative
	if e := w.ends(FailedRun); !strings.Contains(e.Hint, "--tools text") {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
	w.o.Tools, p.refused = ToolsAuto, 0
	w.ends(Incomplete)
	w.o.MaxSessions = 0
	w.done()
	if p.refused != 1 || w.notes("asked for commands in words from now on") != 1 {
		t.Errorf("refused %d times\n%s", p.refused, w.history())
	}
}

// A model of which nothing is known, and that calls nothing twice, is asked in
// words; one that has called something by itself is not.
func TestToolsOfASilentModel(t *testing.T) {
	t.Parallel()
	native := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		if len(r.Tools) > 0 {
			native++
			return model.Reply{Content: "First I would look around."}
		}
		if !strings.Contains(strings.Join(contents(r), "\n"), "No command found. Nothing was run. Form:\n<bash>") && isPlan(r) {
			t.Errorf("not told what a command looks like: %q", contents(r))
		}
		return bilingual(r)
	})
	w.done()
	if native != silentToText {
		t.Errorf("asked with tools %d times", native)
	}

	talked := 0
	w = newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		talked++
		if len(r.Tools) == 0 {
			t.Error("a model that has called tools was asked in words")
		}
		return model.Reply{Content: "It is done."}
	})
	w.o.MaxSessions = 2
	w.ends(Incomplete)
	if talked != silentReplies {
		t.Errorf("%d replies", talked)
	}
}

func contents(r model.Request) []string {
	var out []string
	for _, m := range r.Messages {
		out = append(out, m.Content)
	}
	return out
}

// A call that has slipped into the text of a model that is offered tools is
// done and recorded, and so are names that are not ours.
func TestToleranceIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		switch {
		case isFor(r, "hello") && turnOf(r) == 0:
			return model.Reply{Content: `<tool_call>{"name":"Write","arguments":{"file_path":"hello.sh","content":"echo hello\n"}}</tool_call>`}
		case isFor(r, "hello"):
			return says(finish("hello says hello"))
		}
		return greeter(r)
	})
	w.done()
	slipped, named := false, false
	for _, e := range w.events {
		slipped = slipped || e.Kind == ledger.Reply && strings.Join(e.Answer.Tolerated, " ") == "text-call"
		named = named || e.Kind == ledger.CallStart && strings.Join(e.Call.Aliases, " ") == "Write file_path"
	}
	if !slipped || !named {
		t.Errorf("text-call recorded: %v, names: %v", slipped, named)
	}
}

// A script over real HTTP builds in both modes.
func TestScriptedInBothModes(t *testing.T) {
	t.Parallel()
	script, err := scripted.Load("../examples/hello/hello.yaml")
	must(t, err)
	spec, err := os.ReadFile("../examples/hello/spec.txt")
	must(t, err)
	for _, mode := range []ToolMode{ToolsNative, ToolsText} {
		w := newWorld(t, nil)
		base, stop, err := script.Serve()
		must(t, err)
		c := openai.New(openai.Config{BaseURL: base, Model: script.Name})
		w.o.Model, w.o.Tools, w.o.Features = c, mode, 1
		w.o.ModelInfo = model.Info{ID: script.Name, Accept: []string{script.Name}, PriceSource: "test"}
		w.o.Spec.Text = string(spec)
		status, err := w.run()
		c.Close()
		stop()
		if err != nil || status.Passing() != 1 {
			t.Errorf("%s: %d pass, %v\n%s", mode, status.Passing(), err, w.history())
		}
	}
}

// rationed answers up to so many tokens and fails with fault where more are asked for.
type rationed struct {
	actor
	most  int
	fault model.Fault
	asked []int
}

func (m *rationed) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if m.asked = append(m.asked, r.MaxTokens); r.MaxTokens > m.most {
		return model.Reply{}, &model.Error{Fault: m.fault, Status: 400, Message: "max_tokens is too large"}
	}
	return m.actor.Reply(ctx, r)
}

// cutOnce is a planner's reply that was cut, and then the greeter.
func cutOnce(times int) actor {
	return func(r model.Request) model.Reply {
		if times > 0 {
			times--
			reply := says(planCalls("hello", "bye")...)
			reply.Usage = model.Usage{Known: true, Prompt: 100, Completion: r.MaxTokens}
			return reply
		}
		return greeter(r)
	}
}

// A cut reply is asked for again once with four times the tokens, which stay;
// what the model, the budget or the server do not allow is not insisted on.
func TestCutReplyIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cuts  int
		most  int
		fault model.Fault
		limit int    // of the model's catalogue
		price string // of a token
		money string
		want  []int // tokens of the first requests
	}{
		"four times":            {cuts: 1, most: 1e6, want: []int{1000, 4000}},
		"and only once":         {cuts: 3, most: 1e6, want: []int{1000, 4000, 4000, 4000}},
		"the model's limit":     {cuts: 1, most: 1e6, limit: 3000, want: []int{1000, 3000}},
		"no more is possible":   {cuts: 1, most: 1e6, limit: 1000, want: []int{1000, 1000}},
		"the server's":          {cuts: 1, most: 2000, fault: model.FaultRequest, want: []int{1000, 4000, 1000}},
		"the window's":          {cuts: 1, most: 2000, fault: model.FaultContext, want: []int{1000, 4000, 1000}},
		"no money for so many":  {cuts: 1, most: 1e6, price: "0.001", money: "4.9", want: []int{1000, 1000}},
		"enough money for them": {cuts: 1, most: 1e6, price: "0.001", money: "6", want: []int{1000, 4000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &rationed{actor: cutOnce(c.cuts), most: c.most, fault: c.fault}
			w := newWorld(t, nil)
			w.o.Model, w.o.MaxTokens, w.o.ModelInfo.MaxOutput, w.o.MaxSessions = m, 1000, c.limit, 1
			if c.price != "" {
				w.o.ModelInfo.Price.Completion, w.o.Budget = price(c.price), price(c.money)
			}
			_, err := w.run()
			var e *Error
			if !errors.As(err, &e) || e.Outcome != Incomplete {
				t.Errorf("ended with %v\n%s", err, w.history())
			}
			if len(m.asked) < len(c.want) || !equal(m.asked[:len(c.want)], c.want) {
				t.Errorf("asked for %v tokens, want %v", m.asked, c.want)
			}
			if n := w.count(ledger.Listed); n != 1 {
				t.Errorf("%d lists were accepted", n)
			}
		})
	}
}

func equal(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
