package sandbox

import (
	"context"
	"fmt"
	"time"
)

// Full says which limit of the disk was crossed and what was seen then.
type Full struct {
	// Limit is LimitDisk, LimitFiles, LimitUnseen or LimitFloor.
	Limit Limit
	// Most is the limit that was crossed: bytes, or for LimitFiles files. For
	// LimitFloor it is what must stay free, in bytes; 0 if it is files that are short.
	Most int64
	// Usage is what workspace and home hold. It is no more than what could be seen.
	Usage Usage
	// Grown is by how much the file system filled up during the call, in bytes
	// and files, if that is the reason (LimitUnseen).
	Grown, GrownFiles int64
	// Free is what is left on the file system, in bytes and files.
	Free, FreeFiles int64
	// Hopeless says that there is so much too much that no further call may run.
	Hopeless bool
}

// Error makes a Full what a call fails with that has no other result. It is
// for the log; what a model or a person reads is made from the fields.
func (f *Full) Error() string {
	return fmt.Sprintf("limit %q crossed: workspace and home hold %d bytes in %d files, %d bytes are free",
		f.Limit, f.Usage.Bytes, f.Usage.Files, f.Free)
}

// Unwrap makes it an [ErrBoxLost].
func (f *Full) Unwrap() error { return ErrBoxLost }

const (
	// floorShare and floorMost are the floor under a file system's free room: a
	// tenth of it, and at most 1 GiB, which is what a host needs to stay usable.
	floorShare = 10
	floorMost  = 1 << 30
	// The same for files that can still be made.
	floorShareFiles = 50
	floorMostFiles  = 10_000
	// unseenLeast is the least growth of a file system that is held against its
	// boxes without being seen in their files: others write on it too.
	unseenLeast      = 512 << 20
	unseenLeastFiles = 100_000
	// excessMost is how far above the quota is hopeless, if that is more than twice the quota.
	excessMost      = 1 << 30
	excessMostFiles = 1 << 18
)

func floor(s Space) (bytes, files int64) {
	return min(floorMost, s.Size/floorShare), min(floorMostFiles, s.Files/floorShareFiles)
}

// allowed is how much there may be in workspace and home.
func (d *Disk) allowed() (bytes, files int64) {
	bytes, files = d.limits.Disk, d.limits.Files()
	if d.over.bytes > bytes {
		bytes = d.over.bytes + slack
	}
	if d.over.files > files {
		files = d.over.files + slackFiles
	}
	return bytes, files
}

func (d *Disk) baseNow() look {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.base
}

// unseen is by how much more the file system has filled up since the calls
// began than its files explain, if that is more than the quota and more than
// others may have done; else 0.
func (d *Disk) unseen(s Space) int64 {
	base := d.baseNow()
	if base.at.IsZero() {
		return 0
	}
	bytes := s.Used - base.space.Used - (d.last.usage.Bytes - base.usage.Bytes)
	files := s.UsedFiles - base.space.UsedFiles - (d.last.usage.Files - base.usage.Files)
	if s.Files > 0 && files > max(d.limits.Files(), unseenLeastFiles) {
		return files
	}
	if bytes > max(d.limits.Disk, unseenLeast) {
		return bytes
	}
	return 0
}

// crossed is the limit that is crossed, by the file systems now and the last
// look at the files; nil if none is.
func (d *Disk) crossed(s Space) *Full {
	u := d.last.usage
	f := &Full{Usage: u, Free: s.Free, FreeFiles: s.FreeFiles}
	bytes, files := d.allowed()
	free, freeFiles := d.least(s)
	switch {
	case u.Bytes > bytes:
		f.Limit, f.Most = LimitDisk, d.limits.Disk
	case u.Files > files:
		f.Limit, f.Most = LimitFiles, d.limits.Files()
	case s.Free < free:
		f.Limit = LimitFloor
		f.Most, _ = floor(s)
	case s.Files > 0 && s.FreeFiles < freeFiles:
		f.Limit = LimitFloor
	case d.unseen(s) != 0:
		base := d.baseNow()
		f.Limit, f.Most = LimitUnseen, d.limits.Disk
		f.Grown, f.GrownFiles = s.Used-base.space.Used, s.UsedFiles-base.space.UsedFiles
	default:
		return nil
	}
	return f
}

// least is what must be left on the file system: the floor, or where less is
// left already a little less than that.
func (d *Disk) least(s Space) (bytes, files int64) {
	bytes, files = floor(s)
	if d.over.free > 0 {
		bytes = min(bytes, d.over.free-slack)
	}
	if d.over.freeFiles > 0 {
		files = min(files, d.over.freeFiles-slackFiles)
	}
	return bytes, files
}

// report looks once more, for what takes most, and settles what the next boxes
// may do.
func (d *Disk) report(ctx context.Context, m Meter, f *Full) error {
	by := RankBytes
	if f.Limit == LimitFiles || f.Limit == LimitFloor && f.Most == 0 {
		by = RankFiles
	}
	space, err := m.Space(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if f.Usage, err = m.Usage(ctx, by); err != nil {
		return err
	}
	f.Free, f.FreeFiles = space.Free, space.FreeFiles
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = look{space, f.Usage, time.Now(), time.Since(began)}
	d.base = d.last
	d.over = excess{bytes: f.Usage.Bytes, files: f.Usage.Files, free: space.Free, freeFiles: space.FreeFiles}
	d.over.lower(space, f.Usage, d.limits)
	least, leastFiles := floor(space)
	f.Hopeless = f.Usage.Bytes > d.limits.Disk+max(d.limits.Disk, excessMost) ||
		f.Usage.Files > d.limits.Files()+max(d.limits.Files(), excessMostFiles) ||
		space.Free < least/2 || space.Files > 0 && space.FreeFiles < leastFiles/2
	return nil
}

// lower forgets an excess that is gone, and takes over one that has become less.
func (e *excess) lower(s Space, u Usage, l Limits) {
	if !u.Cut {
		e.bytes, e.files = min(e.bytes, u.Bytes), min(e.files, u.Files)
	}
	if e.bytes <= l.Disk {
		e.bytes = 0
	}
	if e.files <= l.Files() {
		e.files = 0
	}
	least, leastFiles := floor(s)
	if e.free > 0 {
		e.free = risen(e.free, s.Free, least)
	}
	if e.freeFiles > 0 {
		e.freeFiles = risen(e.freeFiles, s.FreeFiles, leastFiles)
	}
}

// risen is what was left at the most, 0 if that is enough by now.
func risen(most, now, least int64) int64 {
	if most = max(most, now); most >= least {
		return 0
	}
	return most
}
