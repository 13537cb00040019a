package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner"
)

// maxSpec is the largest specification in bytes; no model's window holds more.
const maxSpec = 1 << 20

// readSpec reads and checks the text of what is to be built.
func readSpec(path string) (runner.Spec, error) {
	const hint = "a spec is a text file that says what to build; prompts/app_spec.txt is an example"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return runner.Spec{}, usage(hint, "spec %s: there is no such file", path)
	case err != nil:
		return runner.Spec{}, usage(hint, "spec %s: %v", path, cause(err))
	case info.IsDir():
		return runner.Spec{}, usage(hint, "spec %s is a directory", path)
	case !info.Mode().IsRegular():
		return runner.Spec{}, usage(hint, "spec %s is not a regular file", path)
	}
	text, err := readAtMost(path, maxSpec)
	if err != nil {
		return runner.Spec{}, usage(hint, "spec %s: %v", path, cause(err))
	}
	switch {
	case len(text) > maxSpec:
		return runner.Spec{}, usage("shorten it, or split it into several jobs", "spec %s is larger than 1 MiB", path)
	case bytes.IndexByte(text, 0) >= 0:
		return runner.Spec{}, usage(hint, "spec %s is a binary file", path)
	case !utf8.Valid(text):
		return runner.Spec{}, usage("convert it, for example: iconv -f latin1 -t utf-8", "spec %s is not UTF-8 text", path)
	case len(bytes.TrimSpace(text)) == 0:
		return runner.Spec{}, usage(hint, "spec %s is empty", path)
	}
	return runner.Spec{Name: filepath.Base(path), Text: string(text)}, nil
}

// readAtMost reads a file up to one byte more than max, which tells that it is larger.
func readAtMost(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, max+1))
}

// cause is what a file error says without naming the file again.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
