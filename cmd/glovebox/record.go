package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model/record"
)

// openRecording creates the file of --record. A recorder of it is nil without
// the flag.
func (a *app) openRecording(o order, dir string) (r *record.Recorder, closeFile func() error, err error) {
	nothing := func() error { return nil }
	abs, err := recordingPath(o, dir)
	if err != nil || abs == "" {
		return nil, nothing, err
	}
	f, err := os.OpenFile(abs, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, nothing, recordingExists(o)
	}
	if err != nil {
		return nil, nothing, usage("give the name of a new file in a directory that is there", "--record %s: %v", o.record, cause(err))
	}
	r = record.New(f, record.Options{Redact: a.redact.String, Stopped: func(why error) {
		a.screen.Print("glovebox: " + plain(why.Error()) + "; the job goes on without it")
	}})
	return r, f.Close, nil
}

// recordingPath is the absolute path of --record, "" without the flag.
func recordingPath(o order, dir string) (string, error) {
	if o.record == "" {
		return "", nil
	}
	abs, err := filepath.Abs(o.record)
	if err != nil {
		return "", usage("give an absolute path", "--record %s: %v", o.record, err)
	}
	if inside(realPath(dir), realPath(abs)) {
		return "", usage("choose a file outside of the project directory", "--record %s lies in the project directory, where boxes could read it", o.record)
	}
	return abs, nil
}

func recordingExists(o order) error {
	return usage("give the name of a new file; a recording is never appended to", "--record %s exists", o.record)
}

// realPath is an absolute path without links, as far as it exists.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(realPath(parent), filepath.Base(path))
}

// inside says that path lies in dir, or is it.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err != nil || rel == "." || rel != ".." && !strings.HasPrefix(rel, "../")
}
