package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Errors of the file calls besides those of package fs; each comes in an *fs.PathError.
var (
	// ErrTooLarge says that a file is longer than the caller takes.
	ErrTooLarge = errors.New("file too large")
	// ErrNotRegular says that a path is a pipe, socket or device, which are never opened.
	ErrNotRegular = wire.ErrNotRegular
	// ErrIsDir says that a path is a directory where a file was wanted.
	ErrIsDir = wire.ErrIsDir
	// ErrNotDir says that a path, or a part of it, is no directory.
	ErrNotDir = wire.ErrNotDir
)

// fileTime is how long one call for a file may take: its disk may be slow and
// its processors busy. After it the box is lost.
const fileTime = time.Minute

// ReadFile reads a file of the box, relative to the workspace or absolute;
// links are followed inside the box. At most most bytes come: of a longer
// file the first of them, with [ErrTooLarge]. For a directory the File says so,
// with [ErrIsDir]; a pipe, socket or device is never opened: [ErrNotRegular].
func (b *Box) ReadFile(ctx context.Context, path string, most int64) (File, []byte, error) {
	most = max(most, 0)
	f := File{Path: path}
	var data []byte
	q := url.Values{"path": {path}, "max": {strconv.FormatInt(most, 10)}}
	r := request{method: http.MethodGet, path: wire.PathFile, query: q}
	err := b.askFile(ctx, "read", &f, r, func(res *http.Response) error {
		var told wire.File
		header := strings.NewReader(res.Header.Get(wire.FileHeader))
		if err := wire.ReadJSON(header, wire.MaxHeader, &told); err != nil {
			return err
		}
		if err := f.take(told); err != nil {
			return err
		}
		// The agent sends one byte more than was asked for if there is more, so
		// that a file whose size lies (in /proc, or while it grows) is noticed.
		var err error
		data, err = io.ReadAll(io.LimitReader(res.Body, most+1))
		return err
	})
	if err != nil {
		return f, nil, err
	}
	if int64(len(data)) > most {
		f.Size = max(f.Size, most+1)
		return f, data[:most], &fs.PathError{Op: "read", Path: path, Err: ErrTooLarge}
	}
	f.Size = int64(len(data))
	return f, data, nil
}

// WriteFile creates a file of the box or replaces all of it, never a part:
// the new content is written beside it and renamed. Missing directories are
// made, links are followed inside the box, the mode of an existing file is
// kept. It returns what was there before.
func (b *Box) WriteFile(ctx context.Context, path string, data []byte) (before File, existed bool, err error) {
	before = File{Path: path}
	r := request{
		method: http.MethodPut, path: wire.PathFile, query: url.Values{"path": {path}},
		body: bytes.NewReader(data), length: int64(len(data)),
	}
	end := b.begin()
	err = b.askFile(ctx, "write", &before, r, func(res *http.Response) error {
		var wrote wire.Wrote
		if err := wire.ReadJSON(res.Body, wire.MaxHeader, &wrote); err != nil {
			return err
		}
		existed = wrote.Existed
		if !existed {
			return nil
		}
		return before.take(wrote.Before)
	})
	end()
	if full, _ := b.ended(); full != nil && err == nil {
		err = b.lost("write a file in", nil)
	}
	return before, existed, err
}

// List lists a directory of the box, depth levels deep: 1 is its own entries.
// Upper levels come before lower ones are looked at, so when there are more
// than max entries (at most 10000), which more says, the lower ones are left
// out. Entries are sorted by path, relative to the directory.
func (b *Box) List(ctx context.Context, path string, depth, max int) (entries []File, more bool, err error) {
	max = min(max, wire.MaxEntries)
	q := url.Values{"path": {path}, "depth": {strconv.Itoa(depth)}, "max": {strconv.Itoa(max)}}
	r := request{method: http.MethodGet, path: wire.PathList, query: q}
	err = b.askFile(ctx, "list", &File{Path: path}, r, func(res *http.Response) error {
		var list wire.List
		if err := wire.ReadJSON(res.Body, wire.MaxList, &list); err != nil {
			return err
		}
		more = list.More
		entries, err = takeEntries(list.Entries, max)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return entries, more, nil
}

// askFile asks for the file f.Path and gives errors their form: a refusal by
// the box's file system is an *fs.PathError, with f filled in if the agent
// said what is there instead; everything else is a lost box.
func (b *Box) askFile(ctx context.Context, op string, f *File, r request, read func(*http.Response) error) error {
	if err := checkPath(f.Path); err != nil {
		return &fs.PathError{Op: op, Path: f.Path, Err: err}
	}
	err := b.ask(ctx, fileTime, r, read)
	refused := (*wire.Error)(nil)
	if errors.As(err, &refused) {
		if refused.File != nil && f.take(*refused.File) != nil {
			*f = File{Path: f.Path}
		}
		if known := refused.Unwrap(); known != nil {
			return &fs.PathError{Op: op, Path: f.Path, Err: known}
		}
		return &fs.PathError{Op: op, Path: f.Path, Err: refused}
	}
	if err != nil {
		return b.lost(op+" a file in", err)
	}
	return nil
}

func checkPath(path string) error {
	if len(path) > wire.MaxPath {
		return syscall.ENAMETOOLONG
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return fs.ErrInvalid
	}
	return nil
}

// take fills f with what the agent says, if a file can be so.
func (f *File) take(w wire.File) error {
	switch k := Kind(w.Kind); k {
	case KindFile, KindDir, KindLink, KindOther:
		f.Kind = k
	default:
		return fmt.Errorf("%w: an unknown kind of file", wire.ErrProtocol)
	}
	if w.Size < 0 || w.Mode > 0o7777 {
		return fmt.Errorf("%w: a file with size %d and mode %o", wire.ErrProtocol, w.Size, w.Mode)
	}
	f.Size, f.Mode = w.Size, w.Mode
	return nil
}

// takeEntries checks a listing. Its paths are only ever shown or sent back to
// a box, but one that leaves the directory is a lie, and liars lose their box.
func takeEntries(told []wire.File, max int) ([]File, error) {
	if len(told) > max {
		return nil, fmt.Errorf("%w: %d entries, asked for %d", wire.ErrProtocol, len(told), max)
	}
	entries := make([]File, len(told))
	for i, w := range told {
		path := string(w.Path)
		if checkPath(path) != nil || !localPath(path) {
			return nil, fmt.Errorf("%w: an entry outside of the directory", wire.ErrProtocol)
		}
		entries[i].Path = path
		if err := entries[i].take(w); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// localPath says that a slash-separated path is relative and has no empty, "."
// or ".." element. filepath.IsLocal asks for less.
func localPath(path string) bool {
	for element := range strings.SplitSeq(path, "/") {
		if element == "" || element == "." || element == ".." {
			return false
		}
	}
	return true
}
