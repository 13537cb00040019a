package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	acceptance  = "acceptance"
	revision    = "revision" // of a disputed test, in the initializer's role
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
	endFormat      = "unreadable commands"
	endContext     = "context"
	endProvider    = "provider error"
	endTime        = "time"
	endCalls       = "calls"
	endTokens      = "tokens"
	endInterrupted = "interrupted"
)

// ending is how a session ended.
type ending struct {
	how    string
	status string // finish: done or blocked
	note   string
	limit  string // the limit that ended it, in words
	err    error  // provider error, which may end the job
}

// session is one fresh conversation with one purpose.
type session struct {
	job     *job
	kind    string
	feature feature.Feature // coding
	turns   int
	pool    *sandbox.Pool
	copy    *checkout // where it works, nil for the project itself
	env     tool.Env

	messages  []model.Message // only appended to, but for old results that are left out
	tools     []model.Tool
	maxTokens int
	raised    bool // maxTokens was, once
	window    window
	ids       map[string]bool // of the calls of the conversation

	calls    int
	silent   int // replies without a call, in a row
	faulty   int // replies without a command that could be read, in a row
	cut      int // cut replies, in a row
	cutAt    int // tokens, the last of them
	lost     int // lost boxes, in a row
	rounds   int // finishes that were refused
	loop     loop
	verified bool     // the model has run verify itself
	notices  []string // what the model is told at the end of the next result

	budgetTold int64 // the share of the budget in percent that it was told of last

	// decide answers a finish: a text for the model, and the ending if it counts.
	decide func(ctx context.Context, use tool.Use) (string, *ending, error)
}

// newSession makes a session whose conversation begins with the job's system
// prompt and task.
func (j *job) newSession(kind string, f feature.Feature, turns int, task string) *session {
	return j.newSessionIn(nil, kind, f, turns, task)
}

// newSessionIn is newSession on a copy of the project; nil is the project itself.
func (j *job) newSessionIn(copied *checkout, kind string, f feature.Feature, turns int, task string) *session {
	s := &session{job: j, copy: copied, kind: kind, feature: f, turns: j.turnsOf(turns), tools: tool.Tools(j.o.Limits.Timeout),
		maxTokens: firstCap(j.o.MaxTokens, j.o.ModelInfo), window: window{size: j.o.ModelInfo.Context},
		ids: map[string]bool{}, loop: loop{patience: j.patience()}}
	s.pool = s.newPool()
	s.env = tool.Env{Vars: j.env, Shell: j.shell(), Scope: j.o.Scope, Limits: j.o.Limits,
		Numbers: tool.NumbersFor(j.o.ModelInfo.Context), Frozen: j.hostFiles(kind, f),
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
		end := s.over()
		if end == nil {
			s.pool.Ahead() // the boxes of the next calls, while the model thinks
			end, err = s.takeTurn(ctx)
		}
		if j.stopped(ctx, err) {
			end, err = j.usedUp(), nil
		}
		if err != nil {
			return ending{}, err
		}
		if end != nil {
			return *end, nil
		}
	}
	if end := s.over(); end != nil { // the last turn's limit says more than that it was the last
		return *end, nil
	}
	return ending{how: endTurns, limit: fmt.Sprintf("%d turns (--max-turns)", s.turns)}, nil
}

// takeTurn asks once and does what the reply calls.
func (s *session) takeTurn(ctx context.Context) (*ending, error) {
	if err := s.makeRoom(); err != nil {
		return nil, err
	}
	reply, whole, err := s.ask(ctx)
	if err != nil {
		return s.failed(err)
	}
	if !whole {
		return nil, nil
	}
	s.cut = 0
	if len(reply.Calls) == 0 {
		return nil, s.nudge(reply)
	}
	s.silent = 0
	return s.act(ctx, reply)
}

// failed decides what a failed request means for the session.
func (s *session) failed(err error) (*ending, error) {
	var fault *model.Error
	var over *Error
	switch {
	case errors.As(err, &over):
		return &ending{how: endProvider, err: over}, nil
	case !errors.As(err, &fault):
		return nil, err
	case fault.Fault == model.FaultContext:
		return s.outgrown()
	case fault.Fault == model.FaultTools:
		if switched, err := s.toText("the provider refuses tools for this model"); switched || err != nil {
			return nil, err
		}
	}
	return &ending{how: endProvider, err: err}, nil
}

// notice is what the model is told once, at the end of a reply's last result:
// what became of boxes, which a person can read too, and that a limit comes near.
func (s *session) notice() (string, error) {
	notices := append(s.notices, s.died()...)
	s.notices = nil
	if cut := s.cutOff(); cut != "" {
		notices = append(notices, cut)
	}
	for _, told := range notices {
		if err := s.job.note(s.job.clip(strings.Trim(told, "[]"), errorKept)); err != nil {
			return "", err
		}
	}
	if left := s.turns - s.job.turn; left == s.turns/5 && left > 0 {
		notices = append(notices, fmt.Sprintf("[%d turns left: make verify pass, or finish with a note.]", left))
	}
	if money := s.budgetNotice(); money != "" {
		notices = append(notices, money)
	}
	if full := s.nearlyFull(); full != "" {
		notices = append(notices, full)
	}
	if len(notices) == 0 {
		return "", nil
	}
	return "\n\n" + strings.Join(notices, "\n"), nil
}

// append adds a message. What the model is told holds no key; what it said
// itself goes back as it came.
func (s *session) append(m model.Message) {
	if m.Role == model.User {
		s.window.forget()
	}
	if m.Role != model.Assistant {
		m.Content = s.job.redact(m.Content)
	}
	s.messages = append(s.messages, m)
}

// endBoxes ends every box of the session and fetches what they have left. It has
// a time of its own: a session that was interrupted is cleaned up too.
func (s *session) endBoxes() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	if err := s.pool.Close(ctx); err != nil {
		return err
	}
	if err := s.job.openUp(); err != nil {
		return err
	}
	if s.copy != nil {
		return s.job.volumes.fetch(ctx, s.copy.volume)
	}
	return s.job.volumes.fetchWorkspace()
}

// renewBoxes ends every box and makes room for new ones: the host is about to
// verify, and the session may go on after it. The model is told of what ran on.
func (s *session) renewBoxes() error {
	if s.job.o.Scope == sandbox.ScopeCall && len(s.pool.Kept()) > 0 {
		s.notices = append(s.notices, "[The boxes that still ran were ended before the verification.]")
	}
	err := s.endBoxes()
	s.pool = s.newPool()
	return err
}

// boxSpec is a box of the session.
func (s *session) boxSpec() sandbox.Spec {
	spec := s.job.boxSpec(true)
	if s.copy != nil {
		on := s.copy.boxSpec(s.job)
		spec.Workspace, spec.WorkspaceVolume, spec.Hidden, spec.Disk = on.Workspace, on.WorkspaceVolume, on.Hidden, on.Disk
	}
	return spec
}

func (s *session) newPool() *sandbox.Pool {
	j := s.job
	return sandbox.NewPool(j.o.Engine, s.boxSpec(), sandbox.PoolOptions{Scope: j.o.Scope, Starts: j.o.Starts,
		Handed: func(box *sandbox.Box, s sandbox.Start) {
			// A ledger that can't be written fails the next event that matters.
			_ = j.recordBox(ledger.BoxInfo{ID: box.ID(), Purpose: forCall, Took: s.Took, Waited: s.Waited})
		}})
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
	info := &ledger.SessionInfo{Kind: kind, Attempt: attempt, Ending: end.how, Status: end.status, Note: j.clip(end.note, noteBytes), Limit: end.limit, Text: j.text}
	cause := ""
	if end.err != nil {
		cause = j.clip(end.err.Error(), errorKept)
	}
	return j.record(ledger.Event{Kind: ledger.SessionEnd, Session: j.session, Feature: f.ID, Text: cause, Ended: info})
}
