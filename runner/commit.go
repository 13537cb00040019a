package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// staged is a tree that git would commit.
type staged struct {
	tree    string
	entries []treeEntry
	known   string // program, once it was asked for
}

// program identifies the files without those that the host itself keeps there:
// the list and the notes change whenever something passes, the program does not.
func (s *staged) program() string {
	if s.known != "" {
		return s.known
	}
	var own []treeEntry
	for _, e := range s.entries {
		if !slices.Contains([]string{publicList, notesName, specInWorkspace}, e.path) {
			own = append(own, e)
		}
	}
	s.known, _ = treeHash(own) // "" for a tree that can't be hashed, which nothing is proven on
	return s.known
}

// refusedTree says why the tree as it is can't be proven or committed. It is
// the workspace's fault, so it goes back to the model; it is no error of ours.
type refusedTree struct {
	reason string
	path   string // of the file that is to blame, if it is one
}

func (e *refusedTree) Error() string { return e.reason }

// git in a host's script does nothing by itself: no hook and no program that
// the project's own configuration names. (A filter still may; what it makes of
// a file is compared with the file.)
//
// Replaced objects are not looked at: a clone does not get them.
const quietGit = `export GIT_NO_REPLACE_OBJECTS=1
git() { command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 "$@"; }
`

func refuse(format string, args ...any) *refusedTree {
	return &refusedTree{reason: fmt.Sprintf(format, args...)}
}

// A box that was killed leaves git's locks behind, and half a repository if it
// was about to make one; no other git runs now. $1 is the job's branch, if it
// has one, and $2 the last commit on it: wherever a session has moved it or
// gone, it goes on from there. Files that are ignored and were not in $3 are a
// person's: git add -f takes them up, and they would be published. A session's own
// commits that have one are not gone on from.
const stageScript = quietGit + `set -e
rm -f .git/*.lock .git/refs/heads/*.lock .git/refs/heads/glovebox/*.lock
git --git-dir=.git rev-parse -q --git-dir > /dev/null 2>&1 || git init -q .
if [ -n "$1" ]; then
  ref=refs/heads/$1
  if [ -n "$2" ] && git cat-file -e "$2^{commit}" 2>/dev/null && ! git merge-base --is-ancestor "$2" "$ref" 2>/dev/null; then
    git update-ref "$ref" "$2"
  fi
  [ "$(git symbolic-ref -q HEAD)" = "$ref" ] || git symbolic-ref HEAD "$ref"
fi
git add -A .
if [ -n "$3" ]; then
  ignored() { git check-ignore --no-index -z --stdin; }
  added() { git diff-index --cached -z --no-renames --name-only --diff-filter=A "$1"; }
  added "$3" | ignored | tr '\0' '\n' | while IFS= read -r name; do printf '` + leftOut + `%s\n' "$name"; done
  added "$3" | ignored | git update-index -z --force-remove --stdin
  if [ -n "$2" ] && git rev-list "$2..HEAD" | git diff-tree --stdin -m -r -z --no-commit-id --name-only --diff-filter=A |
    ignored > /dev/null 2>&1; then git update-ref HEAD "$2"; fi
fi
git write-tree`

// leftOut begins the lines of stageScript that name ignored files.
const leftOut = "left out: "

// base is the commit that the job has begun at, in a repository that was
// brought; "" where there is no person whose ignored files could be meant.
func (j *job) base() string {
	switch {
	case !j.state.job.Brought:
		return ""
	case j.past.branch != nil && j.past.branch.Base != "":
		return j.past.branch.Base
	default:
		return emptyTree
	}
}

// noteLeftOut says once of each ignored file that it is not committed although
// a session wanted it.
func (j *job) noteLeftOut(output string) error {
	for line := range strings.Lines(output) {
		name, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), leftOut)
		if !is || slices.Contains(j.leftOut, name) || len(j.leftOut) >= leftOutMax {
			continue
		}
		j.leftOut = append(j.leftOut, name)
		if err := j.note(j.clip("git ignores "+name+" and a session added it all the same: it is not committed", errorKept)); err != nil {
			return err
		}
	}
	return nil
}

// leftOutMax bounds how many ignored files are named.
const leftOutMax = 20

const listScript = quietGit + `git ls-tree -r -z --full-tree "$1" 2>/dev/null`

// commit-tree and update-ref make no second commit of an unchanged tree: after
// a crash the same commit is found again. The last commit that is known, $3, is
// looked for in the history. A clone, which hashes every object anew, must give
// the same: an object under a wrong name is in nobody else's repository.
const commitScript = quietGit + `set -e
tree=$1
if parent=$(git rev-parse -q --verify 'HEAD^{commit}'); then
  if [ "$(git rev-parse 'HEAD^{tree}')" != "$tree" ]; then
    git update-ref HEAD "$(printf '%s\n' "$2" | git commit-tree "$tree" -p "$parent")"
  fi
else
  git update-ref HEAD "$(printf '%s\n' "$2" | git commit-tree "$tree")"
fi
made=$(git rev-parse HEAD 'HEAD^{tree}')
printf '[safe]\n\tdirectory = *\n' > "$HOME/.gitconfig" # what the clone asks does not see the environment's
git clone -q --no-local --no-checkout --depth 1 "file://$PWD" "$HOME/clone"
cloned=$(git -C "$HOME/clone" rev-parse HEAD 'HEAD^{tree}')
history=kept
[ -z "$3" ] || git merge-base --is-ancestor "$3" HEAD 2>/dev/null || history=lost
printf '\n%s\n' "$made
$cloned
$history" # last, behind whatever git warns of`

var objectID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// stage lets git (in a box) take up everything that is not ignored, and reads
// what it would commit. That the files really are so is seen where they are copied.
func (j *job) stage(ctx context.Context) (staged, error) {
	if !j.inventory.Git {
		return j.stageWithoutGit(ctx)
	}
	if err := j.checkRepository(ctx); err != nil {
		return staged{}, err
	}
	if err := j.restoreObjects(ctx, false); err != nil {
		return staged{}, err
	}
	var s staged
	err := j.withBox(ctx, forGit, j.boxSpec(false), func(box *sandbox.Box) error {
		var err error
		s, err = j.listTree(ctx, box)
		return err
	})
	if err != nil {
		return staged{}, err
	}
	tree, err := treeHash(s.entries)
	if err != nil {
		return staged{}, refuse("%s", err.Error())
	}
	if tree != s.tree {
		return staged{}, refuse("git lists other files than its tree has")
	}
	return s, j.checkRepository(ctx)
}

// checkRepository refuses a .git that is a repository only as long as
// something else is there: moved away, or borrowing objects from elsewhere.
func (j *job) checkRepository(ctx context.Context) error {
	info, err := j.files.lstat(".git")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return refuse(".git is not a directory: remove it, the host makes a new one")
	}
	for _, name := range []string{"commondir", "objects/info/alternates", "config.worktree"} {
		if _, err := j.files.lstat(".git/" + name); !errors.Is(err, fs.ErrNotExist) {
			return refuse("%s", ".git/"+name+" makes the repository depend on something outside of it: remove it")
		}
	}
	root, err := sandbox.Descend(j.state.project, ".git")
	if err != nil {
		return err
	}
	defer root.Close()
	// Hooks may be links: none is run.
	err = walk(ctx, root, func(path string) bool { return path == "hooks" }, func(f found) error {
		if !f.info.IsDir() && !f.info.Mode().IsRegular() {
			return refuse(".git/%.200q is a link or no plain file: remove it", f.path)
		}
		return nil
	})
	var deep *tooDeep
	if errors.As(err, &deep) {
		return refuse("%s", "in .git: "+deep.Error())
	}
	return err
}

func (j *job) listTree(ctx context.Context, box *sandbox.Box) (staged, error) {
	branch, tip := j.branchAndTip()
	result, err := box.Run(ctx, j.script(stageScript, branch, tip, j.base()))
	if err != nil {
		return staged{}, err
	}
	if err := refuseFull(result); err != nil {
		return staged{}, err
	}
	tree := lastLine(string(result.Tail))
	if len(result.Tail) == 0 {
		tree = lastLine(string(result.Head))
	}
	if !result.Success() || !objectID.MatchString(tree) {
		return staged{}, refuse("%s", "git can't take up the files: "+clipEnds(result.Output(), verifyHead))
	}
	if err := j.noteLeftOut(result.Output()); err != nil {
		return staged{}, err
	}
	return j.listStaged(ctx, box, tree)
}

// listStaged reads a tree that git would commit.
func (j *job) listStaged(ctx context.Context, box *sandbox.Box, tree string) (staged, error) {
	list := j.script(listScript, tree)
	list.Head, list.Tail = listingMax, 0
	result, err := box.Run(ctx, list)
	if err != nil {
		return staged{}, err
	}
	if err := refuseFull(result); err != nil {
		return staged{}, err
	}
	if !result.Success() || result.Elided > 0 {
		return staged{}, refuse("git can't list the files, or there are too many (more than %d MB of names): add what is generated to .gitignore", listingMax>>20)
	}
	entries, err := parseListing(result.Head)
	if err != nil {
		return staged{}, refuse("%s", err.Error())
	}
	return staged{tree: tree, entries: entries}, nil
}

// stageWithoutGit takes up every file there is, for an image that has no git.
func (j *job) stageWithoutGit(ctx context.Context) (staged, error) {
	var s staged
	left := int64(proofMax)
	err := walk(ctx, j.state.project, isOurs, func(f found) error {
		if !f.info.Mode().IsRegular() && f.info.Mode()&fs.ModeSymlink == 0 {
			return nil
		}
		e, size, err := j.files.hashFile(ctx, f.path, left, io.Discard)
		if err != nil && ctx.Err() == nil {
			return refuse("%.200q can't be read: %v", f.path, err)
		}
		left -= size
		s.entries = append(s.entries, e)
		return err
	})
	var deep *tooDeep
	if errors.As(err, &deep) {
		err = refuse("%s", deep.Error())
	}
	if err != nil {
		return staged{}, err
	}
	s.tree, err = treeHash(s.entries)
	return s, err
}

// isOurs says what is no part of the program: the state, and git's own.
func isOurs(path string) bool { return path == stateDir || path == ".git" }

// commit commits a staged tree, in a box, and checks that the commit has it
// and that the files still are so. Without git in the image it does nothing
// and returns "". The feature is the one whose work it is, "" for the host's own.
func (j *job) commit(ctx context.Context, s staged, feature, message string) (string, error) {
	if !j.inventory.Git {
		return "", j.files.compare(ctx, s.entries)
	}
	info := &ledger.CommitInfo{Tree: s.tree, Message: message}
	if err := j.record(ledger.Event{Kind: ledger.CommitStart, Session: j.session, Feature: feature, Commit: info}); err != nil {
		return "", err
	}
	var out string
	err := j.withBox(ctx, forGit, j.boxSpec(false), func(box *sandbox.Box) error {
		result, err := box.Run(ctx, j.script(commitScript, s.tree, message, j.past.commit))
		if err == nil {
			err = refuseFull(result)
		}
		if err == nil && !result.Success() {
			err = refuse("%s", "git can't commit: "+clipEnds(result.Output(), verifyHead))
		}
		out = result.Output()
		return err
	})
	if err != nil {
		return "", err
	}
	hash, lost, err := committed(out, s.tree)
	if err == nil {
		err = errors.Join(j.checkRepository(ctx), j.files.compare(ctx, s.entries))
	}
	if err == nil {
		err = j.keepFiles(ctx, true)
	}
	if err != nil {
		return "", err
	}
	if lost {
		if err := j.note(fmt.Sprintf("the history up to commit %.10s was removed; it begins anew", j.past.commit)); err != nil {
			return "", err
		}
	}
	return hash, j.record(ledger.Event{Kind: ledger.CommitEnd, Session: j.session, Feature: feature,
		Commit: &ledger.CommitInfo{Hash: hash, Tree: s.tree, Message: message}})
}

// committed reads what commitScript prints last: the commit and its tree here,
// the same from a clone, and what became of the history.
func committed(out, tree string) (hash string, lost bool, err error) {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if n := len(lines); n > 5 {
		lines = lines[n-5:]
	}
	if len(lines) < 5 || !objectID.MatchString(lines[0]) || lines[1] != tree || lines[2] != lines[0] || lines[3] != tree {
		return "", false, refuse("git committed another tree than the one that was verified")
	}
	return lines[0], lines[4] == "lost", nil
}

// recentCommits is the head of the log for the next session's prompt.
func (j *job) recentCommits(ctx context.Context, box *sandbox.Box) (string, error) {
	if !j.inventory.Git {
		return "", nil
	}
	result, err := box.Run(ctx, j.script(`git log --oneline --no-decorate -n "$1" 2>/dev/null || true`, fmt.Sprint(commitsShown)))
	return strings.TrimSpace(clip(result.Output(), 1000)), err
}
