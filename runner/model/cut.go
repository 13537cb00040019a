package model

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Cut marks the replies of next that were ended by the limit of their tokens
// as FinishLength, whatever the server says: some call the end of a cut call
// "tool_calls". That all tokens are used up is the better sign; where they are
// not told, it is a last call that ends in the middle. It must be below
// [Budget], which may have lowered that limit.
func Cut(next Model) Model { return &cut{next} }

type cut struct{ next Model }

func (c *cut) Reply(ctx context.Context, r Request) (Reply, error) {
	reply, err := c.next.Reply(ctx, r)
	if err != nil {
		return reply, err
	}
	told := reply.Usage.Known && reply.Usage.Completion > 0
	if told && reply.Usage.Completion >= r.MaxTokens || !told && endsInTheMiddle(reply.Calls) {
		reply.Finish = FinishLength
	}
	return reply, nil
}

// endsInTheMiddle says that the last call's arguments begin like JSON and stop.
func endsInTheMiddle(calls []Call) bool {
	if len(calls) == 0 {
		return false
	}
	var arguments json.RawMessage
	err := json.NewDecoder(strings.NewReader(calls[len(calls)-1].Arguments)).Decode(&arguments)
	return errors.Is(err, io.ErrUnexpectedEOF)
}
