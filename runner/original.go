package runner

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// A session can do to .git what it likes, and a history that was brought can be
// made anew by nobody. So before the first session the repository is copied to
// where no box reaches it, after each commit the copy gets the new objects, and
// what is missing is put back: objects before each commit, branches and tags at
// the end.
const (
	originalDir = "original"  // in the state: .git as it was
	refsFile    = "refs.json" // in the state: its refs
	refsMax     = 4 << 20     // bytes of all refs as git lists them
)

const refsScript = quietGit + `[ -d .git ] || exit 0
git for-each-ref --format='%(objectname) %(symref) %(refname)'`

// keepOriginal copies the repository and notes its refs, before any session or
// when the process before has ended well: a crash may have left a repository
// that a session has changed.
func (j *job) keepOriginal(ctx context.Context) error {
	refs, err := j.listRefs(ctx)
	if err != nil {
		return err
	}
	if err := j.state.root.Mkdir(originalDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := errors.Join(j.forgetFiles(), j.keepFiles(ctx, false)); err != nil {
		return err
	}
	data, err := json.Marshal(refs)
	if err != nil {
		return err
	}
	j.guards = true
	return atomicfile.Write(j.state.root, refsFile, data, 0o600)
}

// forgetFiles empties the copy but for its objects: what a person has removed
// since is not to come back.
func (j *job) forgetFiles() error {
	kept, err := j.state.root.OpenRoot(originalDir)
	if err != nil {
		return err
	}
	defer kept.Close()
	list, err := kept.Open(".")
	if err != nil {
		return err
	}
	defer list.Close()
	names, err := list.Readdirnames(-1)
	for _, name := range names {
		if name != "objects" {
			err = errors.Join(err, kept.RemoveAll(name))
		}
	}
	return err
}

// keepFiles adds to the copy what it lacks, or only the objects.
func (j *job) keepFiles(ctx context.Context, objects bool) error {
	kept, err := j.state.root.OpenRoot(originalDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was brought
	}
	if err != nil {
		return err
	}
	defer kept.Close()
	git, err := sandbox.Descend(j.state.project, ".git")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer git.Close()
	to := workspace{root: kept, owner: sandbox.User{UID: os.Geteuid(), GID: os.Getegid()}}
	err = walk(ctx, git, nil, func(f found) error {
		isObject := isObject(f.path)
		if !f.info.Mode().IsRegular() || objects && !isObject || isCache(f.path) {
			return nil
		}
		if _, err := to.lstat(f.path); err == nil && isObject {
			return nil // what is kept under this name is good; what is here may be spoiled
		}
		return to.copyFrom(f)
	})
	if err != nil {
		return fmt.Errorf("keep the repository aside: %w", err)
	}
	return nil
}

// listRefs are the repository's refs with their objects. Those that only name
// another one are left out.
func (j *job) listRefs(ctx context.Context) (map[string]string, error) {
	out, err := j.gitOutput(ctx, refsScript)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.SplitSeq(out, "\n") {
		parts := strings.Split(line, " ")
		if len(parts) == 3 && objectID.MatchString(parts[0]) && parts[1] == "" && strings.HasPrefix(parts[2], "refs/") {
			refs[parts[2]] = parts[0]
		}
	}
	return refs, nil
}

// restoreObjects puts back what a session has removed from the history: objects
// have the name of their content, so one more never does harm. Settings are a
// person's and decide what git takes up: they are what they were. all also puts
// back what is neither, if it is missing.
func (j *job) restoreObjects(ctx context.Context, all bool) error {
	kept, err := j.state.root.OpenRoot(originalDir)
	if errors.Is(err, fs.ErrNotExist) || j.past.branch == nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer kept.Close()
	restored := 0
	var settings []string
	err = walk(ctx, kept, nil, func(f found) error {
		isHistory := isObject(f.path) || f.path == "shallow"
		isSetting := isSetting(f.path)
		if !f.info.Mode().IsRegular() || !isHistory && !isSetting && (!all || isMoving(f.path)) {
			return nil
		}
		at := ".git/" + f.path
		if j.files.stillHas(at, f, isHistory || isSetting, all || isSetting) {
			return nil
		}
		f.path = at
		if isSetting {
			if _, err := j.setAside(at); err != nil {
				return err
			}
			settings = append(settings, at)
		} else {
			restored++
		}
		return j.files.copyFrom(f)
	})
	err = cmp.Or(err, j.dropNew(kept, "info/exclude", "info/attributes", "info/sparse-checkout"))
	if err == nil && len(settings) > 0 {
		err = j.note(j.clip("settings of the repository were changed or removed; they are put back (what they were is in "+stateDir+"/"+putBackDir+"): "+strings.Join(settings, ", "), errorKept))
	}
	if err != nil || restored == 0 {
		return err
	}
	return j.note(fmt.Sprintf("of the repository that was brought %d files were removed or changed; they are put back", restored))
}

// stillHas says whether the plain file at is there and, if it must be the same,
// the one that was kept: of its size, and if all of it is read, of its content.
func (w workspace) stillHas(at string, kept found, same, read bool) bool {
	info, err := w.lstat(at)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if !same {
		return true
	}
	return info.Size() == kept.info.Size() && plainMode(info) == plainMode(kept.info) && (!read || w.sameContent(at, kept))
}

func (w workspace) sameContent(at string, kept found) bool {
	a, err := w.open(at)
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := atomicfile.Open(kept.dir, kept.name, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer b.Close()
	hashes := [2]hash.Hash{sha256.New(), sha256.New()}
	for i, f := range []io.Reader{a, b} {
		if _, err := io.Copy(hashes[i], f); err != nil {
			return false
		}
	}
	return bytes.Equal(hashes[0].Sum(nil), hashes[1].Sum(nil))
}

// isObject says of a file in .git that its name says what it holds.
func isObject(at string) bool {
	return strings.HasPrefix(at, "objects/") && !strings.HasPrefix(at, "objects/info/") && !isCache(at)
}

// caches are what git makes of the history to read it faster, and believes.
func caches() []string {
	return []string{"objects/info/commit-graph", "objects/info/commit-graphs", "objects/pack/multi-pack-index"}
}

func isCache(at string) bool {
	return slices.ContainsFunc(caches(), func(c string) bool { return strings.HasPrefix(at, c) })
}

// dropLies removes what makes git show another history than there is: its
// caches, and a boundary or grafts that were not brought.
func (j *job) dropLies() error {
	kept, err := j.state.root.OpenRoot(originalDir)
	if err != nil {
		return err
	}
	defer kept.Close()
	return j.dropNew(kept, append(caches(), "shallow", "info/grafts", "commondir", "objects/info/alternates", "config.worktree")...)
}

// dropNew removes the files in .git that the copy does not have.
func (j *job) dropNew(kept *os.Root, names ...string) error {
	for _, name := range names {
		if _, err := kept.Lstat(name); err == nil {
			continue
		}
		if err := j.files.remove(".git/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// remove removes what lies at name, if it can be reached through no link.
func (w workspace) remove(name string) error {
	dir, leave, err := w.enter(path.Dir(name), false)
	if err != nil {
		return err
	}
	defer leave()
	if _, err := dir.Lstat(path.Base(name)); err != nil {
		return err
	}
	if w.wrote != nil {
		w.wrote()
	}
	return dir.RemoveAll(path.Base(name))
}

// isSetting says of a file in .git that a person has written it, and nobody else should.
func isSetting(at string) bool {
	return at == "config" || strings.HasPrefix(at, "info/") || strings.HasPrefix(at, "hooks/")
}

// isMoving says of a file in .git that it says where the repository stands now.
func isMoving(at string) bool {
	top, _, _ := strings.Cut(at, "/")
	switch top {
	case "refs", "packed-refs", "HEAD", "index", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "COMMIT_EDITMSG":
		return true
	default:
		return strings.HasSuffix(at, ".lock")
	}
}

// setRefsScript takes a prefix, and then pairs of a ref and its object; without
// one the ref is removed. What a
// ref was is kept under the prefix: a person may have moved it after a crash.
const setRefsScript = quietGit + `set -e
kept=$1; shift
while [ $# -gt 1 ]; do
  if now=$(git rev-parse -q --verify "$1"); then git update-ref "$kept/${1#refs/}" "$now"; fi
  if [ -n "$2" ]; then git update-ref "$1" "$2"; else git update-ref -d "$1"; fi
  shift 2
done`

// refsAtOnce bounds the arguments of a script.
const refsAtOnce = 200

// restoreOriginal makes every branch and tag that was brought what it was, but
// for the job's own branch.
func (j *job) restoreOriginal(ctx context.Context) error {
	want, err := j.notedRefs()
	if errors.Is(err, fs.ErrNotExist) || j.past.branch == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(j.restoreObjects(ctx, true), j.dropLies()); err != nil {
		return err
	}
	have, err := j.listRefs(ctx)
	if err != nil {
		return err
	}
	var moved []string
	for ref, object := range want {
		if have[ref] != object && ref != "refs/heads/"+j.past.branch.Name {
			moved = append(moved, ref, object)
		}
	}
	for ref := range have {
		if _, brought := want[ref]; !brought && strings.HasPrefix(ref, "refs/replace/") {
			moved = append(moved, ref, "") // git would show another object in its place
		}
	}
	for rest := moved; len(rest) > 0; {
		n := min(len(rest), 2*refsAtOnce)
		if _, err := j.gitOutput(ctx, setRefsScript, append([]string{"refs/" + branchOf(j.state.job.ID)}, rest[:n]...)...); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := j.restoreLogs(ctx); err != nil || len(moved) == 0 {
		return err
	}
	return j.note(fmt.Sprintf("branches or tags that were brought were moved or removed, %d in all; they are put back, and what they were is under refs/%s",
		len(moved)/2, branchOf(j.state.job.ID)))
}

// endOriginal is restoreOriginal at the end of a process's work, however it ends.
func (j *job) endOriginal(ctx context.Context) error {
	if !j.guards || j.past.branch == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	err := j.restoreOriginal(ctx)
	works, look := j.gitWorks(ctx)
	switch {
	case look != nil:
		err = cmp.Or(err, look)
	case err != nil || !works:
		err = cmp.Or(j.rebuild(ctx), j.restoreOriginal(ctx))
	}
	if err != nil {
		j.loss = &Error{Outcome: FailedRun, Reason: "can't put the branches and tags that were brought back", Err: err,
			Hint: "the same command tries again; " + stateDir + "/" + originalDir + " is your .git as it was (cp -a it to .git)"}
		return j.loss
	}
	return nil
}

// copyFrom copies an entry of a walk, a plain file, to its path below w, in
// the place of whatever is there.
func (w workspace) copyFrom(f found) error {
	if w.wrote != nil {
		w.wrote()
	}
	from, err := atomicfile.Open(f.dir, f.name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	dir, leave, err := w.enter(path.Dir(f.path), true)
	if err != nil {
		return err
	}
	defer leave()
	base, temporary := path.Base(f.path), ".new-"+rand.Text()
	to, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, f.info.Mode().Perm()|0o400)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	err = cmp.Or(err, to.Close(), w.chown(dir, temporary))
	if info, look := dir.Lstat(base); look == nil && info.IsDir() {
		err = cmp.Or(err, dir.RemoveAll(base))
	}
	if err = cmp.Or(err, dir.Rename(temporary, base)); err != nil {
		return errors.Join(err, dir.Remove(temporary))
	}
	return nil
}
