package runner

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// A session may have spoiled .git so that git does not even start, and a process
// that was killed has put nothing back.
const worksScript = quietGit + `[ -d .git ] && [ ! -L .git ] && {
  git --git-dir=.git rev-parse --git-dir && git for-each-ref && git ls-files &&
  { git symbolic-ref -q HEAD || git rev-parse -q --verify 'HEAD^{commit}'; }
} > /dev/null 2>&1 && echo works || echo broken`

const newIndexScript = quietGit + `set -e
rm -rf .git/*.lock
git ls-files > /dev/null 2>&1 || rm -rf .git/index
[ -e .git/index ] || ! git rev-parse -q --verify 'HEAD^{commit}' || git read-tree HEAD
git update-index -q --refresh || :`

// mendRepository makes .git work again where a process before has left it
// spoiled, before anything is concluded from it.
func (j *job) mendRepository(ctx context.Context) error {
	if !j.past.ended { // settings are a session's, and decide what git makes of the rest
		if err := j.restoreObjects(ctx, true); err != nil {
			return err
		}
	}
	if works, err := j.gitWorks(ctx); err != nil || works {
		return err
	}
	return j.rebuild(ctx)
}

func (j *job) gitWorks(ctx context.Context) (bool, error) {
	out, err := j.gitOutput(ctx, worksScript)
	return strings.TrimSpace(out) == "works", err
}

// rebuild makes .git anew of the copy, the refs that were noted and the
// ledger. Objects and settings that are good stay.
func (j *job) rebuild(ctx context.Context) error {
	refs, err := j.notedRefs()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was brought
	}
	if err != nil {
		return err
	}
	if err := j.files.makeParents(".git"); err != nil {
		return err
	}
	for _, name := range []string{"HEAD", "packed-refs", "refs"} {
		if err := j.files.remove(".git/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := errors.Join(j.restoreObjects(ctx, true), j.dropLies(), j.restoreSymbolic(ctx)); err != nil {
		return err
	}
	if err := j.writeRefs(refs); err != nil {
		return err
	}
	if _, err := j.gitOutput(ctx, newIndexScript); err != nil {
		return err
	}
	return j.note("git could not work in .git; it is rebuilt of what was kept, with the branches and tags that were brought and the job's own")
}

// notedRefs are the refs that were noted with the copy.
func (j *job) notedRefs() (map[string]string, error) {
	data, err := atomicfile.Read(j.state.root, refsFile, 2*refsMax)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	return refs, json.Unmarshal(data, &refs)
}

// writeRefs writes the refs, the job's branch where its last commit is, and HEAD.
func (j *job) writeRefs(refs map[string]string) error {
	branch, tip := j.branchAndTip()
	head := "ref: refs/heads/" + branch
	switch {
	case branch == "":
		head = j.past.made.Hash
		if head == "" {
			head = j.past.branch.Base
		}
	case tip != "":
		refs["refs/heads/"+branch] = tip
	}
	var packed strings.Builder
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		packed.WriteString(refs[ref] + " " + ref + "\n")
	}
	return errors.Join(j.files.makeParents(".git/refs"),
		j.files.write(".git/packed-refs", []byte(packed.String()), 0o644),
		j.files.write(".git/HEAD", []byte(head+"\n"), 0o644))
}

// symbolicMax bounds a ref that names another one, in bytes.
const symbolicMax = 4096

// restoreSymbolic puts back the refs that only name another one.
func (j *job) restoreSymbolic(ctx context.Context) error {
	kept, err := j.state.root.OpenRoot(originalDir)
	if err != nil {
		return err
	}
	defer kept.Close()
	refs, err := sandbox.Descend(kept, "refs")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer refs.Close()
	return walk(ctx, refs, nil, func(f found) error {
		if !f.info.Mode().IsRegular() || f.info.Size() > symbolicMax {
			return nil
		}
		data, err := atomicfile.Read(f.dir, f.name, symbolicMax)
		if err != nil || !strings.HasPrefix(string(data), "ref: ") {
			return err
		}
		return j.files.write(path.Join(".git/refs", f.path), data, 0o644)
	})
}

// unrestored adds to how the work ended that what was brought could not be put
// back: nobody may take an interrupted job for a whole repository.
func (j *job) unrestored(err error) error {
	var e *Error
	if j.loss == nil || errors.Is(err, j.loss) || !errors.As(err, &e) {
		return err
	}
	return &Error{Outcome: e.Outcome, Reason: e.Error() + "; and " + j.loss.Error(), Hint: j.loss.Hint}
}
