package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glovebox-run/glovebox/runner"
)

// readAcceptance reads the user's own test. It must not lie where the model
// works: it would be read, and built for.
func readAcceptance(path, project string) (*runner.Acceptance, error) {
	const hint = "it is a script that runs in the project's directory and exits 0 if the program is right; docs/proof.md has an example"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage(hint, "--accept %s: there is no such file", path)
	case err != nil:
		return nil, usage(hint, "--accept %s: %v", path, cause(err))
	case !info.Mode().IsRegular():
		return nil, usage(hint, "--accept %s is not a regular file", path)
	case liesIn(path, project):
		return nil, usage("keep it somewhere else; a copy is kept where no box sees it", "--accept %s lies in the project directory, where the model would see it", path)
	}
	script, err := readAtMost(path, runner.AcceptanceMax)
	switch {
	case err != nil:
		return nil, usage(hint, "--accept %s: %v", path, cause(err))
	case len(script) > runner.AcceptanceMax:
		return nil, usage("shorten it", "--accept %s is larger than 1 MiB", path)
	case len(bytes.TrimSpace(script)) == 0:
		return nil, usage(hint, "--accept %s is empty", path)
	}
	return &runner.Acceptance{Name: filepath.Base(path), Script: script}, nil
}

// liesIn says whether a file is dir or below it, whatever links lead there.
func liesIn(path, dir string) bool {
	file, err := filepath.EvalSymlinks(path)
	if err == nil {
		file, err = filepath.Abs(file)
	}
	if err != nil {
		return true
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return strings.HasPrefix(file+string(filepath.Separator), filepath.Clean(dir)+string(filepath.Separator))
}
