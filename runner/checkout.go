package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/sandbox"
)

// proofDir holds the copy of the project that verifications run in.
const proofDir = "proof"

// checkout is a throwaway copy of exactly the files of a staged tree. Proofs
// run in it, not in the workspace: what git does not have, and what an earlier
// verification left behind, proves nothing.
type checkout struct {
	name   string    // in the state
	dir    string    // on the host
	volume string    // where boxes have it, if not there
	from   workspace // where the files are copied from
	files  workspace
	meter  *sandbox.DirMeter
	disk   *sandbox.Disk // the copy has a quota of its own
	s      staged
	guards []string // the graders, if not those that are frozen
	sealed map[string]fs.FileInfo
	used   bool   // a verification has run in it
	init   string // how init.sh failed
}

// newCheckout copies the files of a tree, which lie in from, to the state. The host hashes what it
// copies: a file that is not what git would commit is refused. Without a .git,
// the copy can't be mistaken for the project.
func (j *job) newCheckout(ctx context.Context, name string, s staged, from workspace) (*checkout, error) {
	c := &checkout{name: name, dir: filepath.Join(j.o.Dir, stateDir, name), from: from, s: s}
	if err := c.renew(ctx, j); err != nil {
		return nil, errors.Join(err, c.close(j))
	}
	return c, nil
}

// renew makes the copy anew and runs init.sh on it.
func (c *checkout) renew(ctx context.Context, j *job) error {
	if err := c.close(j); err != nil {
		return err
	}
	if err := j.state.root.Mkdir(c.name, 0o755); err != nil {
		return err
	}
	root, err := j.state.root.OpenRoot(c.name)
	if err != nil {
		return err
	}
	c.files, c.used, c.init = workspace{root: root, owner: j.files.owner}, false, ""
	if c.meter, err = sandbox.NewDirMeter(c.dir, nil, ""); err != nil {
		return err
	}
	c.disk = sandbox.NewDisk(j.o.Limits, c.meter)
	if err := c.fill(ctx); err != nil {
		return err
	}
	if c.volume, err = j.volumes.forProof(ctx, root); err != nil {
		return err
	}
	if c.volume != "" {
		c.disk = sandbox.NewDisk(j.o.Limits, nil)
	}
	return c.prepare(ctx, j)
}

// removeCopy removes a copy of the project from the state; one that a crash
// left behind too.
func (j *job) removeCopy(dir string) error {
	root, err := j.state.root.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = openUp(root)
		root.Close()
	}
	if removed := j.state.root.RemoveAll(dir); removed == nil {
		return nil
	}
	// Too deep to be removed, say. It must not be in the way of the next one.
	j.log.Warn("a copy for proofs could not be removed", "error", err)
	return j.state.root.Rename(dir, dir+"-"+rand.Text())
}

// openUp makes directories that a verification closed removable again.
func openUp(root *os.Root) error {
	return walk(context.Background(), root, nil, func(f found) error {
		if f.info.IsDir() && f.info.Mode().Perm()&0o700 != 0o700 {
			return f.dir.Chmod(f.name, 0o700)
		}
		return nil
	})
}

func (c *checkout) close(j *job) error {
	err := j.volumes.drop(c.volume)
	c.volume = ""
	if c.files.root != nil {
		c.files.root.Close()
	}
	if c.meter != nil {
		c.meter.Close()
	}
	return errors.Join(err, j.removeCopy(c.name))
}

func (c *checkout) fill(ctx context.Context) error {
	if err := c.files.chown(c.files.root, "."); err != nil {
		return err
	}
	left := int64(proofMax)
	for _, e := range c.s.entries {
		size, err := c.copyFile(ctx, e, left)
		if err != nil {
			return err
		}
		left -= size
	}
	return nil
}

// copyFile copies one file or link and refuses it unless it is what the entry says.
func (c *checkout) copyFile(ctx context.Context, e treeEntry, limit int64) (int64, error) {
	if err := c.files.makeParents(path.Dir(e.path)); err != nil {
		return 0, refuse("%s", err.Error())
	}
	if e.mode == modeLink {
		return c.copyLink(ctx, e, limit)
	}
	perm := fs.FileMode(0o644)
	if e.mode == modeExec {
		perm = 0o755
	}
	f, err := c.files.root.OpenFile(e.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return 0, refuse("%s", err.Error())
	}
	seen, size, err := c.from.hashFile(ctx, e.path, limit, f)
	if err := errors.Join(f.Chmod(perm), f.Close()); err != nil {
		return 0, err
	}
	if err := differs(ctx, e, seen, err); err != nil {
		return 0, err
	}
	return size, c.files.chown(c.files.root, e.path)
}

func (c *checkout) copyLink(ctx context.Context, e treeEntry, limit int64) (int64, error) {
	seen, size, err := c.from.hashFile(ctx, e.path, limit, io.Discard)
	if err := differs(ctx, e, seen, err); err != nil {
		return 0, err
	}
	target, err := c.from.readlink(e.path)
	if err != nil {
		return 0, err
	}
	if err := c.files.root.Symlink(target, e.path); err != nil {
		return 0, refuse("%s", err.Error())
	}
	return size, c.files.chown(c.files.root, e.path)
}

// compare says whether the files below w still are the entries: a *refusedTree if not.
func (w workspace) compare(ctx context.Context, entries []treeEntry) error {
	left := int64(proofMax)
	for _, e := range entries {
		seen, size, err := w.hashFile(ctx, e.path, left, io.Discard)
		if err := differs(ctx, e, seen, err); err != nil {
			return err
		}
		left -= size
	}
	return nil
}

// differs refuses a file that is not what git has of it.
func differs(ctx context.Context, want, seen treeEntry, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return blame(want.path, "%.200q can't be read: %v", want.path, err)
	case seen != want:
		return blame(want.path, "git has other content of %.200q, or another mode, than the file: look at .gitattributes, and at the filters, line endings and file mode in .git/config", want.path)
	}
	return nil
}

func blame(path, format string, args ...any) *refusedTree {
	r := refuse(format, args...)
	r.path = path
	return r
}

// boxSpec is a box whose workspace is the copy, with an empty $HOME.
func (c *checkout) boxSpec(j *job) sandbox.Spec {
	spec := j.boxSpec(false)
	spec.Workspace, spec.WorkspaceVolume, spec.Hidden, spec.Disk = c.dir, "", nil, c.disk
	if c.volume != "" {
		spec.Workspace, spec.WorkspaceVolume = "", c.volume
	}
	return spec
}

// prepare runs the project's init.sh on the copy, in a box of its own: what it
// plants outside the copy must not reach a proof. What git has it may not
// change, and it may not bring graders.
func (c *checkout) prepare(ctx context.Context, j *job) error {
	graders, err := j.frozen()
	if err != nil {
		return err
	}
	if c.guards != nil {
		graders = c.guards
	}
	if _, err := c.files.lstat("init.sh"); errors.Is(err, fs.ErrNotExist) {
		return c.seal(graders)
	}
	err = j.withBox(ctx, forInit, c.boxSpec(j), func(box *sandbox.Box) error {
		said, ok, err := j.runInit(ctx, box)
		if !ok {
			c.init = said
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := c.unchanged(ctx, "init.sh"); err != nil {
		return err
	}
	known := graders
	if j.list.Approved == "" {
		known = nil // what is planned anew is no intruder
	}
	if err := c.noNewGraders(ctx, j.list.Features, known); err != nil {
		return err
	}
	return c.seal(graders)
}

// installed are the directories that packages are installed in.
func installed() []string { return []string{".venv", "venv", "node_modules"} }

// noNewGraders refuses a copy that init.sh has given files which decide how
// tests run. Installed packages may have their own.
func (c *checkout) noNewGraders(ctx context.Context, list feature.List, graders []string) error {
	known := map[string]bool{}
	for _, e := range c.s.entries {
		known[e.path] = true
	}
	isInstalled := func(at string) bool { return slices.Contains(installed(), path.Base(at)) }
	err := walk(ctx, c.files.root, isInstalled, func(f found) error {
		if f.info.IsDir() || known[f.path] {
			return nil
		}
		if why := intrudes(f.path, graders); why != "" {
			return refuse("init.sh makes %.200s: %.400s", f.path, why)
		}
		if decidesTests(f.path) || c.files.isPlugin(f.path) || isRecipe(f.path, list) {
			return refuse("init.sh makes %.200s, which decides how tests run", f.path)
		}
		return nil
	})
	var deep *tooDeep
	if errors.As(err, &deep) {
		return refuse("init.sh makes a tree that is too deep: %v", err)
	}
	return err
}

// unchanged refuses a tree that what was just run has changed.
func (c *checkout) unchanged(ctx context.Context, what string) error {
	err := c.files.compare(ctx, c.s.entries)
	var refused *refusedTree
	if errors.As(err, &refused) {
		return refuse("%s changes files that are in git (%.200s), so what was proven is not what would be committed", what, refused.path)
	}
	return err
}
