package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"

	"github.com/glovebox-run/glovebox/runner/model/provider"
)

// fileSuffix makes of a key's variable the one that names a file with the key.
const fileSuffix = "_FILE"

// maxKey bounds the file of a key in bytes.
const maxKey = 4 << 10

// keyFile is the file that holds a provider's key, as it was read.
type keyFile struct {
	path string // absolute
	real string // without links
	err  error  // what is wrong with it, without a word of its content
}

// keyFiles are the files that an environment names, by the variable of the key.
type keyFiles map[string]keyFile

// readKeys reads the files that an environment of K=V names, before anything
// is printed, so that their keys are kept out of everything. values are the
// keys as further K=V.
func readKeys(env []string) (files keyFiles, values []string) {
	files = keyFiles{}
	get := lookup(env)
	for _, variable := range provider.Keys() {
		path := get(variable + fileSuffix)
		if path == "" {
			continue
		}
		f, key := readKey(path)
		if f.err == nil && strings.TrimSpace(get(variable)) != "" {
			f.err = errors.New("the key itself is set, too; unset one of them")
		}
		files[variable] = f
		if key != "" {
			values = append(values, variable+"="+key)
		}
	}
	return files, values
}

// readKey reads a key from a regular file. It waits for nothing: a pipe would
// have to be opened from both ends.
func readKey(path string) (f keyFile, key string) {
	if f.path, f.err = filepath.Abs(path); f.err != nil {
		return f, ""
	}
	file, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		f.err = cause(err)
		return f, ""
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		f.err = errors.New("it is not a regular file")
		return f, ""
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKey+1))
	if err != nil {
		f.err = cause(err)
		return f, ""
	}
	if f.real, f.err = filepath.EvalSymlinks(f.path); f.err != nil {
		f.err = cause(f.err)
	}
	key = strings.TrimSpace(string(text))
	switch {
	case len(text) > maxKey:
		f.err, key = fmt.Errorf("it is larger than %d KiB", maxKey>>10), ""
	case key == "":
		f.err = errors.New("it is empty")
	case strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		f.err = errors.New("it holds more than one word")
	}
	return f, key
}

// check refuses the file of a model's key if something is wrong with it, or if
// it lies in the project directory: keys never come from the project, which
// boxes see. dir may be "".
func (k keyFiles) check(name, dir string) error {
	about, _, _ := strings.Cut(name, "/")
	if name == provider.Auto {
		about = "openrouter"
	}
	variable := provider.Key(about)
	f, ok := k[variable]
	if !ok {
		return nil
	}
	const hint = "name a file that holds the key and nothing else, outside of the project, or set the key itself"
	if f.err != nil {
		return usage(hint, "the file that %s%s names can't be used: %v", variable, fileSuffix, f.err)
	}
	if dir == "" {
		return nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir // not there yet: nothing lies in it
	}
	if within(dir, f.path) || within(real, f.path) || within(real, f.real) {
		return usage(hint, "the file that %s%s names lies in the project directory, which boxes see", variable, fileSuffix)
	}
	return nil
}

// within says that a path is dir or below it. Both are absolute.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
