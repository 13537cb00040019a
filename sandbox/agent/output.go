//go:build linux

package agent

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// output takes what a command writes: the head goes to the host as it comes,
// the tail is kept, all of it up to a limit goes to a file. One goroutine
// writes at a time.
type output struct {
	frames  *wire.Writer
	head    int // bytes of the head that are still to come
	tail    tail
	save    *saver // nil: nothing is saved
	written atomic.Int64
}

func newOutput(frames *wire.Writer, head, tailSize int) *output {
	return &output{frames: frames, head: head, tail: tail{max: tailSize}}
}

// Write never fails: a host that is gone is no reason to stop a command; the
// end of the stream is.
func (o *output) Write(p []byte) (int, error) {
	o.written.Add(int64(len(p)))
	if o.save != nil {
		o.save.write(p)
	}
	n := min(o.head, len(p))
	o.frames.Head(p[:n])
	o.head -= n
	o.tail.write(p[n:])
	return len(p), nil
}

// total is how many bytes were written.
func (o *output) total() int64 { return o.written.Load() }

// end sends the tail and says in r what became of the rest.
func (o *output) end(r *wire.Result) {
	kept := o.tail.bytes()
	o.frames.Tail(kept)
	r.Elided = o.tail.total - int64(len(kept))
	r.Saved = o.save != nil && o.save.close()
}

// tail keeps the last max bytes of what is written to it, in at most twice the memory.
type tail struct {
	max   int
	total int64
	buf   []byte
}

func (t *tail) write(p []byte) {
	t.total += int64(len(p))
	if len(p) >= t.max {
		t.buf = append(t.buf[:0], p[len(p)-t.max:]...)
		return
	}
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.max {
		t.buf = t.buf[:copy(t.buf, t.bytes())]
	}
}

func (t *tail) bytes() []byte { return t.buf[max(0, len(t.buf)-t.max):] }

// recent keeps the end of what several processes write at the same time.
type recent struct {
	mu   sync.Mutex
	tail tail
}

func (r *recent) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tail.max = wire.MaxRecent
	r.tail.write(p)
	return len(p), nil
}

// end is what is kept, and how many bytes came before it.
func (r *recent) end() (kept []byte, dropped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept = bytes.Clone(r.tail.bytes())
	return kept, r.tail.total - int64(len(kept))
}
