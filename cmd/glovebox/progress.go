package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// tick is how often the live line's clock is drawn anew.
const tick = time.Second

// progress shows a job on the screen from the events of its ledger.
type progress struct {
	screen *screen
	start  time.Time
	now    func() time.Time

	mu       sync.Mutex
	session  int
	kind     string // of the session
	feature  string
	turn     int
	call     int           // of the session
	money    ledger.Totals // of this process
	commit   string        // the last one shown
	doing    string        // what is under way, plain
	finished bool
}

func newProgress(s *screen, now func() time.Time) *progress {
	return &progress{screen: s, start: now(), now: now}
}

// Run keeps the live line's clock going until the returned function is called,
// which also takes the line away.
func (p *progress) Run() (stop func()) {
	ticker := time.NewTicker(tick)
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-ticker.C:
				p.draw()
			case <-quit:
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		ticker.Stop()
		close(quit)
		<-gone
		p.mu.Lock()
		p.finished = true
		p.mu.Unlock()
		p.screen.Clear()
	})
}

// Doing says what is under way outside of the ledger, for example an image being built.
func (p *progress) Doing(what string) {
	p.mu.Lock()
	p.doing = plain(what)
	p.mu.Unlock()
	p.draw()
}

// Observe takes an event of the ledger.
func (p *progress) Observe(e ledger.Event) {
	p.mu.Lock()
	p.follow(e)
	line, ok := p.milestone(e)
	p.mu.Unlock()
	if ok {
		p.screen.Print(line)
	}
	p.draw()
}

// follow keeps up where the job stands.
func (p *progress) follow(e ledger.Event) {
	if e.Turn > 0 {
		p.turn = e.Turn
	}
	if e.Feature != "" {
		p.feature = plain(e.Feature)
	}
	p.money.Add(e)
	switch e.Kind {
	case ledger.SessionStart:
		p.session, p.turn, p.call, p.feature, p.kind = e.Session, 0, 0, plain(e.Feature), ""
		if e.Started != nil {
			p.kind = plain(e.Started.Kind)
		}
		p.doing = "starts"
	case ledger.Request:
		p.doing = "the model is asked"
	case ledger.Waiting:
		if e.Until != nil {
			p.doing = "waiting for the provider's limit until " + localTime(*e.Until)
		}
	case ledger.Reply:
		p.doing = "the model has answered"
	case ledger.CallStart:
		if e.Call != nil {
			p.call, p.doing = e.Call.Number, callText(e.Call)
		}
	case ledger.VerifyStart:
		if e.Verify != nil && e.Feature == "" {
			p.doing = "running your acceptance test " + plain(e.Verify.Command)
		} else if e.Verify != nil {
			p.doing = "verifying " + p.feature + ": " + plain(e.Verify.Command)
		}
	case ledger.CommitStart:
		p.doing = "committing"
	}
}

// callText is a call in one line. The summary of a call may begin with its tool.
func callText(c *ledger.CallInfo) string {
	tool, summary := plain(c.Tool), plain(c.Summary)
	if strings.HasPrefix(summary, tool) {
		return summary
	}
	return strings.TrimSpace(tool + " " + summary)
}

// draw puts where the job stands into the live line.
func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished {
		return
	}
	p.screen.Live(p.live())
}

func (p *progress) live() string {
	parts := []string{p.clock(p.now())}
	if p.session > 0 {
		where := fmt.Sprintf("session %d", p.session)
		if name := p.title(); name != "" {
			where += " " + name
		}
		parts = append(parts, where)
		if p.turn > 0 {
			parts = append(parts, fmt.Sprintf("turn %d", p.turn))
		}
		if p.call > 0 {
			parts = append(parts, fmt.Sprintf("call %d", p.call))
		}
		parts = append(parts, "$"+p.money.Settled.String())
	}
	if p.doing != "" {
		parts = append(parts, p.doing)
	}
	return "  " + strings.Join(parts, "  ")
}

// title is the feature that a session builds, or the session's kind.
func (p *progress) title() string {
	if p.feature != "" {
		return p.feature
	}
	return p.kind
}

// clock is the time since the start, right-aligned to 5 columns.
func (p *progress) clock(t time.Time) string {
	return fmt.Sprintf("%5s", elapsed(t.Sub(p.start)))
}

// elapsed is a time as 0:07, 12:34 or 1:02:03.
func elapsed(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
