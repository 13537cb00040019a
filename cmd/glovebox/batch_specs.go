package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
	reports "github.com/glovebox-run/glovebox/runner/report"
)

// task is one spec of a batch, read and checked.
type task struct {
	batch.Item
	order order
	spec  runner.Spec
	more  extras
}

// readTasks reads everything that a batch's command line names: files,
// patterns, directories, or one manifest. All that is wrong with any of them is
// found before anything is begun.
func (a *app) readTasks(words []string, out string, line values) (tasks []task, faults []error) {
	m, err := gather(words)
	if err == nil && len(m.entries) > maxSpecs {
		err = usage("split it into several batches", "%d specs are more than %d", len(m.entries), maxSpecs)
	}
	if err != nil {
		return nil, []error{err}
	}
	had := map[string]string{}
	for _, e := range m.entries {
		t, err := a.readTask(m, e, out, line)
		if err != nil {
			faults = append(faults, m.at(e, err))
			continue
		}
		if before, twice := had[t.Name]; twice {
			faults = append(faults, m.at(e, usage("give one of them another name in a manifest", "%s and %s would both be built in %s", before, e.spec, filepath.Join(out, t.Name))))
		}
		had[t.Name] = e.spec
		tasks = append(tasks, t)
	}
	return tasks, faults
}

func (a *app) readTask(m manifest, e entry, out string, line values) (task, error) {
	spec, err := readSpec(e.spec)
	if err != nil {
		return task{}, err
	}
	name := e.name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(e.spec), filepath.Ext(e.spec))
	}
	if !fs.ValidPath(name) || strings.Contains(name, "/") || name == "." || strings.HasPrefix(name, ".") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return task{}, usage("give it a name in a manifest: {spec: ..., name: ...}", "spec %s: %q can't be the name of a project directory", e.spec, name)
	}
	if slices.ContainsFunc(reports.Forms(), func(f reports.Form) bool { return f.File == name }) {
		return task{}, usage("give it a name in a manifest: {spec: ..., name: ...}", "spec %s: the batch's report will be %s", e.spec, name)
	}
	o, err := a.orderOf(layers{line: line, top: m.top, own: e.set}, e.spec, filepath.Join(out, name))
	if err != nil {
		return task{}, err
	}
	t := task{Item: batch.Item{Name: name, Spec: e.spec, SpecHash: runner.SpecHash(spec.Text), Model: o.model}, order: o, spec: spec}
	if t.order.signedOff, err = readSignedOff(o.approve, o.dir); err != nil {
		return task{}, err
	}
	t.more, err = readExtras(o, o.dir)
	return t, err
}

// at says where in a manifest a fault is.
func (m manifest) at(e entry, err error) error {
	var u *runner.Error
	if e.line == 0 || !errors.As(err, &u) {
		return err
	}
	return &runner.Error{Outcome: u.Outcome, Reason: fmt.Sprintf("manifest %s, line %d: %s", m.file, e.line, u.Error()), Hint: u.Hint}
}

// gather finds the specs that words name.
func gather(words []string) (manifest, error) {
	if ext := strings.ToLower(filepath.Ext(words[0])); len(words) == 1 && (ext == ".yaml" || ext == ".yml") {
		return readManifest(words[0])
	}
	var m manifest
	for _, word := range words {
		files, err := specFiles(word)
		if err != nil {
			return m, err
		}
		for _, file := range files {
			m.entries = append(m.entries, entry{spec: file})
		}
	}
	return m, nil
}

// specFiles are the files that one word names: itself, those of a directory, or
// those that match a pattern, each by name.
func specFiles(word string) ([]string, error) {
	const hint = "name files, patterns like specs/*.txt, a directory of .txt and .md files, or one batch.yaml"
	info, err := os.Stat(word)
	switch {
	case err == nil && info.IsDir():
		var files []string
		for _, pattern := range []string{"*.txt", "*.md"} {
			found, err := filepath.Glob(filepath.Join(escapeGlob(word), pattern))
			if err != nil {
				return nil, usage(hint, "%s: %v", word, err)
			}
			files = append(files, found...)
		}
		if len(files) == 0 {
			return nil, usage(hint, "the directory %s has no .txt and no .md file", word)
		}
		slices.Sort(files)
		return files, nil
	case err == nil:
		return []string{word}, nil
	}
	files, gerr := filepath.Glob(word)
	switch {
	case gerr != nil:
		return nil, usage(hint, "%s is no pattern: %v", word, gerr)
	case len(files) == 0 && strings.ContainsAny(word, "*?["):
		return nil, usage(hint, "no file matches %s", word)
	case len(files) == 0:
		return nil, usage(hint, "spec %s: %v", word, cause(err))
	}
	return files, nil
}

// escapeGlob makes a path a pattern for itself.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
