package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// act executes the calls of a reply, in order, and answers each one. The
// ending is set when the session is over.
func (s *session) act(ctx context.Context, reply model.Reply) (end *ending, err error) {
	s.append(assistant(reply))
	failed := "" // the first change of this reply that did not happen
	for i, call := range reply.Calls {
		text := "Not run: the session had ended before it."
		switch {
		case i >= callsPerReply:
			text = fmt.Sprintf("Not run: a reply may have %d calls.", callsPerReply)
		case end == nil:
			if text, end, err = s.execute(ctx, call, &failed); err != nil {
				return nil, err
			}
		}
		if i == len(reply.Calls)-1 {
			text += s.notice()
		}
		s.append(model.Message{Role: model.ToolRole, CallID: call.ID, Content: text})
	}
	return end, nil
}

// execute does one call. finish decides nothing after a change that failed in
// the same reply: the model believed it had happened.
func (s *session) execute(ctx context.Context, call model.Call, failed *string) (string, *ending, error) {
	use, err := tool.Parse(call)
	if err != nil {
		*failed = first(*failed, call.Name)
		text, err := s.refuse(call, err)
		text, end := s.circling(call, use, tool.Result{Text: text})
		return text, end, err
	}
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

// use runs one checked call in a box of the session and records both sides of it.
func (s *session) use(ctx context.Context, call model.Call, use tool.Use) (tool.Result, error) {
	if use.Name == tool.Bash && s.feature.Verify != "" && strings.Contains(use.Command, s.feature.Verify) {
		s.verified = true
	}
	if err := s.callStart(call, string(use.Name), use.Summary()); err != nil {
		return tool.Result{}, err
	}
	start := time.Now()
	result, box, err := s.inBox(ctx, use)
	if err != nil {
		return tool.Result{}, err
	}
	return result, s.callEnd(ledger.ResultInfo{Box: box, Text: result.Text, OK: result.OK, Took: time.Since(start)})
}

// circling looks whether the session repeats itself: the model is told once,
// and if it goes on the session ends.
func (s *session) circling(call model.Call, use tool.Use, result tool.Result) (string, *ending) {
	state, period, times := s.loop.add(use.Name, call.Arguments, result.Text, result.Changed)
	switch state {
	case loopNudge:
		return result.Text + "\n\n" + prompts.Message("E14", map[string]any{"Period": period, "Times": times}), nil
	case loopEnd:
		return result.Text, &ending{how: endLoop, limit: fmt.Sprintf("the same %d calls with the same results %d times in turn", period, times)}
	default:
		return result.Text, nil
	}
}

// finish records a call of finish and lets the session's kind decide on it.
func (s *session) finish(ctx context.Context, call model.Call, use tool.Use) (string, *ending, error) {
	if err := s.callStart(call, string(use.Name), use.Summary()); err != nil {
		return "", nil, err
	}
	start := time.Now()
	text, end, err := s.decide(ctx, use)
	if err != nil {
		return "", nil, err
	}
	return text, end, s.callEnd(ledger.ResultInfo{Text: text, OK: end != nil, Took: time.Since(start)})
}

// callStart records the intention: what the model asked for, before it is done.
func (s *session) callStart(call model.Call, name, summary string) error {
	s.calls++
	return s.job.record(ledger.Event{Kind: ledger.CallStart, Session: s.job.session, Turn: s.job.turn, Call: &ledger.CallInfo{
		Number: s.calls, Tool: s.job.clip(name, 64), Summary: s.job.clip(summary, 200), Args: s.job.clip(call.Arguments, argsKept)}})
}

// callEnd records what came of it, as the model is told.
func (s *session) callEnd(result ledger.ResultInfo) error {
	result.Number = s.calls
	result.Summary = s.job.clip(firstLine(result.Text), 200)
	result.Text = s.job.clipEnds(result.Text, resultKept)
	return s.job.record(ledger.Event{Kind: ledger.CallEnd, Session: s.job.session, Turn: s.job.turn, Result: &result})
}

// inBox runs a call in a box of the session. A box that is lost fails the
// call, which the model is told; lost again and again it is the engine's fault.
func (s *session) inBox(ctx context.Context, use tool.Use) (result tool.Result, id string, err error) {
	box, err := s.pool.Take(ctx)
	if err != nil {
		return tool.Result{}, "", startError(ctx, err)
	}
	defer s.pool.Give(box)
	result, err = tool.Run(ctx, box, use, &s.env)
	if err == nil {
		s.lost = 0
		return result, box.ID(), nil
	}
	if !errors.Is(err, sandbox.ErrBoxLost) || ctx.Err() != nil {
		return tool.Result{}, "", boxError(ctx, err)
	}
	s.lost++
	if s.lost >= lostBoxes {
		return tool.Result{}, "", boxError(ctx, err)
	}
	text := fmt.Sprintf("The box was lost during this call (%s). What it had done to /workspace may be there or not: look before you go on.", s.job.clip(err.Error(), errorKept))
	return tool.Result{Text: text}, box.ID(), nil
}

// boxError says how a job ends when boxes break.
func boxError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &Error{Outcome: FailedRun, Reason: "a box broke", Hint: "`glovebox doctor` checks the engine; the same command goes on", Err: err}
}

// refuse records a call that could not be understood and says why.
func (s *session) refuse(call model.Call, cause error) (string, error) {
	if err := s.callStart(call, call.Name, "not understood"); err != nil {
		return "", err
	}
	text := s.env.Refused(cause).Text
	return text, s.callEnd(ledger.ResultInfo{Text: text})
}

// assistant is a reply as it is sent back in the next request. Arguments that
// are no JSON would make servers refuse the whole conversation.
func assistant(reply model.Reply) model.Message {
	m := model.Message{Role: model.Assistant, Content: reply.Content}
	for _, c := range reply.Calls {
		if !json.Valid([]byte(c.Arguments)) || !strings.HasPrefix(strings.TrimSpace(c.Arguments), "{") {
			raw, _ := json.Marshal(map[string]string{"invalid": clip(c.Arguments, 200)}) // a map of strings always marshals
			c.Arguments = string(raw)
		}
		m.Calls = append(m.Calls, c)
	}
	return m
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
