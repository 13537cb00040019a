package runner

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// A model in whose window or replies no session fits is refused before
// anything is begun.
func TestSmallModelsAreRefused(t *testing.T) {
	t.Parallel()
	for name, info := range map[string]model.Info{"window": {Context: 8192}, "reply": {MaxOutput: 500}} {
		w := newWorld(t, func(model.Request) model.Reply {
			t.Error("the model was asked")
			return model.Reply{}
		})
		w.o.ModelInfo.Context, w.o.ModelInfo.MaxOutput = info.Context, info.MaxOutput
		if e := w.ends(Usage); !strings.Contains(e.Reason, "tokens") || e.Hint == "" || w.engine.Starts() != 0 {
			t.Errorf("%s: %v, hint %q", name, e, e.Hint)
		}
	}
}

// bytesOf is how much a request holds.
func bytesOf(r model.Request) int {
	n := 0
	for _, m := range r.Messages {
		n += len(m.Content)
		for _, c := range m.Calls {
			n += len(c.Arguments)
		}
	}
	return n
}

// reader looks at something long in every turn of hello, and writes to begin
// with something long itself. Its provider counts four bytes a token.
func reader(window int, seen func(r model.Request)) actor {
	return func(r model.Request) model.Reply {
		prompt := bytesOf(r) / 4
		if !isFor(r, "hello") {
			reply := greeter(r)
			reply.Usage = model.Usage{Known: true, Prompt: prompt, Completion: 10}
			return reply
		}
		seen(r)
		reply := says(bash(fmt.Sprintf("echo %s; seq -s ' ' 1000 2000 | head -c 2500", strings.Repeat("x", turnOf(r)))))
		if turnOf(r) == 0 {
			reply = says(write("notes.txt", strings.Repeat("what the model wrote\n", 200)))
		}
		reply.Usage = model.Usage{Known: true, Prompt: prompt, Completion: 10}
		return reply
	}
}

// In a small window old results are left out, in few sweeps; what the model
// wrote stays, the last turns stay, and it is told in time when it fills up.
func TestWindowIsSwept(t *testing.T) {
	t.Parallel()
	const window = 20_000
	most, toldAt, lost := 0, 0, 0
	w := newWorld(t, reader(window, func(r model.Request) {
		tokens := bytesOf(r) / 4
		most = max(most, tokens)
		results, long := 0, 0
		for _, m := range r.Messages {
			if m.Role == model.Assistant && strings.Contains(m.Content, "left out") {
				t.Error("what the model wrote was left out")
			}
			if m.Role == model.ToolRole {
				results++
				if long++; strings.HasPrefix(m.Content, "[output left out, ") {
					long = 0
				}
			}
			if strings.Contains(m.Content, "% of the room for this session is used") && toldAt == 0 {
				toldAt = tokens
			}
		}
		if results >= turnsKept && long < turnsKept {
			t.Errorf("of %d results only the last %d are whole", results, long)
		}
		if turnOf(r) > 0 && !strings.Contains(r.Messages[2].Calls[0].Arguments, "what the model wrote") {
			lost++
		}
		if r.MaxTokens+tokens > window {
			t.Errorf("%d tokens are asked for beside %d of the prompt", r.MaxTokens, tokens)
		}
	}))
	w.o.ModelInfo.Context, w.o.MaxSessions = window, 2
	w.ends(Incomplete)
	sweeps := w.notes("left out of the conversation")
	if sweeps < 1 || sweeps > 4 || lost > 0 {
		t.Errorf("%d sweeps, %d of the model's calls lost", sweeps, lost)
	}
	if most > window*80/100 {
		t.Errorf("%d of %d tokens were used", most, window)
	}
	if w.notes("window is small") != 1 {
		t.Error("nobody is warned of a small window")
	}
	if end := w.lastEnded(); end.Ending != endTurns {
		t.Errorf("ended by %+v", end)
	}
	t.Logf("%d sweeps, at most %d tokens", sweeps, most)
}

// Where nothing can be left out, because the model itself wrote it, the model
// is told before the window is 80 % full; then the session ends, with a name.
func TestWindowFillsUp(t *testing.T) {
	t.Parallel()
	const window = 20_000
	told := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		tokens := bytesOf(r) / 4
		if told == 0 && strings.Contains(lastSaid(r), "% of the room for this session is used") {
			told = tokens
		}
		reply := greeter(r)
		if isFor(r, "hello") {
			reply = says(write(fmt.Sprintf("f%d", turnOf(r)), strings.Repeat("line\n", 600)))
		}
		reply.Usage = model.Usage{Known: true, Prompt: tokens, Completion: 10}
		return reply
	})
	w.o.ModelInfo.Context, w.o.MaxSessions, w.o.MaxTokens = window, 2, 2000
	w.ends(Incomplete)
	if told == 0 || told > window*80/100 {
		t.Errorf("told at %d of %d tokens", told, window)
	}
	if end := w.lastEnded(); end.Ending != endContext || !strings.Contains(end.Limit, "20000 tokens") {
		t.Errorf("ended by %+v", end)
	}
}

// narrow is a model whose provider finds conversations too long that have
// more than so many bytes.
type narrow struct {
	actor
	most    int
	refused int
}

func (n *narrow) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if bytesOf(r) > n.most {
		n.refused++
		return model.Reply{}, &model.Error{Fault: model.FaultContext, Status: 400, Message: "too long"}
	}
	return n.actor.Reply(ctx, r)
}

// A provider that finds the conversation too long: once all that is old is left
// out, then the session ends and a new one begins.
func TestProviderFindsItTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	n := &narrow{actor: reader(0, func(model.Request) {}), most: 30_000}
	w.o.Model, w.o.MaxSessions = n, 3
	w.ends(Incomplete)
	ended := 0
	for _, e := range w.events {
		if e.Kind == ledger.SessionEnd && e.Ended.Ending == endContext {
			ended++
		}
	}
	if sweeps := w.notes("left out of the conversation"); n.refused != 4 || sweeps != 2 || ended != 2 {
		t.Errorf("refused %d times, %d sweeps, %d sessions ended\n%s", n.refused, sweeps, ended, w.history())
	}
}

// A server that drops a part of the conversation in silence is found out by its
// own count: nothing of that reply is executed, and the setting is named.
func TestCutInSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		reply := greeter(r)
		if isFor(r, "hello") {
			reply = says(bash("echo " + strings.Repeat("x", turnOf(r))))
			if turnOf(r) == 3 {
				reply = says(bash("touch pwned"))
			}
		}
		reply.Usage = model.Usage{Known: true, Prompt: 3900, Completion: 10}
		if turnOf(r) == 3 {
			reply.Usage.Prompt = 3000
		}
		return reply
	})
	w.o.ModelInfo.Provider = "ollama"
	e := w.ends(FailedRun)
	if !strings.Contains(e.Reason, "it counted 3000 tokens of it, and 3900 before") || !strings.Contains(e.Hint, "OLLAMA_CONTEXT_LENGTH") {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
	if strings.Contains(w.git("status", "--porcelain"), "pwned") {
		t.Error("a reply to half a conversation was executed")
	}
}

// What a provider counts calibrates the estimate; what makes no sense does not.
func TestWindowCounts(t *testing.T) {
	t.Parallel()
	w := window{size: 1000}
	if n := w.estimate(300); n != 100 {
		t.Errorf("before anything is counted: %d", n)
	}
	w.counted(400, model.Usage{Known: true, Prompt: 100})
	if n := w.estimate(800); n != 200 {
		t.Errorf("after it: %d", n)
	}
	for _, u := range []model.Usage{{}, {Known: true}, {Known: true, Prompt: -5}} {
		if _, cut := w.counted(800, u); cut || w.tokens != 100 {
			t.Errorf("%+v counts", u)
		}
	}
	if w.counted(800, model.Usage{Known: true, Prompt: 1 << 40}); w.estimate(800) > 800 {
		t.Error("a token is shorter than a byte")
	}
	w = window{}
	w.counted(400, model.Usage{Known: true, Prompt: 100})
	if _, cut := w.counted(500, model.Usage{Known: true, Prompt: 20, Cached: 100}); cut {
		t.Error("what came from the cache beside the prompt is taken for cut off")
	}
	w = window{}
	w.counted(400, model.Usage{Known: true, Prompt: 100})
	if _, cut := w.counted(500, model.Usage{Known: true, Prompt: 65, Cached: 60}); cut {
		t.Error("a smaller part from the cache beside the prompt is taken for cut off")
	}
	if _, cut := w.counted(500, model.Usage{Known: true, Prompt: 60, Cached: 20}); !cut {
		t.Error("a conversation that was cut is not noticed where a part of it came from the cache")
	}
	w.forget()
	if _, cut := w.counted(100, model.Usage{Known: true, Prompt: 25}); cut {
		t.Error("a conversation that we made shorter is taken for one that was cut")
	}
}
