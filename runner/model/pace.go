package model

import "context"

// Paced waits before each request until it may leave, for limits that many jobs
// share. It stands above [Budget], so that what waits reserves nothing.
func Paced(next Model, wait func(ctx context.Context) error) Model { return &paced{next, wait} }

type paced struct {
	next Model
	wait func(ctx context.Context) error
}

func (p *paced) Reply(ctx context.Context, r Request) (Reply, error) {
	if err := p.wait(ctx); err != nil {
		return Reply{}, err
	}
	return p.next.Reply(ctx, r)
}
