package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

// Options are what a ledger is opened with. The zero value is good.
type Options struct {
	// Observe is told every event right after it is on disk, in order, by one
	// goroutine at a time. It must be quick and must not call Append.
	Observe func(Event)
	// Redact is applied to every text of an event before it is written or
	// observed; nil changes nothing.
	Redact func(string) string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Ledger is a ledger opened for writing. One process at a time may have it
// open: the job's lock sees to that. Its methods may be called from several
// goroutines.
type Ledger struct {
	o Options

	mu     sync.Mutex
	file   *os.File
	totals Totals
	broken error // set by the first failed write; nothing is written after it
}

// ErrClosed is what Append returns after Close.
var ErrClosed = errors.New("the ledger is closed")

// Open opens the ledger name below root for appending, or creates it. It reads
// what is there: a *DamageError if that is not a ledger. A last line that was
// never written to its end (a crash, a full disk) is cut off, and a Note says
// so: the event it was to hold was never acted upon.
func Open(root *os.Root, name string, o Options) (*Ledger, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	f, err := atomicfile.Open(root, name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Ledger{o: o, file: f}
	if err := l.load(name); err != nil {
		f.Close()
		return nil, err
	}
	if err := atomicfile.SyncDir(root, "."); err != nil {
		f.Close()
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return l, nil
}

// load adds up what is there and cuts off a torn last line.
func (l *Ledger) load(name string) error {
	r := NewReader(l.file, name)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		l.totals.Add(e)
	}
	torn := r.Torn()
	if torn == 0 {
		return nil
	}
	if err := l.file.Truncate(r.Offset()); err != nil {
		return fmt.Errorf("cut off the torn last line of the ledger: %w", err)
	}
	return l.Append(Event{Kind: Note, Text: fmt.Sprintf(
		"the last line of the ledger was torn (%d bytes) and has been cut off; it had not been acted upon", torn)})
}

// Append gives e its version, number and time, removes secrets, bounds it, and
// writes and syncs it. When it returns nil the event is on disk and Observe has
// been told. After an error nothing more is written: what follows would lie
// behind a torn line.
func (l *Ledger) Append(e Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	e.V, e.Seq, e.Time = Version, l.totals.Seq+1, l.o.Now().UTC()
	e = redacted(e, l.o.Redact)
	if err := check(e); err != nil {
		return fmt.Errorf("append to ledger: %w", err)
	}
	line, e, err := encode(e)
	if err != nil {
		return fmt.Errorf("append to ledger: %w", err)
	}
	if err := l.write(line); err != nil {
		l.broken = fmt.Errorf("append to ledger: %w", err)
		return l.broken
	}
	l.totals.Add(e)
	if l.o.Observe != nil {
		l.o.Observe(e)
	}
	return nil
}

func (l *Ledger) write(line []byte) error {
	if _, err := l.file.Write(line); err != nil {
		return err
	}
	return l.file.Sync()
}

// Totals are the sums of all events so far.
func (l *Ledger) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals
}

// Close closes the file. It may be called more than once.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.broken, ErrClosed) {
		return nil
	}
	l.broken = ErrClosed
	return l.file.Close()
}

// MaxLine is the longest line in bytes. An event is made to fit; a longer line
// in the file is damage.
const MaxLine = 1 << 20

// textSteps are the lengths in bytes to which an event's texts are cut, one
// after the other, until its line fits. JSON makes at most six bytes of one.
func textSteps() []int { return []int{64 << 10, 16 << 10, 4 << 10, 512} }

// encode is e as a line, with its texts cut if it would be too long.
func encode(e Event) ([]byte, Event, error) {
	line, err := json.Marshal(e)
	for _, step := range textSteps() {
		if err != nil || len(line) < MaxLine {
			break
		}
		e = mapTexts(e, func(s string) string { return cut(s, step) })
		line, err = json.Marshal(e)
	}
	if err != nil {
		return nil, e, err
	}
	if len(line) >= MaxLine {
		return nil, e, fmt.Errorf("an event of %d bytes does not fit into a line", len(line))
	}
	return append(line, '\n'), e, nil
}
