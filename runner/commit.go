package runner

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"sort"
	"strings"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// staged is a tree that git would commit and that the host has hashed itself.
type staged struct {
	tree    string
	entries []treeEntry
}

// refusedTree says why the tree as it is can't be proven or committed. It is
// the workspace's fault, so it goes back to the model; it is no error of ours.
type refusedTree struct{ reason string }

func (e *refusedTree) Error() string { return e.reason }

// A box that was killed leaves git's lock behind; no other git runs now.
const stageScript = `set -e
[ -d .git ] || git init -q .
rm -f .git/index.lock
git add -A .
git write-tree`

const listScript = `git ls-tree -r -z --full-tree "$1" 2>/dev/null`

// commit-tree and update-ref run no hooks, and an unchanged tree makes no
// second commit: after a crash the same commit is found again.
const commitScript = `set -e
tree=$1
if parent=$(git rev-parse -q --verify 'HEAD^{commit}'); then
  if [ "$(git rev-parse 'HEAD^{tree}')" != "$tree" ]; then
    git update-ref HEAD "$(printf '%s\n' "$2" | git commit-tree "$tree" -p "$parent")"
  fi
else
  git update-ref HEAD "$(printf '%s\n' "$2" | git commit-tree "$tree")"
fi
git rev-parse HEAD 'HEAD^{tree}'`

var objectID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// stage lets git (in a box) take up everything that is not ignored, and checks
// that the tree it would commit is the one the host sees on its own disk.
func (j *job) stage(ctx context.Context) (staged, error) {
	if !j.inventory.Git {
		return j.stageWithoutGit()
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
	seen, err := j.files.hashFiles(s.entries)
	if err != nil {
		return staged{}, &refusedTree{"the files can't be read: " + err.Error()}
	}
	if seen != s.tree {
		return staged{}, &refusedTree{"git would commit other content than the files have: look at .gitattributes and the filters, line ending and file mode settings in .git/config"}
	}
	return s, nil
}

func (j *job) listTree(ctx context.Context, box *sandbox.Box) (staged, error) {
	result, err := box.Run(ctx, j.script(stageScript))
	if err != nil {
		return staged{}, err
	}
	tree := lastLine(string(result.Tail))
	if len(result.Tail) == 0 {
		tree = lastLine(string(result.Head))
	}
	if !result.Success() || !objectID.MatchString(tree) {
		return staged{}, &refusedTree{"git can't take up the files: " + clipEnds(result.Output(), verifyHead)}
	}
	list := j.script(listScript, tree)
	list.Head, list.Tail = listingMax, 0
	result, err = box.Run(ctx, list)
	if err != nil {
		return staged{}, err
	}
	if !result.Success() || result.Elided > 0 {
		return staged{}, &refusedTree{fmt.Sprintf("git can't list the files, or there are too many (more than %d MB of names): add what is generated to .gitignore", listingMax>>20)}
	}
	entries, err := parseListing(result.Head)
	if err != nil {
		return staged{}, &refusedTree{err.Error()}
	}
	return staged{tree: tree, entries: entries}, nil
}

// stageWithoutGit takes up every file there is, for an image that has no git.
func (j *job) stageWithoutGit() (staged, error) {
	var s staged
	err := walk(j.state.project, ".", 0, func(name string, info fs.FileInfo) error {
		if strings.HasPrefix(name, ".git/") || !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0 {
			return nil
		}
		s.entries = append(s.entries, treeEntry{path: name})
		return nil
	})
	if err != nil {
		return staged{}, err
	}
	sort.Slice(s.entries, func(a, b int) bool { return s.entries[a].path < s.entries[b].path })
	s.tree, err = j.files.hashFiles(s.entries)
	return s, err
}

// commit commits a staged tree, in a box, and checks that the commit has it.
// Without git in the image it does nothing and returns "".
func (j *job) commit(ctx context.Context, tree, message string) (string, error) {
	if !j.inventory.Git {
		return "", nil
	}
	info := &ledger.CommitInfo{Tree: tree, Message: message}
	if err := j.record(ledger.Event{Kind: ledger.CommitStart, Session: j.session, Commit: info}); err != nil {
		return "", err
	}
	var out string
	err := j.withBox(ctx, forGit, j.boxSpec(false), func(box *sandbox.Box) error {
		result, err := box.Run(ctx, j.script(commitScript, tree, message))
		if err == nil && !result.Success() {
			err = &refusedTree{"git can't commit: " + clipEnds(result.Output(), verifyHead)}
		}
		out = result.Output()
		return err
	})
	if err != nil {
		return "", err
	}
	hash, got, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if !objectID.MatchString(hash) || got != tree {
		return "", &refusedTree{"git committed another tree than the one that was verified"}
	}
	return hash, j.record(ledger.Event{Kind: ledger.CommitEnd, Session: j.session,
		Commit: &ledger.CommitInfo{Hash: hash, Tree: tree, Message: message}})
}

// recentCommits is the head of the log for the next session's prompt.
func (j *job) recentCommits(ctx context.Context, box *sandbox.Box) (string, error) {
	if !j.inventory.Git {
		return "", nil
	}
	result, err := box.Run(ctx, j.script(`git log --oneline --no-decorate -n "$1" 2>/dev/null || true`, fmt.Sprint(commitsShown)))
	return strings.TrimSpace(clip(result.Output(), 1000)), err
}
