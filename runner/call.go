package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// act executes the calls of a reply and answers each one: in order, but reads
// that follow one another at the same time. The ending is set when the session
// is over.
func (s *session) act(ctx context.Context, reply model.Reply) (end *ending, err error) {
	reply.Calls = s.distinct(reply.Calls)
	s.job.called = s.job.called || !s.job.text
	s.append(assistant(reply))
	s.pool.Expect(min(len(reply.Calls), callsPerReply))
	failed := "" // the first change of this reply that did not happen
	for i := 0; i < len(reply.Calls); {
		var texts []string
		if end == nil {
			end = s.job.noMoreCalls()
		}
		switch {
		case i >= callsPerReply:
			texts = []string{fmt.Sprintf("Not run: a reply may have %d calls.", callsPerReply)}
		case end != nil:
			texts = []string{"Not run: the session had ended before it."}
		default:
			if texts, end, err = s.executeNext(ctx, reply.Calls[i:], &failed); err != nil {
				return nil, err
			}
		}
		for _, text := range texts {
			s.append(model.Message{Role: model.ToolRole, CallID: reply.Calls[i].ID, Content: text})
			i++
		}
	}
	if n := len(s.messages); n > 0 && s.messages[n-1].Role == model.ToolRole {
		told, err := s.notice()
		if err != nil {
			return nil, err
		}
		s.messages[n-1].Content += told
	}
	return end, nil
}

// executeNext does the first of calls, or the reads that they begin with.
func (s *session) executeNext(ctx context.Context, calls []model.Call, failed *string) (texts []string, end *ending, err error) {
	if reads := s.readsAhead(calls); len(reads) > 1 {
		return s.readTogether(ctx, calls, reads)
	}
	text, end, err := s.execute(ctx, calls[0], failed)
	return []string{text}, end, err
}

// execute does one call. finish decides nothing after a change that failed in
// the same reply: the model believed it had happened.
func (s *session) execute(ctx context.Context, call model.Call, failed *string) (string, *ending, error) {
	use, err := s.understand(call)
	if err != nil {
		*failed = first(*failed, call.Name)
		text, err := s.refuse(call, err)
		text, end := s.circling(call, use, tool.Result{Text: text})
		return text, end, err
	}
	s.faulty = 0
	if use.Name == tool.Finish && *failed != "" {
		return prompts.Message("E8", map[string]any{"Failed": *failed}), nil, nil
	}
	if use.Name == tool.Finish {
		return s.finish(ctx, call, use)
	}
	result, err := s.use(ctx, call, use)
	if err != nil {
		return "", nil, err
	}
	if !result.OK && use.Name != tool.Bash && use.Name != tool.Read {
		*failed = first(*failed, use.Summary())
	}
	text, end := s.circling(call, use, result)
	return text, end, nil
}

// understand checks a call and takes out what is secret: no call carries a key
// into a box.
func (s *session) understand(call model.Call) (tool.Use, error) {
	use, err := tool.Parse(call)
	if err != nil {
		return use, err
	}
	return use.Map(s.job.redact), nil
}

// use runs one checked call in a box of the session and records both sides of it.
func (s *session) use(ctx context.Context, call model.Call, use tool.Use) (tool.Result, error) {
	if use.Name == tool.Bash && s.feature.Verify != "" && strings.Contains(use.Command, s.feature.Verify) {
		s.verified = true
	}
	n, err := s.callStart(call, use)
	if err != nil {
		return tool.Result{}, err
	}
	start := time.Now()
	run := s.inBox
	if use.Box != "" {
		run = s.aboutBox
	}
	timed, release := s.job.timed(ctx)
	defer release()
	result, box, err := run(timed, use)
	if err != nil {
		return tool.Result{}, err
	}
	err = s.callEnd(n, ledger.ResultInfo{Box: box, Text: result.Text, OK: result.OK, Took: time.Since(start), Limits: limitInfo(result.Hits)})
	return result, errors.Join(err, hopeless(result.Full))
}

// circling looks whether the session repeats itself: the model is told once,
// and if it goes on the session ends.
func (s *session) circling(call model.Call, use tool.Use, result tool.Result) (string, *ending) {
	state, period, times := s.loop.add(use.Name, call.Arguments, result.Text, result.Changed)
	switch state {
	case loopNudge:
		return result.Text + "\n\n" + prompts.Message("E14", map[string]any{"Period": period, "Times": times}), nil
	case loopEnd:
		return result.Text, &ending{how: endLoop, limit: circles(period, times)}
	default:
		return result.Text, nil
	}
}

// finish records a call of finish and lets the session's kind decide on it.
func (s *session) finish(ctx context.Context, call model.Call, use tool.Use) (string, *ending, error) {
	n, err := s.callStart(call, use)
	if err != nil {
		return "", nil, err
	}
	start := time.Now()
	text, end, err := s.decide(ctx, use)
	if err != nil {
		return "", nil, err
	}
	return text, end, s.callEnd(n, ledger.ResultInfo{Text: text, OK: end != nil, Took: time.Since(start)})
}

// circles is a loop that ended a session, in words.
func circles(period, times int) string {
	if period == 1 {
		return fmt.Sprintf("the same call with the same result %d times in a row (--loop)", times)
	}
	return fmt.Sprintf("the same %d calls with the same results %d times in turn (--loop)", period, times)
}

// callStart records the intention: what the model asked for, before it is
// done. It returns the call's number in the session.
func (s *session) callStart(call model.Call, use tool.Use) (int, error) {
	name, summary := string(use.Name), "not understood"
	if use.Name == "" {
		name = call.Name
	} else {
		summary = use.Summary()
	}
	s.calls++
	s.job.calls++
	return s.calls, s.job.record(ledger.Event{Kind: ledger.CallStart, Session: s.job.session, Turn: s.job.turn, Call: &ledger.CallInfo{
		Number: s.calls, Tool: s.job.clip(name, 64), Summary: s.job.clip(summary, 200), Args: s.job.clip(call.Arguments, argsKept),
		Aliases: s.job.bounded(use.Aliases)}})
}

// callEnd records what came of call n, as the model is told.
func (s *session) callEnd(n int, result ledger.ResultInfo) error {
	result.Number = n
	result.Summary = s.job.clip(firstLine(result.Text), 200)
	result.Text = s.job.clipEnds(result.Text, resultKept)
	return s.job.record(ledger.Event{Kind: ledger.CallEnd, Session: s.job.session, Turn: s.job.turn, Result: &result})
}

// inBox runs a call in a box of the session. The box goes with the call,
// unless something runs on in it.
func (s *session) inBox(ctx context.Context, use tool.Use) (result tool.Result, id string, err error) {
	if err := s.job.openUp(); err != nil {
		return tool.Result{}, "", err
	}
	box, err := s.pool.Take(ctx)
	if err != nil {
		return tool.Result{}, "", startError(ctx, err)
	}
	if err = s.job.volumes.enterSession(ctx, box, s.boxSpec()); err == nil {
		result, err = tool.Run(ctx, box, use, &s.env)
	}
	if err == nil && result.Left && s.env.Scope != sandbox.ScopeSession {
		result.Text += s.keep(box)
	} else {
		s.pool.Give(box)
	}
	result, err = s.survive(ctx, result, err)
	return result, box.ID(), err
}

// survive makes a box that is lost a failed call, which the model is told;
// lost again and again it is the engine's fault.
func (s *session) survive(ctx context.Context, result tool.Result, err error) (tool.Result, error) {
	if err == nil {
		s.lost = 0
		return result, nil
	}
	if !errors.Is(err, sandbox.ErrBoxLost) || ctx.Err() != nil {
		return tool.Result{}, boxError(ctx, err)
	}
	s.lost++
	if s.lost >= lostBoxes {
		return tool.Result{}, boxError(ctx, err)
	}
	return tool.Result{Text: fmt.Sprintf("The box was lost during this call (%s). What it had done to /workspace may be there or not: look before you go on.",
		s.job.clip(err.Error(), errorKept))}, nil
}

// boxError says how a job ends when boxes break.
func boxError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	refused := new(fs.PathError)
	if errors.As(err, &refused) && !errors.Is(err, sandbox.ErrBoxLost) {
		return &Error{Outcome: FailedRun, Reason: "a box can't use what it needs in the workspace or $HOME", Err: err,
			Hint: "who owns it, and with which rights? the same command goes on"}
	}
	return &Error{Outcome: FailedRun, Reason: "a box broke", Hint: "`glovebox doctor` checks the engine; the same command goes on", Err: err}
}

// refuse records a call that could not be understood and says why.
func (s *session) refuse(call model.Call, cause error) (string, error) {
	n, err := s.callStart(call, tool.Use{})
	if err != nil {
		return "", err
	}
	text := s.env.Refused(cause).Text
	return text, s.callEnd(n, ledger.ResultInfo{Text: text})
}

// distinct gives each call an id of its own in the conversation, for its
// result to name: some servers send none, or the same for all.
func (s *session) distinct(calls []model.Call) []model.Call {
	calls = slices.Clone(calls)
	for i := range calls {
		id := calls[i].ID
		for n := len(s.ids) + 1; id == "" || len(id) > idMax || s.ids[id]; n++ {
			id = fmt.Sprintf("call_%d", n)
		}
		calls[i].ID, s.ids[id] = id, true
	}
	return calls
}

// assistant is a reply as it is sent back in the next request. Arguments that
// are no JSON, or a name that none may have, would make servers refuse the
// whole conversation.
func assistant(reply model.Reply) model.Message {
	m := model.Message{Role: model.Assistant, Content: reply.Content, Reasoning: reply.Reasoning}
	for _, c := range reply.Calls {
		if !json.Valid([]byte(c.Arguments)) || !strings.HasPrefix(strings.TrimSpace(c.Arguments), "{") {
			raw, _ := json.Marshal(map[string]string{"invalid": clip(c.Arguments, 200)}) // a map of strings always marshals
			c.Arguments = string(raw)
		}
		c.Name = sendable(c.Name)
		m.Calls = append(m.Calls, c)
	}
	return m
}

// sendable is a tool's name as APIs take it: letters, digits, "_" and "-".
func sendable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' {
			return r
		}
		return '_'
	}, name)
	return first(name[:min(len(name), nameMax)], "unnamed")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
