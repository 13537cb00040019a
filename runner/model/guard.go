package model

import (
	"context"
	"fmt"
	"slices"
)

// Guard refuses every reply of next that is not from the model asked for: its
// name must be one of info.Accept, letter by letter. Without such names it
// refuses every reply. The error is a FaultWrongModel that carries what the
// reply used, so that it is paid for, and nothing of the reply itself, so that
// none of its calls can be executed.
func Guard(next Model, info Info) Model { return &guard{next: next, info: info} }

type guard struct {
	next Model
	info Info
}

func (g *guard) Reply(ctx context.Context, r Request) (Reply, error) {
	reply, err := g.next.Reply(ctx, r)
	if err != nil {
		return Reply{}, err
	}
	if !slices.Contains(g.info.Accept, reply.Model) {
		return Reply{}, &Error{
			Fault:   FaultWrongModel,
			Status:  200,
			Message: fmt.Sprintf("asked %s for %s, but %s answered", g.info.Provider, g.info.ID, served(reply)),
			Usage:   reply.Usage,
		}
	}
	return reply, nil
}

// served names who answered; the name is hostile, so it is quoted and bounded.
func served(r Reply) string {
	if r.Model == "" {
		return "a model without a name"
	}
	return fmt.Sprintf("%.120q", r.Model)
}
