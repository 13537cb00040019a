//go:build linux

package agent

import (
	"iter"
	"slices"
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
	kept := 0
	for piece := range o.tail.pieces() {
		o.frames.Tail(piece)
		kept += len(piece)
	}
	r.Elided = o.tail.total - int64(kept)
	r.Saved = o.save != nil && o.save.close()
}

// blockSize is the length of a tail's blocks in bytes.
const blockSize = 256 << 10

// tail keeps the last max bytes of what is written to it, in blocks, so that
// a long one is neither moved nor grown.
type tail struct {
	max    int
	total  int64
	kept   int // bytes in the blocks
	blocks [][]byte
}

func (t *tail) write(p []byte) {
	t.total += int64(len(p))
	if len(p) > t.max {
		p = p[len(p)-t.max:]
	}
	for len(p) > 0 {
		last := t.room()
		n := copy((*last)[len(*last):cap(*last)], p)
		*last = (*last)[:len(*last)+n]
		t.kept, p = t.kept+n, p[n:]
	}
}

// room is a block that is not full: the last, a new one, or the first if what
// comes after it is long enough.
func (t *tail) room() *[]byte {
	n := len(t.blocks)
	switch {
	case n > 0 && len(t.blocks[n-1]) < cap(t.blocks[n-1]):
	case n > 0 && t.kept-len(t.blocks[0]) >= t.max:
		first := t.blocks[0]
		t.kept -= len(first)
		t.blocks = append(slices.Delete(t.blocks, 0, 1), first[:0])
	default:
		t.blocks = append(t.blocks, make([]byte, 0, min(blockSize, max(t.max, minBlock))))
	}
	return &t.blocks[len(t.blocks)-1]
}

// minBlock is the least length of a block, so that a short tail is not in many.
const minBlock = 4 << 10

// pieces are what is kept, in order.
func (t *tail) pieces() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		skip := max(0, t.kept-t.max)
		for _, block := range t.blocks {
			n := min(skip, len(block))
			skip -= n
			if n < len(block) && !yield(block[n:]) {
				return
			}
		}
	}
}

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
	kept = slices.Concat(slices.Collect(r.tail.pieces())...)
	return kept, r.tail.total - int64(len(kept))
}
