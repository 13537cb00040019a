package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// keep keeps a box in which something still runs, and says so if another one
// had to go for it.
func (s *session) keep(box *sandbox.Box) string {
	ended := s.pool.Keep(box)
	if ended == nil {
		return ""
	}
	return fmt.Sprintf("\n[Box %s was ended: a session keeps %d at most.]", ended.ID(), sandbox.MaxKept)
}

// aboutBox shows what runs in a box that was kept, or ends it.
func (s *session) aboutBox(ctx context.Context, use tool.Use) (result tool.Result, id string, err error) {
	box, others := s.findKept(use.Box)
	if box == nil {
		return tool.Result{Text: fmt.Sprintf("There is no box %q that runs. %s", s.job.clip(use.Box, 40), others)}, "", nil
	}
	if use.Command == tool.StopBox {
		s.pool.End(box)
		return tool.Result{Text: "Box " + box.ID() + " was ended, with all that ran in it.", OK: true}, box.ID(), nil
	}
	result, err = tool.Look(ctx, box, &s.env)
	if err == nil && !result.Left && s.env.Scope != sandbox.ScopeSession {
		s.pool.End(box) // nothing will ever run in it again
	}
	if err != nil {
		s.pool.End(box)
	}
	result, err = s.survive(ctx, result, err)
	return result, box.ID(), err
}

// findKept finds the box with this ID, of which a beginning is enough, and
// names the others if there is none.
func (s *session) findKept(id string) (box *sandbox.Box, others string) {
	var ids []string
	for _, b := range s.pool.Kept() {
		if id != "" && strings.HasPrefix(b.ID(), id) {
			return b, ""
		}
		ids = append(ids, b.ID())
	}
	if len(ids) == 0 {
		return nil, "None is kept."
	}
	return nil, "Kept are: " + strings.Join(ids, ", ") + "."
}

// keptTime is how long the kept boxes have to say what became of what runs in
// them. One that does not is lost.
const keptTime = 10 * time.Second

// lookAtKept says which limits were hit in kept boxes, and ends those in which
// nothing runs any more. It asks all of them at once, so a reply costs the
// time of one answer.
func (s *session) lookAtKept() (notices []string) {
	if s.env.Scope == sandbox.ScopeSession {
		return nil // the next result of the session's box tells it
	}
	ctx, cancel := context.WithTimeout(context.Background(), keptTime)
	defer cancel()
	boxes := s.pool.Kept()
	looks := make([]tool.Result, len(boxes))
	errs := make([]error, len(boxes))
	var asked sync.WaitGroup
	for i, box := range boxes {
		asked.Go(func() { looks[i], errs[i] = tool.Look(ctx, box, &s.env) })
	}
	asked.Wait()
	for i, box := range boxes {
		if errs[i] != nil {
			continue // it is lost, which is told as such
		}
		if text := s.aboutLook(box, looks[i]); text != "" {
			notices = append(notices, "["+text+"]")
		}
	}
	return notices
}

// aboutLook is what is new in a kept box, "" if nothing is.
func (s *session) aboutLook(box *sandbox.Box, look tool.Result) string {
	var news []string
	for _, hit := range look.Hits {
		news = append(news, hit.Words)
	}
	if !look.Left {
		s.pool.End(box)
		last := "nothing ran in it any more, it was ended"
		if _, output, some := strings.Cut(look.Text, "\n"); some {
			last += "; its last output:\n" + lastLines(output, keptLines)
		}
		news = append(news, last)
	}
	if len(news) == 0 {
		return ""
	}
	return "Box " + box.ID() + ": " + strings.Join(news, "; ")
}

// keptLines is how much is shown of what a box wrote before it was ended.
const keptLines = 10

// lastLines are the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// died says what became of kept boxes since the last reply: the limits that
// were hit in them, those that were over, and which have ended by themselves, and why.
func (s *session) died() (notices []string) {
	notices = s.lookAtKept()
	for _, b := range s.pool.Died() {
		why := s.job.clip(b.Lost().Error(), errorKept)
		if full := new(sandbox.Full); errors.As(b.Lost(), &full) {
			why = tool.FullText(full, "It was ended, with all that ran in it")
		}
		notices = append(notices, fmt.Sprintf("[Box %s is gone: %s]", b.ID(), why))
	}
	return notices
}

// cutOff says which boxes the session's next ones can't reach any more.
func (s *session) cutOff() string {
	var ids []string
	for _, b := range s.pool.CutOff() {
		ids = append(ids, b.ID())
	}
	if len(ids) == 0 {
		return ""
	}
	return fmt.Sprintf("[The session's network broke and was made anew: servers in box %s can't be reached from later calls; start them again.]", strings.Join(ids, ", "))
}
