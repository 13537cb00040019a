package sandbox

import "slices"

// MaxKept is how many boxes of a session may go on after their call.
const MaxKept = 8

// Keep keeps a box that was handed out, because something still runs in it,
// instead of giving it back. When there are more than [MaxKept] the oldest is
// ended and returned. A box that is lost is not kept.
func (p *Pool) Keep(b *Box) (ended *Box) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, mine := p.out[b]
	if !mine {
		return nil
	}
	delete(p.out, b)
	if b.Lost() != nil {
		p.endLater(b)
		return nil
	}
	p.kept = append(p.kept, f)
	if len(p.kept) <= MaxKept {
		return nil
	}
	oldest := p.kept[0]
	p.kept = p.kept[1:]
	p.endLater(oldest.box)
	return oldest.box
}

// Kept are the boxes that are kept, oldest first; in [ScopeSession] the
// session's box while no call is in it.
func (p *Pool) Kept() []*Box {
	p.mu.Lock()
	defer p.mu.Unlock()
	members := p.kept
	if p.o.Scope == ScopeSession {
		members = p.ready
	}
	boxes := make([]*Box, len(members))
	for i, f := range members {
		boxes[i] = f.box
	}
	return boxes
}

// End ends a box of [Pool.Kept]. Others are ignored.
func (p *Pool) End(b *Box) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, members := range []*[]*member{&p.kept, &p.ready} {
		if i := slices.IndexFunc(*members, func(f *member) bool { return f.box == b }); i >= 0 {
			*members = slices.Delete(*members, i, i+1)
			p.endLater(b)
		}
	}
}

// Died drops the boxes that were kept and have ended by themselves, and returns
// them: what [Box.Lost] says is why.
func (p *Pool) Died() (boxes []*Box) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = slices.DeleteFunc(p.kept, func(f *member) bool {
		if f.box.Lost() == nil {
			return false
		}
		boxes = append(boxes, f.box)
		p.endLater(f.box)
		return true
	})
	return boxes
}

// CutOff are the boxes that are kept in a network which the session's next
// boxes don't share, because its anchor died. Each is told once.
func (p *Pool) CutOff() (boxes []*Box) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.kept {
		if f.anchor != nil && f.anchor.Lost() != nil && !f.cutOff {
			f.cutOff = true
			boxes = append(boxes, f.box)
		}
	}
	return boxes
}
