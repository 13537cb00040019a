package sandbox

import "context"

// anchor is an idle box whose network namespace the boxes of a session share,
// so that a server that one call has started is reached on localhost by the
// next. It sees neither workspace nor home, and no command ever runs in it.
// Nothing can join the namespace of a dead box, so one that dies is replaced;
// boxes that have joined it go on, cut off from the new ones.
type anchor struct {
	gate chan struct{} // holds one token: the right to look at box and to start another
	box  *Box
}

func newAnchor() anchor { return anchor{gate: make(chan struct{}, 1)} }

// Limits of the anchor, which holds nothing but our agent.
const (
	anchorMemory = 64 << 20
	anchorPIDs   = 64
)

// anchored is the box that lives and holds the session's network.
func (p *Pool) anchored(ctx context.Context) (*Box, error) {
	select {
	case p.anchor.gate <- struct{}{}:
		defer func() { <-p.anchor.gate }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b := p.anchor.box; b != nil {
		if b.Lost() == nil {
			return b, nil
		}
		p.anchor.box = nil
		p.busy.Add(1)
		p.endLater(b)
	}
	f, err := p.launch(ctx, p.anchorSpec())
	if err != nil {
		return nil, err
	}
	p.anchor.box = f.box
	return f.box, nil
}

func (p *Pool) anchorSpec() Spec {
	s := p.spec
	s.Workspace, s.Home, s.WorkspaceVolume, s.HomeVolume, s.Hidden, s.Disk = "", "", "", "", nil, nil
	s.Limits.Memory = min(s.Limits.Memory, anchorMemory)
	s.Limits.PIDs = min(s.Limits.PIDs, anchorPIDs)
	return s
}

// dropAnchor ends the anchor. No start is under way any more.
func (p *Pool) dropAnchor() {
	p.anchor.gate <- struct{}{}
	defer func() { <-p.anchor.gate }()
	b := p.anchor.box
	p.anchor.box = nil
	if b == nil {
		return
	}
	if err := b.Close(); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed = append(p.failed, err)
	}
}
