package sandbox

import (
	"errors"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// ErrBoxLost is wrapped by every error that means the box is gone or can't be
// trusted any more: its stream ended, it broke the protocol, it was destroyed
// by a timeout or a cancelled context. The box must not be used again.
var ErrBoxLost = errors.New("the box is lost")

// Command is what to run in a box. A command that fails is a [Result]; only
// our own failure to run it is an error.
type Command struct {
	// Args is the program and its arguments. The program is looked up in the PATH of Env.
	Args []string
	// Dir is where it runs, relative to the workspace or absolute; "" is the workspace.
	Dir string
	// Env is its whole environment as K=V. Nothing is inherited, from nowhere.
	Env []string
	// Stdin is its standard input; nil is /dev/null.
	Stdin []byte
	// Timeout ends it; 0 is the Timeout of the box's limits. All of the box's
	// processes are killed then.
	Timeout time.Duration
	// Head and Tail are how many bytes of its output are kept from the
	// beginning and the end, at most 16 MiB each; what lies between is counted
	// and dropped.
	// Standard output and error are one pipe, in the order written.
	Head, Tail int
	// Save, if not "", is a file in the box (absolute) that receives the whole
	// output up to 4 MiB, even when Head and Tail drop some. Folders are made.
	// If its name is a number and an extension (7.txt), only the 5 highest
	// numbers stay in its directory.
	Save string
}

// Result is how a command ended.
type Result struct {
	// ExitCode is 0 to 255, or -1 if a signal ended the command.
	ExitCode int
	// Signal is the name of the signal that ended it, for example "SIGKILL", or "".
	Signal string
	// TimedOut says that the command was stopped because its time was over.
	TimedOut bool
	// Head and Tail are what was kept of the output; Elided bytes lie between them.
	Head, Tail []byte
	Elided     int64
	// Saved says that the file of Save holds the output, up to [MaxSave] of it.
	Saved bool
	// Left are processes that still ran when the command's own process had ended.
	Left []Process
	// Hit are the limits that were hit while the command ran, each once. A
	// limit is the box's: what hit it is the command or something that ran
	// beside it in the same box, which Shared says there was.
	Hit    []Limit
	Shared bool
	// Full says more about the disk if Hit names a limit of it; the box is gone then.
	Full *Full
	// Duration is the time from start to end as the box measured it.
	Duration time.Duration
}

// Output is Head and Tail joined, with a line in between that counts what was elided.
func (r Result) Output() string {
	return joinOutput(r.Head, r.Tail, r.Elided)
}

// Success says that the command ended by itself with exit code 0.
func (r Result) Success() bool { return r.ExitCode == 0 && r.Signal == "" && !r.TimedOut }

// Process is a process of a box.
type Process struct {
	PID     int
	Command string // bounded, control characters replaced
}

// Kind is what lies at a path in a box.
type Kind string

// The kinds of files.
const (
	KindFile  Kind = "file"
	KindDir   Kind = "dir"
	KindLink  Kind = "link"
	KindOther Kind = "other" // pipe, socket, device: never opened
)

// File is what a box says about a path. Reading and writing follow links, inside
// the box, where they can lead to nothing of the host, and describe the target;
// a listing does not follow them.
type File struct {
	Path string // as asked, or relative to the listed directory
	Kind Kind
	Size int64
	Mode uint32 // permission bits
}

// MaxSave is how much of an output goes to the file of Save, in bytes: 4 MiB.
const MaxSave = wire.MaxSave

// Printed is how long the whole output was, in bytes.
func (r Result) Printed() int64 { return int64(len(r.Head)+len(r.Tail)) + r.Elided }
