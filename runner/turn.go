package runner

import (
	"context"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/model"
)

// ask is one turn: the conversation goes out and a whole reply comes back.
//
// A reply that was cut by the token limit is never executed, not even the
// calls that look complete: the model planned them together. It is asked for
// again once with more tokens, which stay for the rest of the session; if it
// is cut again the model is told to write in parts and ask returns no reply.
func (s *session) ask(ctx context.Context) (reply model.Reply, whole bool, err error) {
	reply, err = s.send(ctx)
	if err != nil || !s.isCut(reply) {
		return reply, err == nil, err
	}
	if larger := s.largerCap(); larger > s.maxTokens {
		s.maxTokens = larger
		reply, err = s.send(ctx)
		if err != nil || !s.isCut(reply) {
			return reply, err == nil, err
		}
	}
	s.cut++
	s.append(model.Message{Role: model.User, Content: prompts.Message("E5", map[string]any{
		"Tokens": s.maxTokens, "Lines": linesFor(s.maxTokens)})})
	return model.Reply{}, false, nil
}

func (s *session) send(ctx context.Context) (model.Reply, error) {
	reply, err := s.job.model.Reply(ctx, model.Request{Messages: s.messages, Tools: s.tools, MaxTokens: s.maxTokens})
	if err != nil && ctx.Err() != nil {
		return reply, ctx.Err()
	}
	return reply, err
}

// isCut recognises a reply that the token limit ended. Some servers say
// "tool_calls" then; that all tokens are used up is the better sign.
func (s *session) isCut(r model.Reply) bool {
	return r.Finish == model.FinishLength || r.Usage.Known && r.Usage.Completion >= s.maxTokens
}

// largerCap is how many tokens a cut reply is asked for again with.
func (s *session) largerCap() int {
	larger := s.maxTokens * capGrowth
	if limit := s.job.o.ModelInfo.MaxOutput; limit > 0 {
		larger = min(larger, limit)
	}
	return larger
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
