package model

import "context"

// Cut marks the replies of next that were ended by the limit of their tokens
// as FinishLength, whatever the server says: some call the end of a cut call
// "tool_calls", and that all tokens are used up is the better sign. It must be
// below [Budget], which may have lowered that limit.
func Cut(next Model) Model { return &cut{next} }

type cut struct{ next Model }

func (c *cut) Reply(ctx context.Context, r Request) (Reply, error) {
	reply, err := c.next.Reply(ctx, r)
	if err == nil && reply.Usage.Known && reply.Usage.Completion >= r.MaxTokens {
		reply.Finish = FinishLength
	}
	return reply, err
}
