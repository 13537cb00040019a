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
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Box is the part of a sandbox.Box that the tools need.
type Box interface {
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

// Use is one checked call. The fields of the tool that is named are set.
type Use struct {
	Name Name

	Command string        // bash
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

	Aliases []string // parameters that came under another name, for the ledger
}

// Result is what a call came to.
type Result struct {
	Text     string // for the model, never empty, bounded
	OK       bool   // exit 0, or the file was read or written
	Changed  bool   // write or edit changed a file
	TimedOut bool   // bash: stopped because its time was over; the box is gone
	Exit     int    // bash: exit code, -1 for a signal or a timeout
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
}

// Tools is what a model is told of the tools. timeout is the default of a
// bash call; 0 is two minutes.
func Tools(timeout time.Duration) []model.Tool { return nil }

// Parse checks a call. The error is a *CallError whose text is meant for the model.
func Parse(c model.Call) (Use, error) { return Use{}, errors.ErrUnsupported }

// CallError says to the model why a call was not executed.
type CallError struct {
	Tool   Name
	Syntax bool // the arguments were no JSON
	Text   string
}

func (e *CallError) Error() string { return e.Text }

// Summary is the use as one line for people.
func (u Use) Summary() string { return "" }

// Run does u in b. finish is not for Run: the loop ends the session itself.
// An error means that the box could not be asked; it wraps sandbox.ErrBoxLost
// when the box is gone.
func Run(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	return Result{}, errors.ErrUnsupported
}

// Refused is the result of a call that Parse refused. It counts faults of the
// session, because the second one of a kind gets more advice.
func (env *Env) Refused(err error) Result { return Result{} }

// Environment is the environment of every command in a box. path is the PATH
// of the image; if it is no sane one, Debian's is taken.
func Environment(path string) []string { return nil }

// Script is the command line that runs script with shell ("bash" or "sh"),
// for the model's calls. Verify is the stricter one of the host's verifications.
func Script(shell, script string) []string { return []string{shell, "-c", script} }
