package sandbox

import (
	"context"
	"sync"
	"time"
)

// Disk is a quota on what boxes keep in workspace and home together, of bytes
// ([Limits].Disk) and of files. No engine can hold it, so it is watched from
// outside, from the first call in a box that has it ([Spec].Disk) to the end of
// that box. Whoever crosses it is noticed some 100 ms later, so it is a quota,
// not a wall; the wall is the floor, below which no call may bring the room
// that is left on the file system, and which is far from nothing.
//
// When it is crossed, every box in which something has been run is ended,
// because only the kernel knows which of them it was. What is in the files
// stays, so the next boxes have to be able to delete it: as long as there is
// too much, a call may do everything but make it more.
//
// An open file that has lost its name is in no directory. That is why the file
// system's word counts too: if it fills up during a call by more than the whole
// quota, and what lies in the directories does not explain it, the call is ended.
type Disk struct {
	limits Limits
	meter  Meter // nil: a box that is watched measures itself

	measuring sync.Mutex // held for a look and what follows from it
	over      excess
	unread    int64 // directories that could not be looked into from the beginning

	mu    sync.Mutex
	last  look               // at the files
	base  look               // when the calls that are under way began
	boxes map[*Box]int       // in which something has been run: the calls that are under way
	stop  context.CancelFunc // of the watch, nil if there is none
}

// look is what was seen at one moment.
type look struct {
	space Space
	usage Usage
	at    time.Time // zero: never
	took  time.Duration
}

// excess is how much the boxes may have where they have too much already: what
// they had at the least since then. Zero is no excess.
type excess struct {
	bytes, files    int64
	free, freeFiles int64 // what was left on the file system, at the most
}

const (
	// watchEvery is how often the file systems are asked while boxes run.
	watchEvery = 200 * time.Millisecond
	// lookEvery is how often the files are looked at if anything moved at all:
	// others use the file system too and may hide a growth.
	lookEvery = 5 * time.Second
	// lookShare bounds what looking costs: one part in so many of the time.
	lookShare = 10
	// walkTime bounds one look at the files. A tree that takes longer is
	// judged by what was seen of it, and by its file system.
	walkTime = 5 * time.Second
	// slack is what a call may add where there is too much already: what a
	// shell, git and the kept outputs need to delete something.
	slack, slackFiles = 8 << 20, 256
	// leastMove is the growth that is worth a look, however little is left.
	leastMove, leastMoveFiles = 1 << 20, 64
)

// NewDisk is the quota of l on what m measures. m is nil where the host can't
// see the files; then the boxes are asked, and a box can only lie about itself.
func NewDisk(l Limits, m Meter) *Disk {
	return &Disk{limits: l, meter: m, boxes: map[*Box]int{}}
}

// Start looks at everything before a box is started, and returns what is
// crossed already, nil if nothing is. If the caller goes on all the same, the
// boxes may keep what there is and add nothing to it. It needs a meter.
func (d *Disk) Start(ctx context.Context) (*Full, error) {
	d.measuring.Lock()
	defer d.measuring.Unlock()
	space, err := d.meter.Space(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.walk(ctx, d.meter, space); err != nil {
		return nil, err
	}
	full := d.crossed(space)
	if full == nil {
		return nil, nil
	}
	return full, d.report(ctx, d.meter, full)
}

// begin counts a call that begins in b. The first one begins the watch.
func (d *Disk) begin(b *Box) {
	var space Space
	known := false
	if d.meter != nil { // which takes microseconds
		s, err := d.meter.Space(context.Background())
		space, known = s, err == nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.quiet() && (d.last.at.IsZero() || d.whole(d.last.usage)) {
		d.base = look{} // set by the first look
		if known && !d.last.at.IsZero() {
			d.base = look{space: space, usage: d.last.usage, at: time.Now()}
		}
	}
	d.boxes[b]++
	if d.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		d.stop = cancel
		go d.watch(ctx)
	}
}

// quiet says that nothing runs in any box: then no file is open without a name.
func (d *Disk) quiet() bool {
	for b, calls := range d.boxes {
		if calls > 0 || b.left.Load() {
			return false
		}
	}
	return true
}

// whole says that the files were all seen, but those that never could be.
func (d *Disk) whole(u Usage) bool { return !u.Cut && u.Unread <= d.unread }

// end counts the end of a call in b, and looks whether it has crossed the
// quota: a short call is over before the watch has seen it.
func (d *Disk) end(b *Box) {
	d.mu.Lock()
	if d.boxes[b] > 0 {
		d.boxes[b]--
	}
	d.mu.Unlock()
	if b.session.IsClosed() {
		d.forget(b) // it may have ended before its call began
		return
	}
	d.check(context.Background(), false)
}

// forget drops a box that has ended, and with the last one the watch.
func (d *Disk) forget(b *Box) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.boxes, b)
	if len(d.boxes) == 0 && d.stop != nil {
		d.stop()
		d.stop = nil
	}
}
