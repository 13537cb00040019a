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
func (s *session) act(ctx context.Context, reply model.Reply) (*ending, error) {
	s.append(assistant(reply))
	failed := "" // the first change of this reply that did not happen
	var end *ending
	for i, call := range reply.Calls {
		if end != nil {
			s.answer(call, "Not run: the session had ended with finish.")
			continue
		}
		text, err := "", error(nil)
		use, refused := tool.Parse(call)
		switch {
		case refused != nil:
			text, err = s.refuse(call, refused)
			failed = first(failed, call.Name)
		case use.Name == tool.Finish && failed != "":
			text = prompts.Message("E8", map[string]any{"Failed": failed})
		case use.Name == tool.Finish:
			text, end, err = s.finish(ctx, call, use)
		default:
			var ok bool
			text, ok, err = s.use(ctx, call, use)
			if !ok && use.Name != tool.Bash && use.Name != tool.Read {
				failed = first(failed, use.Summary())
			}
		}
		if err != nil {
			return nil, err
		}
		if i == len(reply.Calls)-1 {
			text += s.notice()
		}
		s.answer(call, text)
	}
	return end, nil
}

// use runs one checked call in a box of the session and records both sides of it.
func (s *session) use(ctx context.Context, call model.Call, use tool.Use) (text string, ok bool, err error) {
	if use.Name == tool.Bash && s.feature.Verify != "" && strings.Contains(use.Command, s.feature.Verify) {
		s.verified = true
	}
	if err := s.callStart(call, string(use.Name), use.Summary()); err != nil {
		return "", false, err
	}
	start := time.Now()
	result, box, err := s.inBox(ctx, use)
	if err != nil {
		return "", false, err
	}
	return result.Text, result.OK, s.callEnd(ledger.ResultInfo{Box: box, Text: result.Text, OK: result.OK, Took: time.Since(start)})
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
		Number: s.calls, Tool: clip(name, 64), Summary: clip(summary, 200), Args: clip(call.Arguments, argsKept)}})
}

// callEnd records what came of it, as the model is told.
func (s *session) callEnd(result ledger.ResultInfo) error {
	result.Number = s.calls
	result.Summary = clip(firstLine(result.Text), 200)
	result.Text = clipEnds(result.Text, resultKept)
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
	text := fmt.Sprintf("The box was lost during this call (%s). What it had done to /workspace may be there or not: look before you go on.", clip(err.Error(), errorKept))
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

func (s *session) answer(call model.Call, text string) {
	s.append(model.Message{Role: model.ToolRole, CallID: call.ID, Content: text})
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
