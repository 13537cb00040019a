package main

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// room is what a file system has left, and what is left below which no call is started.
type room struct{ free, floor int64 }

// roomAt looks at the file system of a directory, or of the nearest one above that is there.
func roomAt(dir string) (room, error) {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	for err == unix.ENOENT && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &s)
	}
	if err != nil {
		return room{}, fmt.Errorf("look how much is free at %s: %w", dir, err)
	}
	size := int64(s.Blocks) * s.Bsize
	return room{free: int64(s.Bavail) * s.Bsize, floor: min(leastFree, size/10)}, nil
}

// leastFree is below what free space boxes are not started, see sandbox.Disk.
const leastFree = 1 << 30

// mostDisk is what all jobs of a batch may take in bytes: each has a quota.
func (o batchOrder) mostDisk() int64 {
	var sum int64
	for _, t := range o.tasks {
		if t.order.limits.Disk > math.MaxInt64-sum {
			return math.MaxInt64
		}
		sum += t.order.limits.Disk
	}
	return sum
}

// judgeRoom compares what is free with what a batch may take: without the
// least it is refused, below the most it is a warning.
func judgeRoom(place string, r room, most int64, jobs int) (warning string, err error) {
	size := func(n int64) string { return units.BytesSize(float64(n)) }
	switch {
	case r.free < r.floor:
		return "", fail(runner.FailedRun, "free some room there, or give another --out", "%s has %s free; below %s nothing is started", place, size(r.free), size(r.floor))
	case r.free-r.floor < most:
		return fmt.Sprintf("%s has %s free, and %s may take %s (--disk): one that finds the disk full ends, the others go on", place, size(r.free), count(jobs, "job"), size(most)), nil
	}
	return "", nil
}

// checkRoom looks at the disks before a batch: the one of the projects and the engine's.
func (a *app) checkRoom(o batchOrder, facts docker.Facts) error {
	r, err := roomAt(o.out)
	if err != nil {
		return fail(runner.FailedRun, "is the file system there? give another --out", "%v", err)
	}
	warning, err := judgeRoom("the file system of "+plain(o.out), r, o.mostDisk(), len(o.tasks))
	if err != nil {
		return err
	}
	if warning != "" {
		a.screen.Print("warning: " + warning)
	}
	if c := checkDisk(facts); c.State == checkWarn {
		a.screen.Print("warning: the engine has " + c.Text + "; " + c.Hint)
	}
	return nil
}
