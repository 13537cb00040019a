// Package tool is what a model can do: bash, read, write, edit and finish.
//
// [Tools] is what it is told of them, [Parse] turns a call into a checked
// [Use], and [Run] does it in a box and says in plain text what came of it.
// A command that fails, a file that is missing, a text that does not match:
// these are results. Only our own failure to ask the box is an error.
package tool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Box is the part of a sandbox.Box that the tools need.
type Box interface {
	ID() string
	Run(ctx context.Context, c sandbox.Command) (sandbox.Result, error)
	// ReadFile, WriteFile and List wrap fs.ErrNotExist for what is missing and
	// *fs.PathError for what else is wrong with a path; other errors are the box's.
	ReadFile(ctx context.Context, path string, max int64) (sandbox.File, []byte, error)
	WriteFile(ctx context.Context, path string, data []byte) (before sandbox.File, existed bool, err error)
	List(ctx context.Context, path string, depth, max int) (entries []sandbox.File, more bool, err error)
}

// Name is a tool's name.
type Name string

// The tools.
const (
	Bash   Name = "bash"
	Read   Name = "read"
	Write  Name = "write"
	Edit   Name = "edit"
	Finish Name = "finish"
)

// Statuses of finish.
const (
	StatusDone    = "done"
	StatusBlocked = "blocked"
)

// StopBox is the command of a bash call with a box that ends the box.
const StopBox = "stop"

// Use is one checked call. The fields of the tool that is named are set.
type Use struct {
	Name Name

	Command string        // bash; with Box: "", or StopBox
	Box     string        // bash: the box that was kept after a call, which the call is about
	Timeout time.Duration // bash; 0 is the default

	Path    string // read, write, edit: as the model wrote it
	Offset  int    // read: first line, from 1
	Limit   int    // read: number of lines, 0 is the default
	Content string // write
	Old     string // edit
	New     string // edit
	All     bool   // edit

	Status string // finish: StatusDone or StatusBlocked
	Note   string // finish, bounded

	Aliases []string // the tool or parameters as the model called them, where we do otherwise, and "arguments as text"; for the ledger
}

// Map is u with f applied to every text that may go into a box or be kept.
func (u Use) Map(f func(string) string) Use {
	u.Command, u.Box, u.Path, u.Note = f(u.Command), f(u.Box), f(u.Path), f(u.Note)
	u.Content, u.Old, u.New = f(u.Content), f(u.Old), f(u.New)
	return u
}

// Result is what a call came to.
type Result struct {
	Text     string        // for the model, never empty, bounded
	OK       bool          // exit 0, or the file was read or written
	Changed  bool          // write or edit changed a file
	TimedOut bool          // bash: stopped because its time was over; the box is gone
	Exit     int           // bash: exit code, -1 for a signal or a timeout
	Left     bool          // bash: something still runs in the box
	Hits     []HitLimit    // limits that were hit
	Full     *sandbox.Full // the disk was too full and the box is gone
}

// Env is what the tools of one session share. It belongs to the caller, who
// makes one for each session; Run keeps its counters in it. Not for concurrent use.
type Env struct {
	Vars      []string       // the commands' whole environment; see Environment
	Shell     string         // "bash", or "sh" where the image has no bash
	Scope     sandbox.Scope  // how long a box lasts, which decides what the model is told
	Limits    sandbox.Limits // named in messages; Timeout is the default of a call
	Numbers   Numbers        // the zero value is DefaultNumbers
	Frozen    []string       // files of the host, relative to the workspace: changes to them are undone
	Installed string         // one line on what the image has, for the hint that there is no network
	Saved     int            // number of the last full output kept in $HOME/out; start it at the job's count of calls

	saidShell bool           // the model knows that there is no bash
	broken    int            // calls in a row whose arguments were no JSON
	misses    map[string]int // edits of a file that found nothing, since its last change
}

// Run does u in b. finish is not for Run: the loop ends the session itself.
// An error means that the box could not be asked; it wraps sandbox.ErrBoxLost
// when the box is gone.
func Run(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	env.broken = 0
	r, err := do(ctx, b, u, env)
	var full *sandbox.Full
	if errors.As(err, &full) && ctx.Err() == nil {
		return Result{
			Text: FullText(full, "This call's box was ended, and what it did may be there or not"),
			Hits: Hits(sandbox.Result{Hit: []sandbox.Limit{full.Limit}}, env.Limits), Full: full,
		}, nil
	}
	return r, err
}

func do(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	switch u.Name {
	case Bash:
		return runBash(ctx, b, u, env)
	case Read:
		return runRead(ctx, b, u, env)
	case Write:
		return runWrite(ctx, b, u, env)
	case Edit:
		return runEdit(ctx, b, u, env)
	default:
		return Result{}, fmt.Errorf("run %q: not a tool that runs in a box", u.Name)
	}
}

// Refused is the result of a call that Parse refused. The second call in a row
// whose arguments are no JSON gets more advice.
func (env *Env) Refused(err error) Result {
	var refused *CallError
	if !errors.As(err, &refused) {
		return Result{Text: err.Error()}
	}
	if !refused.Syntax {
		env.broken = 0
		return Result{Text: refused.Text}
	}
	env.broken++
	if env.broken > 1 {
		return Result{Text: refused.again}
	}
	return Result{Text: refused.Text}
}

// numbers are the session's, or the default ones.
func (env *Env) numbers() Numbers {
	if env.Numbers == (Numbers{}) {
		return DefaultNumbers()
	}
	return env.Numbers
}
