package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/model"
)

// ask is one turn: the conversation goes out and a whole reply comes back.
//
// A reply that was cut by the token limit is never executed, not even the
// calls that look complete: the model planned them together. It is asked for
// again once in a session with more tokens, which stay; if it is cut again, or
// if there is no room for more, the model is told to write in parts and ask
// returns no reply. The cut reply is not part of the conversation.
//
// An empty reply is asked for again once as it is.
func (s *session) ask(ctx context.Context) (reply model.Reply, whole bool, err error) {
	reply, most, err := s.send(ctx)
	if err == nil && isEmpty(reply) {
		reply, most, err = s.send(ctx)
	}
	if err != nil || !isCut(reply) {
		return reply, err == nil, err
	}
	if s.raiseCap(most) {
		before := most
		reply, most, err = s.send(ctx)
		switch {
		case err == nil && !isCut(reply):
			return reply, true, nil
		case refusedLonger(err):
			s.maxTokens, most = before, before
		case err != nil:
			return model.Reply{}, false, err
		}
	}
	s.cut, s.cutAt = s.cut+1, cutAt(reply, most)
	s.append(model.Message{Role: model.User, Content: prompts.Message("E5", map[string]any{
		"Tokens": s.cutAt, "Lines": linesFor(s.cutAt)})})
	return model.Reply{}, false, nil
}

// cutAt is how long a cut reply could be: less than it was asked for where the
// budget has no more for it.
func cutAt(r model.Reply, most int) int {
	if r.Usage.Known && r.Usage.Completion > 0 {
		return min(most, r.Usage.Completion)
	}
	return most
}

// send asks once. most is how long the reply might be in tokens.
func (s *session) send(ctx context.Context) (reply model.Reply, most int, err error) {
	ctx, release := s.job.timed(ctx)
	defer release()
	most = s.replyRoom()
	if most < min(windowReply, s.maxTokens) {
		return reply, most, &model.Error{Fault: model.FaultContext,
			Message: fmt.Sprintf("the window of %d tokens has no room for a reply", s.window.size)}
	}
	size := s.size()
	reply, err = s.job.reply(ctx, s.request(most))
	if err != nil && ctx.Err() != nil {
		return reply, most, ctx.Err()
	}
	if err != nil {
		return reply, most, err
	}
	s.job.uncounted = s.job.uncounted || !reply.Usage.Known
	if before, cut := s.window.counted(size, reply.Usage); cut {
		return model.Reply{}, most, s.job.cutInSilence(before, reply.Usage.Prompt)
	}
	return reply, most, nil
}

func (s *session) request(maxTokens int) model.Request {
	return model.Request{Messages: s.messages, Tools: s.tools, MaxTokens: maxTokens}
}

// isCut says that the token limit has ended a reply; [model.Cut] knows it.
func isCut(r model.Reply) bool { return r.Finish == model.FinishLength }

// isEmpty is a reply that says and calls nothing, and was not cut while the
// model still thought.
func isEmpty(r model.Reply) bool {
	return !isCut(r) && len(r.Calls) == 0 && strings.TrimSpace(r.Content) == ""
}

// raiseCap allows longer replies from now on, once in a session, if the model
// and the budget have room for more than the most that was too little.
func (s *session) raiseCap(most int) bool {
	larger := s.maxTokens * capGrowth
	if limit := s.job.o.ModelInfo.MaxOutput; limit > 0 {
		larger = min(larger, limit)
	}
	if s.raised || larger <= most || !s.job.affords(s.request(larger)) {
		return false
	}
	before := s.maxTokens
	if s.maxTokens = larger; s.replyRoom() <= most {
		s.maxTokens = before
		return false
	}
	s.raised = true
	return true
}

// refusedLonger says that a request failed for what may be the length of its
// reply alone: the budget, the window, or a bound that no catalogue has.
func refusedLonger(err error) bool {
	var fault *model.Error
	return errors.As(err, &fault) &&
		(fault.Fault == model.FaultBudget || fault.Fault == model.FaultTotal || fault.Fault == model.FaultContext || fault.Fault == model.FaultRequest)
}

// firstCap is how many tokens a reply may have at first.
func firstCap(asked int, info model.Info) int {
	tokens := asked
	switch {
	case asked > 0:
	case info.Price.Free():
		tokens = freeMaxTokens
	default:
		tokens = paidMaxTokens
	}
	if info.MaxOutput > 0 {
		tokens = min(tokens, info.MaxOutput)
	}
	return tokens
}

// linesFor is the longest file in lines that one write in a reply of so many
// tokens can hold.
func linesFor(tokens int) int { return max(10, (tokens-tokensOfThought)/linesPerReply) }
