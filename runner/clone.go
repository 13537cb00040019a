package runner

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/sandbox"
)

// cloneDir holds the clone that the last proof is made from, in the state;
// cloneTree is its name in there.
const (
	cloneDir  = "clone"
	cloneTree = "tree"
)

// commitMax bounds a commit's own text in bytes; those of the host are short.
const commitMax = 1 << 20

// A box sees the project as its workspace and the place of the clone as $HOME.
const cloneScript = quietGit + `set -e
printf '[safe]\n\tdirectory = *\n' > "$HOME/.gitconfig" # what the clone asks does not see the environment's
git clone -q --no-local --depth 1 "file://$PWD" "$HOME/$1"
git -C "$HOME/$1" rev-parse HEAD`

const commitTextScript = quietGit + `git -C "$HOME/$1" cat-file commit HEAD`

const cloneListScript = quietGit + `git -C "$HOME/$1" ls-tree -r -z --full-tree HEAD`

// ground is what a proof of everything is made on: the files of a tree.
type ground struct {
	s      staged
	from   workspace // where they lie
	commit string    // "" without git
	clone  bool      // from is a fresh clone of the commit
	why    string    // it is none
	dirty  bool      // the workspace has other files than the commit
}

// onClone gives use a fresh clone of the project's HEAD, made in a box. What
// git says of it is believed as far as the host can hash it: the commit's text,
// the tree's listing, and the files. Where no clone can be made, why says so
// and use is not called.
func (j *job) onClone(ctx context.Context, use func(ground) error) (why string, err error) {
	if !j.inventory.Git {
		return "the image has no git", nil
	}
	if err := j.checkRepository(ctx); err != nil {
		return "", err
	}
	place, err := j.makeClonePlace(ctx)
	defer func() { err = errors.Join(err, place.close(j)) }()
	if err != nil {
		return "", err
	}
	var g ground
	err = j.withBox(ctx, forGit, place.spec, func(box *sandbox.Box) error {
		g, why, err = j.cloneIn(ctx, box)
		return err
	})
	if err != nil || why != "" {
		return why, err
	}
	if err := place.fetch(ctx, j); err != nil {
		return "", err
	}
	root, err := sandbox.Descend(place.root, cloneTree)
	if err != nil {
		return "", refuse("git's clone is not there: %v", err)
	}
	defer root.Close()
	g.from = workspace{root: root, owner: j.files.owner}
	if j.looks { // a job has just committed everything
		_, g.dirty = refusal(feature.Feature{}, j.files.compare(ctx, g.s.entries))
	}
	return "", use(g)
}

// cloneIn makes the clone and reads what it is of.
func (j *job) cloneIn(ctx context.Context, box *sandbox.Box) (g ground, why string, err error) {
	made, err := box.Run(ctx, j.script(cloneScript, cloneTree))
	if err == nil {
		err = refuseFull(made)
	}
	if err != nil {
		return g, "", err
	}
	g.commit = lastLine(made.Output())
	if !made.Success() || !objectID.MatchString(g.commit) {
		return g, "git can't clone it: " + j.clip(lastLine(made.Output()), 200), nil
	}
	text := j.script(commitTextScript, cloneTree)
	text.Head, text.Tail = commitMax, 0
	said, err := box.Run(ctx, text)
	if err != nil {
		return g, "", err
	}
	if g.s.tree, err = treeOf(g.commit, said.Head); err != nil {
		return g, "", err
	}
	list := j.script(cloneListScript, cloneTree)
	list.Head, list.Tail = listingMax, 0
	listed, err := box.Run(ctx, list)
	if err != nil {
		return g, "", err
	}
	if !listed.Success() || listed.Elided > 0 {
		return g, "", refuse("git can't list the files, or there are too many (more than %d MB of names)", listingMax>>20)
	}
	if g.s.entries, err = parseListing(listed.Head); err != nil {
		return g, "", refuse("%s", err.Error())
	}
	if tree, err := treeHash(g.s.entries); err != nil || tree != g.s.tree {
		return g, "", refuse("git lists other files than the commit's tree has")
	}
	g.clone = true
	return g, "", nil
}

// treeOf is the tree of a commit, read from its text, whose hash must be the
// commit's.
func treeOf(commit string, text []byte) (string, error) {
	hash := gitHash("commit", text)
	line, _, _ := bytes.Cut(text, []byte("\n"))
	tree, ok := bytes.CutPrefix(line, []byte("tree "))
	if hex.EncodeToString(hash[:]) != commit || !ok || !objectID.Match(tree) {
		return "", refuse("git gives another commit than %.10s", commit)
	}
	return string(tree), nil
}

// clonePlace is the directory for a clone, or the volume that boxes have for it.
type clonePlace struct {
	root  *os.Root
	meter *sandbox.DirMeter
	copy  *copied // nil where boxes see the directory
	spec  sandbox.Spec
}

// makeClonePlace makes it. What it returns is to be closed even with an error.
func (j *job) makeClonePlace(ctx context.Context) (p *clonePlace, err error) {
	p = &clonePlace{spec: j.boxSpec(false)}
	if err := j.removeCopy(cloneDir); err != nil { // a crash left it
		return p, err
	}
	if err := j.state.root.Mkdir(cloneDir, 0o755); err != nil {
		return p, err
	}
	if p.root, err = j.state.root.OpenRoot(cloneDir); err != nil {
		return p, err
	}
	if err := (workspace{owner: j.files.owner}).chown(p.root, "."); err != nil {
		return p, err
	}
	dir := filepath.Join(j.o.Dir, stateDir, cloneDir)
	if p.meter, err = sandbox.NewDirMeter(dir, nil, ""); err != nil {
		return p, err
	}
	if j.volumes == nil {
		p.spec.Home, p.spec.Disk = dir, sandbox.NewDisk(j.o.Limits, p.meter)
		return p, nil
	}
	p.copy, err = j.volumes.add(ctx, sandbox.VolumeProof, &sandbox.Mirror{
		Root: p.root, Staging: ".glovebox-" + rand.Text(), Owner: j.files.owner, MaxEntries: treeEntries})
	if err == nil {
		p.spec.HomeVolume, p.spec.Disk = p.copy.volume, sandbox.NewDisk(j.o.Limits, nil)
	}
	return p, err
}

// fetch brings the clone here, where boxes have it elsewhere.
func (p *clonePlace) fetch(ctx context.Context, j *job) error {
	if p.copy == nil {
		return nil
	}
	if _, err := j.pull(ctx, p.copy); err != nil {
		return fmt.Errorf("fetch the clone: %w", err)
	}
	return nil
}

func (p *clonePlace) close(j *job) error {
	var err error
	if p.copy != nil {
		err = j.volumes.drop(p.copy.volume)
	}
	if p.meter != nil {
		p.meter.Close()
	}
	if p.root != nil {
		p.root.Close()
	}
	return errors.Join(err, j.removeCopy(cloneDir))
}
