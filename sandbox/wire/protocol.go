package wire

import (
	"bytes"
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
	PathLeft = "/left" // GET: LeftOver
	PathDisk = "/disk" // GET walk, by: Disk
	// PathTree is a directory, see package tree. POST path, skip..., names and
	// the stamps that the host has: an archive of what has changed. PUT path,
	// skip... and an archive: its entries' new stamps, 12 bytes each.
	PathTree = "/tree"
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
	// MaxRecent is how much of the output of what commands left running is kept,
	// in bytes; MaxLeftOver bounds the JSON that carries it and the processes.
	MaxRecent   = 64 << 10
	MaxLeftOver = 2*MaxRecent + maxResult
	// MaxEntries is how many entries a listing may have, MaxList how long it is in bytes.
	MaxEntries = 10000
	MaxList    = 4 << 20
	// MaxMessage bounds the message of an error in bytes.
	MaxMessage = 500
	// MaxPath is Linux's PATH_MAX in bytes.
	MaxPath = 4096
	// TreeIncoming is the name at the top of a directory under which the agent
	// keeps an archive of PathTree until it is whole. It never travels.
	TreeIncoming = ".glovebox-incoming"
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
	// Limits are the limits of the box that were hit while the command ran,
	// each once; Shared says that something else ran in the box meanwhile,
	// which may be what hit them.
	Limits []string `json:"limits,omitempty"`
	Shared bool     `json:"shared,omitempty"`
}

// The names in Result.Limits: what an agent can know of its box. How large a
// limit is the host knows by itself.
const (
	LimitMemory     = "memory"
	LimitHostMemory = "host memory" // killed for want of memory, and not by the box's own limit
	LimitPIDs       = "pids"
	LimitFileSize   = "file size"
	LimitTemp       = "temporary files"
	LimitShared     = "shared memory" // /dev/shm
)

// Process is a process that was left.
type Process struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

// LeftOver is what commands that have ended left running, and the end of what
// it has written since; Dropped bytes came before that. Limits are those of
// the box that were hit since the last Result or LeftOver, each once.
type LeftOver struct {
	Left    []Process `json:"left,omitempty"`
	Output  []byte    `json:"output,omitempty"`
	Dropped int64     `json:"dropped,omitempty"`
	Limits  []string  `json:"limits,omitempty"`
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
	Entries Entries `json:"entries"`
	More    bool    `json:"more,omitempty"`
}

// Entries are at most [MaxEntries] files; more are no listing.
type Entries []File

// UnmarshalJSON implements json.Unmarshaler. It counts while it reads: 4 MiB
// of "{}," would become 200 MB of entries before anybody could count them.
func (e *Entries) UnmarshalJSON(data []byte) error {
	*e = nil
	d := json.NewDecoder(bytes.NewReader(data))
	switch first, err := d.Token(); {
	case err != nil:
		return err
	case first == nil: // null
		return nil
	case first != json.Delim('['):
		return errors.New("no list")
	}
	for d.More() {
		if len(*e) == MaxEntries {
			return fmt.Errorf("more than %d entries", MaxEntries)
		}
		var f File
		if err := d.Decode(&f); err != nil {
			return err
		}
		*e = append(*e, f)
	}
	return nil
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
