package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// restore puts back what belongs to the host: the spec, the list and the
// frozen graders. What a session changed there is noted.
func (j *job) restore() error {
	if err := j.putBack(specInWorkspace, []byte(j.o.Spec.Text), 0o644); err != nil {
		return err
	}
	if j.list.Approved == "" {
		if j.o.SignedOff != nil {
			return j.putBack(publicList, feature.Public(j.o.SignedOff), 0o644)
		}
		return nil
	}
	if err := j.putBack(publicList, feature.Public(j.list.Features), 0o644); err != nil {
		return err
	}
	if len(j.past.noted) > 0 {
		if err := j.putBack(notesName, j.notes(), 0o644); err != nil {
			return err
		}
	}
	names, err := j.frozen()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := j.unfreeze(name); err != nil {
			return err
		}
	}
	return nil
}

// putBack makes name hold data again, with its mode, if it does not. What it
// held is kept aside.
func (j *job) putBack(name string, data []byte, perm fs.FileMode) error {
	if j.files.holds(name, data, perm) {
		return nil
	}
	_, err := j.files.lstat(name)
	missing := errors.Is(err, fs.ErrNotExist)
	place, err := j.setAside(name)
	if err != nil {
		return err
	}
	if err := j.files.write(name, data, perm); err != nil {
		return fmt.Errorf("put back %s: %w", name, err)
	}
	if missing && (name == specInWorkspace || name == notesName || j.list.Approved == "") {
		return nil // it is put there for the first time
	}
	return j.record(j.saidOfPutBack(name, place))
}

// freeze copies the graders to the state, where no box reaches them: what the
// list and its commands name, what lies beside that, and what the plan has that
// decides how tests run.
func (j *job) freeze(list feature.List, planned []treeEntry) error {
	files := plainPaths(planned)
	names := j.files.guards(list, files)
	for _, name := range files {
		if decides(j.files, name, list) {
			names = append(names, name)
		}
	}
	if err := j.state.root.RemoveAll(frozenDir); err != nil { // an earlier list's
		return err
	}
	for _, name := range names {
		if err := j.freezeOne(name); err != nil {
			return err
		}
	}
	return nil
}

// plainPaths are the entries that are no links.
func plainPaths(entries []treeEntry) (paths []string) {
	for _, e := range entries {
		if e.mode != modeLink {
			paths = append(paths, e.path)
		}
	}
	return paths
}

func (j *job) freezeOne(name string) error {
	data, err := j.files.read(name, frozenMax)
	if err != nil {
		return refuse("%.200s is judged by and can't be kept: %v", name, err)
	}
	info, err := j.files.lstat(name)
	if err != nil {
		return err
	}
	return j.keepGrader(grader{path: name, data: data, perm: plainMode(info)})
}

// keepGrader copies a grader to the state.
func (j *job) keepGrader(g grader) error {
	keep := path.Join(frozenDir, g.path)
	if err := j.state.root.MkdirAll(path.Dir(keep), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(j.state.root, keep, g.data, g.perm)
}

// plainMode is the mode of a file as git knows it.
func plainMode(info fs.FileInfo) fs.FileMode {
	if info.Mode().Perm()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// frozen are the files that were frozen.
func (j *job) frozen() (names []string, err error) {
	root, err := j.state.root.OpenRoot(frozenDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = walk(context.Background(), root, nil, func(f found) error {
		if !f.info.IsDir() {
			names = append(names, f.path)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// unfreeze puts one grader back.
func (j *job) unfreeze(name string) error {
	g, err := j.grader(name)
	if err != nil {
		return err
	}
	return j.putBack(g.path, g.data, g.perm)
}

// checkGraders makes sure that a tree, whose files lie in from, has the graders
// that were accepted, as they were, and no others: with a conftest.py or a
// pytest.py of its own a session would be its own grader.
func (j *job) checkGraders(ctx context.Context, entries []treeEntry, from workspace) error {
	if j.list.Approved == "" {
		return nil
	}
	names, err := j.frozen()
	if err != nil {
		return err
	}
	missing := map[string]bool{}
	for _, name := range names {
		missing[name] = true
	}
	root, err := j.state.root.OpenRoot(frozenDir)
	if errors.Is(err, fs.ErrNotExist) {
		return noOtherGraders(entries, from, j.list.Features, nil)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	for _, e := range entries {
		if !missing[e.path] {
			continue
		}
		kept, _, err := workspace{root: root}.hashFile(ctx, e.path, frozenMax, io.Discard)
		if err != nil {
			return err
		}
		if kept != e {
			return refuse("git would commit another %.200s than the one that was accepted", e.path)
		}
		delete(missing, e.path)
	}
	for name := range missing {
		return refuse("git does not have %.200s, by which the program is judged: is it ignored?", name)
	}
	return noOtherGraders(entries, from, j.list.Features, names)
}

func noOtherGraders(entries []treeEntry, from workspace, list feature.List, names []string) error {
	for _, e := range entries {
		if slices.Contains(names, e.path) {
			continue
		}
		if why := intrudes(e.path, names); why != "" {
			return refuse("%.200s was not there when the features were accepted, and %.400s", e.path, why)
		}
		if decides(from, e.path, list) {
			return refuse("%.200s decides how tests run and was not there when the features were accepted: remove it, or what it says about tests", e.path)
		}
	}
	return nil
}

// decidesTests says whether a file has a say in how tests run: a configuration
// of pytest, jest, vitest or mocha, code that Python or pytest runs by itself,
// or a module in the place of pytest.
func decidesTests(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	if slices.Contains([]string{"pytest", "_pytest"}, top) && top != name {
		return true
	}
	for _, begins := range []string{"jest.config.", "vitest.config.", "vitest.workspace.", ".mocharc"} {
		if strings.HasPrefix(path.Base(name), begins) {
			return true
		}
	}
	return slices.Contains([]string{"conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini",
		"pytest.py", "_pytest.py", "sitecustomize.py", "usercustomize.py"}, path.Base(name))
}

// configuresTests says the same of files that usually are about something else.
func (w workspace) configuresTests(name string) bool {
	if !slices.Contains([]string{"pyproject.toml", "setup.cfg"}, path.Base(name)) {
		return false
	}
	data, err := w.read(name, frozenMax)
	return err != nil || bytes.Contains(data, []byte("pytest"))
}
