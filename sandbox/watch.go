package sandbox

import (
	"context"
	"sync"
	"time"
)

// fate is why boxes were ended from here.
type fate struct {
	ready chan struct{} // closed when the rest is known and the boxes are gone
	full  *Full         // the disk is full
	err   error         // or can't be watched any more
}

// watch looks at the disk until no box is left.
func (d *Disk) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		d.check(ctx, true)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// check looks at the disk and ends the boxes if it is too full, or if that
// can't be seen. With patience it also looks at the files from time to time
// when little has moved.
func (d *Disk) check(ctx context.Context, patient bool) {
	d.measuring.Lock()
	defer d.measuring.Unlock()
	meter := d.meterNow()
	if meter == nil || ctx.Err() != nil {
		return
	}
	full, err := d.look(ctx, meter, patient)
	if full == nil && err == nil || ctx.Err() != nil {
		return // in the middle of a look the boxes have ended
	}
	d.finish(meter, &fate{ready: make(chan struct{}), full: full, err: err})
}

// meterNow is what measures: the meter, or a box in which something has been run.
func (d *Disk) meterNow() Meter {
	if d.meter != nil {
		return d.meter
	}
	for _, b := range d.used() {
		if !b.session.IsClosed() {
			return b
		}
	}
	return nil
}

// used are the boxes in which something has been run.
func (d *Disk) used() []*Box {
	d.mu.Lock()
	defer d.mu.Unlock()
	boxes := make([]*Box, 0, len(d.boxes))
	for b := range d.boxes {
		boxes = append(boxes, b)
	}
	return boxes
}

// look asks the file systems, and looks at the files if they have moved.
func (d *Disk) look(ctx context.Context, m Meter, patient bool) (*Full, error) {
	space, err := m.Space(ctx)
	if err != nil {
		return nil, err
	}
	if d.due(space, patient) {
		if err := d.walk(ctx, m, space); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	if d.base.at.IsZero() {
		d.base = look{space: space, usage: d.last.usage, at: time.Now()}
	}
	d.over.lower(space, d.last.usage, d.limits)
	d.mu.Unlock()
	return d.crossed(space), nil
}

// due says that the files must be looked at again.
func (d *Disk) due(space Space, patient bool) bool {
	last := d.last
	if last.at.IsZero() {
		return true
	}
	bytes, files := abs(space.Used-last.space.Used), abs(space.UsedFiles-last.space.UsedFiles)
	mostBytes, mostFiles := d.allowed()
	room, roomFiles := mostBytes-last.usage.Bytes, mostFiles-last.usage.Files
	if bytes > room || files > roomFiles || d.unseen(space) != 0 { // it may be crossed this moment
		return bytes >= leastMove || files >= leastMoveFiles
	}
	since := time.Since(last.at)
	if since < last.took*lookShare {
		return false
	}
	return bytes >= max(room/8, leastMove) || files >= max(roomFiles/8, leastMoveFiles) ||
		patient && since >= lookEvery && bytes+files > 0
}

// walk looks at the files.
func (d *Disk) walk(ctx context.Context, m Meter, space Space) error {
	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, walkTime)
	defer cancel()
	usage, err := m.Usage(timed, RankNone)
	if err != nil || ctx.Err() != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last.at.IsZero() {
		d.unread = usage.Unread
	}
	d.last = look{space, usage, time.Now(), time.Since(began)}
	return nil
}

// finish ends every box in which something has been run, and tells their calls
// why. What is on the disk is measured when nothing can change it any more,
// where the host can do that by itself.
func (d *Disk) finish(m Meter, f *fate) {
	ctx, cancel := context.WithTimeout(context.Background(), walkTime)
	defer cancel()
	if f.full != nil && d.meter == nil {
		f.err = d.report(ctx, m, f.full)
	}
	var all sync.WaitGroup
	for _, b := range d.used() {
		b.fate.CompareAndSwap(nil, f)
		all.Go(func() { b.Close() })
	}
	all.Wait()
	if f.full != nil && d.meter != nil {
		f.err = d.report(ctx, m, f.full)
	}
	close(f.ready)
}

func abs(n int64) int64 { return max(n, -n) }
