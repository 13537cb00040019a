package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// The kinds of sessions.
const (
	initializer = "initializer"
	coding      = "coding"
)

// How a session can end, in the ledger and in the next session's prompt.
const (
	endFinish      = "finish"
	endTurns       = "turns"
	endSilent      = "no calls"
	endLoop        = "loop"
	endOutputLimit = "output limit"
	endRedFinishes = "red finishes"
	endListRounds  = "faulty lists"
	endProvider    = "provider error"
	endInterrupted = "interrupted"
)

// ending is how a session ended.
type ending struct {
	how    string
	status string // finish: done or blocked
	note   string
	limit  string // the limit that ended it, in words
	err    error  // provider error
}

// session is one fresh conversation with one purpose.
type session struct {
	job     *job
	kind    string
	feature feature.Feature // coding
	turns   int
	pool    *sandbox.Pool
	env     tool.Env

	messages  []model.Message // only ever appended to
	tools     []model.Tool
	maxTokens int

	calls    int
	silent   int // replies without a call, in a row
	cut      int // cut replies, in a row
	lost     int // lost boxes, in a row
	rounds   int // finishes that were refused
	loop     loop
	verified bool // the model has run verify itself

	// decide answers a finish: a text for the model, and the ending if it counts.
	decide func(ctx context.Context, use tool.Use) (string, *ending, error)
}

// newSession makes a session whose conversation begins with the job's system
// prompt and task.
func (j *job) newSession(kind string, f feature.Feature, turns int, task string) *session {
	s := &session{job: j, kind: kind, feature: f, turns: turns, tools: tool.Tools(j.o.Limits.Timeout),
		maxTokens: firstCap(j.o.MaxTokens, j.o.ModelInfo)}
	s.pool = j.newPool()
	s.env = tool.Env{Vars: j.env, Shell: j.shell(), Scope: j.o.Scope, Limits: j.o.Limits,
		Numbers: tool.NumbersFor(j.o.ModelInfo.Context), Frozen: j.hostFiles(kind),
		Installed: j.inventory.InstalledLine(), Saved: j.ledger.Totals().Calls}
	s.append(model.Message{Role: model.System, Content: j.system})
	s.append(model.Message{Role: model.User, Content: task})
	return s
}

// run is the loop: ask, execute, until something ends it. Every limit is
// checked here, before the next request.
func (s *session) run(ctx context.Context) (end ending, err error) {
	j := s.job
	defer func() { err = errors.Join(err, s.endBoxes()) }()
	for j.turn = 1; j.turn <= s.turns; j.turn++ {
		switch {
		case s.silent >= silentReplies:
			return ending{how: endSilent, limit: fmt.Sprintf("%d replies in a row without a call", s.silent)}, nil
		case s.cut >= cutReplies:
			return ending{how: endOutputLimit, limit: fmt.Sprintf("%d replies in a row cut at %d tokens (--max-tokens)", s.cut, s.maxTokens)}, nil
		}
		reply, whole, err := s.ask(ctx)
		var fault *model.Error
		if errors.As(err, &fault) {
			return ending{how: endProvider, err: err}, nil
		}
		if err != nil {
			return ending{}, err
		}
		if !whole {
			continue
		}
		s.cut = 0
		if len(reply.Calls) == 0 {
			s.nudge(reply)
			continue
		}
		s.silent = 0
		end, err := s.act(ctx, reply)
		if err != nil {
			return ending{}, err
		}
		if end != nil {
			return *end, nil
		}
	}
	return ending{how: endTurns, limit: fmt.Sprintf("%d turns", s.turns)}, nil
}

// nudge answers a reply that calls nothing.
func (s *session) nudge(reply model.Reply) {
	s.silent++
	if reply.Content != "" {
		s.append(model.Message{Role: model.Assistant, Content: reply.Content})
	}
	s.append(model.Message{Role: model.User, Content: prompts.Message("E6", nil)})
}

// notice is what the model is told once, at the end of a tool result, when a
// limit comes near.
func (s *session) notice() string {
	left := s.turns - s.job.turn
	if left != s.turns/5 {
		return ""
	}
	return fmt.Sprintf("\n\n[%d turns left: make verify pass, or finish with a note.]", left)
}

func (s *session) append(m model.Message) { s.messages = append(s.messages, m) }

// endBoxes ends every box of the session. It has a time of its own: a session
// that was interrupted is cleaned up too.
func (s *session) endBoxes() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	return s.pool.Close(ctx)
}

// renewBoxes ends every box and makes room for new ones: the host is about to
// verify, and the session may go on after it.
func (s *session) renewBoxes() error {
	err := s.endBoxes()
	s.pool = s.job.newPool()
	return err
}

func (j *job) newPool() *sandbox.Pool {
	return sandbox.NewPool(j.o.Engine, j.boxSpec(true), j.o.Scope, func(box *sandbox.Box, took time.Duration) {
		// A ledger that can't be written fails the next event that matters.
		_ = j.recordBox(box, forCall, took)
	})
}

// openSession records that a session begins.
func (j *job) openSession(kind string, f feature.Feature, attempt int) error {
	j.sessionsLeft--
	j.session++
	j.turn = 0
	return j.record(ledger.Event{Kind: ledger.SessionStart, Session: j.session, Feature: f.ID,
		Started: &ledger.SessionInfo{Kind: kind, Attempt: attempt}})
}

// closeSession records how it ended, and keeps its note for the next one.
func (j *job) closeSession(kind string, f feature.Feature, attempt int, end ending) error {
	info := &ledger.SessionInfo{Kind: kind, Attempt: attempt, Ending: end.how, Status: end.status, Note: j.clip(end.note, noteBytes), Limit: end.limit}
	text := ""
	if end.err != nil {
		text = j.clip(end.err.Error(), errorKept)
	}
	return j.record(ledger.Event{Kind: ledger.SessionEnd, Session: j.session, Feature: f.ID, Text: text, Ended: info})
}
