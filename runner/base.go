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

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// baseDir holds the files of an earlier commit while proofs are tried on them.
const baseDir = "base"

// blobsScript prints every file of a tree, in the order of its listing.
const blobsScript = quietGit + `git ls-tree -r --full-tree "$1" | cut -c13-52 | git cat-file --batch`

// beforeDir is the copy of that which proofs run on.
const beforeDir = "before"

// onCommit gives use a copy of what an earlier commit has, but with the graders
// given: a proof that is red there was red before the work. What git says of
// the commit is hashed; a commit that is gone is a *refusedTree.
func (j *job) onCommit(ctx context.Context, c ledger.CommitInfo, graders []grader, use func(*checkout) error) (err error) {
	if err := j.state.root.RemoveAll(baseDir); err != nil {
		return err
	}
	if err := j.state.root.Mkdir(baseDir, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.state.root.RemoveAll(baseDir)) }()
	root, err := j.state.root.OpenRoot(baseDir)
	if err != nil {
		return err
	}
	defer root.Close()
	base := workspace{root: root, owner: j.files.owner}
	entries, blobs, err := j.readCommit(ctx, c)
	if err != nil {
		return err
	}
	if entries, err = base.unpack(entries, blobs); err != nil {
		return err
	}
	for _, g := range graders {
		if err := base.write(g.path, g.data, g.perm); err != nil {
			return err
		}
		entry, _, err := base.hashFile(ctx, g.path, frozenMax, io.Discard)
		if err != nil {
			return err
		}
		entries = slices.DeleteFunc(entries, func(e treeEntry) bool { return e.path == g.path })
		entries = append(entries, entry)
	}
	tree, err := treeHash(entries)
	if err != nil {
		return refuse("%s", err.Error())
	}
	copied, err := j.newCheckout(ctx, beforeDir, staged{tree: tree, entries: entries}, base)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.close(j)) }()
	return use(copied)
}

// readCommit asks git, in a box, what a commit has.
func (j *job) readCommit(ctx context.Context, c ledger.CommitInfo) (entries []treeEntry, blobs []byte, err error) {
	if c.Tree == "" || !j.inventory.Git {
		return nil, nil, refuse("the state before the work is in no commit")
	}
	err = j.withBox(ctx, forGit, j.boxSpec(false), func(box *sandbox.Box) error {
		list := j.script(listScript, c.Tree)
		list.Head, list.Tail = listingMax, 0
		listing, err := box.Run(ctx, list)
		if err != nil {
			return err
		}
		entries, err = parseListing(listing.Head)
		if err != nil || !listing.Success() {
			return refuse("git can't list commit %.10s any more", c.Hash)
		}
		if tree, err := treeHash(entries); err != nil || tree != c.Tree {
			return refuse("git does not have commit %.10s any more", c.Hash)
		}
		show := j.script(blobsScript, c.Tree)
		show.Head, show.Tail = listingMax, 0
		shown, err := box.Run(ctx, show)
		if err == nil && (!shown.Success() || shown.Elided > 0) {
			err = refuse("the files of commit %.10s can't be read, or are more than %d MB", c.Hash, listingMax>>20)
		}
		blobs = shown.Head
		return err
	})
	return entries, blobs, err
}

// unpack lays the files that `git cat-file --batch` printed into w, each only
// if its hash is the one of its entry.
func (w workspace) unpack(entries []treeEntry, blobs []byte) ([]treeEntry, error) {
	for _, e := range entries {
		line, rest, ok := bytes.Cut(blobs, []byte("\n"))
		var id string
		var size int
		if _, err := fmt.Sscanf(string(line), "%40s blob %d", &id, &size); err != nil || !ok || size < 0 || size >= len(rest) {
			return nil, refuse("git does not show %.200q", e.path)
		}
		data := rest[:size]
		blobs = rest[size+1:]
		if gitHash("blob", data) != e.hash {
			return nil, refuse("git shows other content of %.200q than it has", e.path)
		}
		if err := w.put(e, data); err != nil {
			return nil, refuse("%.200q: %v", e.path, err)
		}
	}
	return entries, nil
}

func (w workspace) put(e treeEntry, data []byte) error {
	switch e.mode {
	case modeLink:
		if err := w.makeParents(path.Dir(e.path)); err != nil {
			return err
		}
		return w.root.Symlink(string(data), e.path)
	case modeExec:
		return w.write(e.path, data, 0o755)
	default:
		return w.write(e.path, data, 0o644)
	}
}

// grader is a file by which a program is judged.
type grader struct {
	path string
	data []byte
	perm fs.FileMode
}

// graders are those that were frozen.
func (j *job) graders() (all []grader, err error) {
	names, err := j.frozen()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		g, err := j.grader(name)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// grader reads the kept copy of a frozen file.
func (j *job) grader(name string) (grader, error) {
	root, err := j.state.root.OpenRoot(frozenDir)
	if err != nil {
		return grader{}, err
	}
	defer root.Close()
	kept := workspace{root: root}
	data, err := kept.read(name, frozenMax)
	if err != nil {
		return grader{}, fmt.Errorf("read the frozen copy of %s: %w", name, err)
	}
	info, err := kept.lstat(name)
	if err != nil {
		return grader{}, err
	}
	return grader{path: name, data: data, perm: plainMode(info)}, nil
}

// needsWork takes a pass back if f's verify passes on the state before the
// work, too, where it once failed: then it depends on the time, say, and not on
// the program. Where that state is lost nothing can be compared.
func (j *job) needsWork(ctx context.Context, f feature.Feature, v verdict) (verdict, error) {
	before, begun := j.past.before[f.ID]
	if !begun {
		before = j.past.agreed
	}
	if before.Tree == "" || !j.inventory.Git {
		return v, nil
	}
	graders, err := j.graders()
	if err != nil {
		return v, err
	}
	without := verdict{}
	err = j.onCommit(ctx, before, graders, func(c *checkout) error {
		without, err = j.runVerify(ctx, c, f, whyWithout)
		return err
	})
	if _, refused := refusal(f, err); refused {
		return v, nil
	}
	if err == nil && without.passed {
		v.passed, v.how = false, "passed, but it passes without the work too"
		v.output = "On commit " + clip(before.Hash, 10) + ", where it failed before, it printed now:\n" + without.output
	}
	return v, err
}
