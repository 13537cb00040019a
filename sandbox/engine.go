package sandbox

import (
	"context"
	"io"
	"time"
)

// Paths in a box that every engine provides.
const (
	// Workspace is where the project is mounted; commands start there.
	Workspace = "/workspace"
	// Home is $HOME in a box. Like the workspace it lasts between the boxes of a job.
	Home = "/home/glovebox"
)

// Engine starts boxes.
//
// Start may be called from several goroutines at once. A cancelled ctx ends a
// start under way and leaves nothing behind; once Start has returned, ctx has
// no further effect and Close is the only way to end the box.
type Engine interface {
	// Start starts a box with every wall of s, checks that the agent in it is
	// the one this program was built with, and returns the stream to it.
	// A wall that the engine can't build is a *WallError, never a box without it.
	Start(ctx context.Context, s Spec) (Conn, error)
}

// Conn is the stream to the agent of one box. Closing it destroys the box and
// everything that runs in it; Close may be called more than once and returns
// when the box is gone.
type Conn interface {
	io.ReadWriteCloser
	// ID names the box in messages, for example the first 12 digits of a container id.
	ID() string
	// Diagnosis is what the engine knows about why the box ended (exit code,
	// what the agent printed on standard error), or "". Bounded.
	Diagnosis() string
}

// Spec describes a box.
type Spec struct {
	// Image is the engine's id of the image, never a tag that may move.
	Image string
	// Workspace is the directory of the host mounted at [Workspace], or "" for an empty one.
	Workspace string
	// Home is the directory of the host mounted at [Home], or "" for an empty
	// one that is gone with the box (verification).
	Home string
	// WorkspaceVolume and HomeVolume name volumes of the engine ([Volumes]) that
	// are mounted in the place of Workspace and Home, which are "" then. A volume
	// that is not there is an error that wraps [ErrNoVolume].
	WorkspaceVolume, HomeVolume string
	// Hidden names directories directly below the workspace that are covered by
	// an empty read-only one. In a directory of the host they must exist.
	Hidden []string
	// Network is the ID of a running box whose network namespace the new one
	// joins: what listens on localhost in one is reached from the other. ""
	// gives the box a network of its own, with nothing but loopback either way.
	Network string
	// User is who everything in the box runs as. UID 0 is refused.
	User User
	// Limits bound the box.
	Limits Limits
	// Disk is the quota that counts what the box writes into workspace and
	// home; nil is none. It is watched from here, engines have nothing to do with it.
	Disk *Disk
	// Job is the id of the job the box works for; it becomes a label.
	Job string
}

// User is a numeric user of a box.
type User struct {
	UID, GID int
}

// Limits bound what a box may use.
type Limits struct {
	// Memory in bytes; swap is not added to it.
	Memory int64
	// CPUs is a number of processors, for example 1.5.
	CPUs float64
	// PIDs bounds processes and threads together.
	PIDs int64
	// Disk in bytes: the largest file, the most that a temporary file system
	// holds, and what workspace and home may hold together where a [Disk] counts it.
	Disk int64
	// Timeout is how long one command may take when it names no time of its own.
	Timeout time.Duration
}

// DefaultLimits are the limits of DESIGN: enough for a build of a small
// project, little enough for a laptop. 2048 processes because JVM builds need
// more than 1000 threads.
func DefaultLimits() Limits {
	return Limits{Memory: 2 << 30, CPUs: 2, PIDs: 2048, Disk: 4 << 30, Timeout: 2 * time.Minute}
}

// WallError says which wall an engine could not build. It ends a job as "no-sandbox".
type WallError struct {
	// Wall is the wall that is missing, for example "memory limit".
	Wall string
	// Why is what the engine said or lacks.
	Why string
}

func (e *WallError) Error() string {
	return "the engine can't build the wall \"" + e.Wall + "\": " + e.Why
}
