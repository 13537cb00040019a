package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// Paths of the agent's HTTP server. The host in the URL is [Host] and means nothing.
const (
	Host     = "box"
	PathRun  = "/run"  // POST: one line of JSON (Run), then raw stdin; answers with frames
	PathFile = "/file" // GET path, max: File as a header, then the bytes. PUT path: the bytes; answers Wrote
	PathList = "/list" // GET path, depth, max: List
)

// FileHeader carries the [File] of a GET as JSON; StatusFileError is the
// status of an answer whose body is an [Error].
const (
	FileHeader      = "Glovebox-File"
	StatusFileError = 422
)

// Bounds that both sides keep to; the host enforces them on the agent.
const (
	// MaxCommand is the longest line of JSON that starts a command, in bytes.
	// Linux takes 2 MiB of arguments and environment; base64 makes that 2.7.
	MaxCommand = 4 << 20
	// MaxKeep is the most that Head and Tail may each ask for, in bytes: what
	// the agent holds of one command in the box's memory.
	MaxKeep = 16 << 20
	// MaxSave is how much of an output goes to the file of Save, in bytes.
	MaxSave = 4 << 20
	// MaxSaved is how many numbered files (N.txt) stay in the directory of Save.
	MaxSaved = 5
	// MaxLeft is how many processes a result names, MaxName how long each name
	// may be in bytes.
	MaxLeft = 20
	MaxName = 200
	// MaxEntries is how many entries a listing may have, MaxList how long it is in bytes.
	MaxEntries = 10000
	MaxList    = 4 << 20
	// MaxMessage bounds the message of an error in bytes.
	MaxMessage = 500
	// MaxPath is Linux's PATH_MAX in bytes.
	MaxPath = 4096
	// MaxHeader bounds the header of an HTTP answer in bytes.
	MaxHeader = 16 << 10
)

// Run asks for a command. Text that Linux does not require to be UTF-8 travels
// as bytes (base64), because it must arrive exactly.
type Run struct {
	Args      [][]byte `json:"args"`
	Env       [][]byte `json:"env,omitempty"`
	Dir       []byte   `json:"dir,omitempty"`
	Save      []byte   `json:"save,omitempty"`
	Stdin     bool     `json:"stdin,omitempty"` // the rest of the request is its standard input
	TimeoutMS int64    `json:"timeout_ms"`
	Head      int      `json:"head,omitempty"`
	Tail      int      `json:"tail,omitempty"`
}

// Result is the last frame of a command.
type Result struct {
	Exit     int       `json:"exit"` // 0 to 255, -1: Signal
	Signal   string    `json:"signal,omitempty"`
	TimedOut bool      `json:"timed_out,omitempty"`
	Elided   int64     `json:"elided,omitempty"`
	Saved    bool      `json:"saved,omitempty"`
	Nanos    int64     `json:"nanos"`
	Left     []Process `json:"left,omitempty"`
}

// Process is a process that was left.
type Process struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

// File is what the agent says about a path.
type File struct {
	Path []byte `json:"path,omitempty"` // in listings only
	Kind string `json:"kind"`
	Size int64  `json:"size"`
	Mode uint32 `json:"mode"`
}

// Wrote answers a PUT: what was there before.
type Wrote struct {
	Existed bool `json:"existed"`
	Before  File `json:"before"`
}

// List answers a listing.
type List struct {
	Entries []File `json:"entries"`
	More    bool   `json:"more,omitempty"`
}

// Reasons of an [Error] that callers branch on.
const (
	ReasonNotExist   = "not-exist"
	ReasonPermission = "permission"
	ReasonNotRegular = "not-regular" // a pipe, socket or device
	ReasonIsDir      = "is-dir"
	ReasonNotDir     = "not-dir"
	ReasonOther      = "other"
)

// Error is why a file could not be read, written or listed.
type Error struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	File    *File  `json:"file,omitempty"` // what is there instead, where that helps
}

// Errors of the file calls, besides those of package fs.
var (
	// ErrNotRegular says that a path is a pipe, socket or device, which are never opened.
	ErrNotRegular = errors.New("not a regular file")
	// ErrIsDir says that a path is a directory where a file was wanted.
	ErrIsDir = errors.New("is a directory")
	// ErrNotDir says that a path, or a part of it, is no directory.
	ErrNotDir = errors.New("not a directory")
)

// ErrorOf turns an error of the file system into what goes over the wire.
func ErrorOf(err error) *Error {
	e := &Error{Reason: ReasonOther, Message: cut(err.Error(), MaxMessage)}
	switch {
	case errors.Is(err, ErrNotRegular):
		e.Reason = ReasonNotRegular
	case errors.Is(err, ErrIsDir), errors.Is(err, syscall.EISDIR):
		e.Reason = ReasonIsDir
	case errors.Is(err, ErrNotDir), errors.Is(err, syscall.ENOTDIR):
		e.Reason = ReasonNotDir
	case errors.Is(err, fs.ErrNotExist):
		e.Reason = ReasonNotExist
	case errors.Is(err, fs.ErrPermission):
		e.Reason = ReasonPermission
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		e.Message = cut(p.Err.Error(), MaxMessage)
	}
	return e
}

func (e *Error) Error() string { return Printable(e.Message, MaxMessage) }

// Unwrap is what the error means to a Go program: an error of package fs, one
// of this package, or nothing that one could branch on.
func (e *Error) Unwrap() error {
	switch e.Reason {
	case ReasonNotExist:
		return fs.ErrNotExist
	case ReasonPermission:
		return fs.ErrPermission
	case ReasonNotRegular:
		return ErrNotRegular
	case ReasonIsDir:
		return ErrIsDir
	case ReasonNotDir:
		return ErrNotDir
	}
	return nil
}

// ReadError reads the body of an answer with [StatusFileError].
func ReadError(r io.Reader) (*Error, error) {
	var e Error
	if err := ReadJSON(r, 8*MaxMessage, &e); err != nil {
		return nil, err
	}
	return &e, nil
}

// ReadJSON reads all of r, at most max bytes, into v. What is longer or no
// JSON wraps [ErrProtocol].
func ReadJSON(r io.Reader, max int64, v any) error {
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return err
	}
	if int64(len(data)) > max {
		return fmt.Errorf("%w: an answer of more than %d bytes", ErrProtocol, max)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: an answer that is no JSON", ErrProtocol)
	}
	return nil
}
