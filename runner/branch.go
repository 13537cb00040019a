package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// BranchCurrent as Options.Branch is the branch that the repository is on.
const BranchCurrent = "current"

// branchOf is the branch of a job unless somebody says otherwise.
func branchOf(id string) string { return "glovebox/" + id }

var branchForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$`)

// CheckBranch says whether name can be the branch of a job: a plain name of
// git's, "" or BranchCurrent.
func CheckBranch(name string) error {
	if name == "" || len(name) <= 200 && branchForm.MatchString(name) && !strings.Contains(name, "..") &&
		!strings.HasSuffix(name, ".") && !strings.Contains(name+"/", ".lock/") && name != "HEAD" {
		return nil
	}
	return &Error{Outcome: Usage, Reason: fmt.Sprintf("%.80q is no name for a branch", name), Hint: "for example --branch try-1, or --branch current for the one that is checked out"}
}

// repositoryLook is what a repository that was brought is like: its commit, its
// branch, and what is not committed.
type repositoryLook struct{ commit, branch, dirty string }

// dirtyShown bounds the names of files that are not committed, in bytes.
const dirtyShown = 2000

const lookScript = quietGit + `git rev-parse -q --verify 'HEAD^{commit}' || echo
git symbolic-ref -q --short HEAD || echo
git --no-optional-locks status --porcelain --untracked-files=normal --ignore-submodules=none 2>&1 | head -c "$1"`

// On a branch of its own the job begins where the repository is. The files stay
// as they are. One that was made before a crash is taken up again.
const branchScript = quietGit + `set -e
ref=refs/heads/$1
git rev-parse -q --verify "$ref^{commit}" >/dev/null || git update-ref "$ref" "$2"
git symbolic-ref HEAD "$ref"`

// The branch is made again if it is gone: whoever is told to switch to it must be able to.
const onBranchScript = quietGit + `ref=refs/heads/$1
if [ -n "$2" ] && ! git rev-parse -q --verify "$ref" >/dev/null && git cat-file -e "$2^{commit}" 2>/dev/null; then git update-ref "$ref" "$2"; fi
git rev-parse -q --verify 'HEAD^{commit}' >/dev/null || exit 0
git symbolic-ref -q --short HEAD || echo "a detached HEAD"`

// settleBranch makes sure that the job's commits go where they are wanted: in a
// repository that was there before the job, on a branch of its own, beginning
// with a state that git has. A repository that the job made has one branch.
func (j *job) settleBranch(ctx context.Context) error {
	switch {
	case !j.inventory.Git || !j.state.job.Brought && j.o.Branch == "":
		return nil
	case j.past.branch != nil && j.past.sessions > 0:
		return j.goOnBranch(ctx)
	case j.past.sessions > 0:
		return nil
	case j.past.branch != nil:
		j.guards = true
		return j.makeBranch(ctx, *j.past.branch)
	}
	look, err := j.lookAtRepository(ctx)
	if err != nil {
		return err
	}
	if look.dirty != "" && !j.o.AllowDirty {
		return &Error{Outcome: Usage, Reason: "the project has work that is not committed: " + look.dirty,
			Hint: "commit it or put it aside with git stash -u; --allow-dirty makes it part of the job's first commit"}
	}
	if err := j.refuseOtherContent(ctx); err != nil {
		return err
	}
	if look.commit == "" && (j.o.Branch == "" || j.o.Branch == BranchCurrent) {
		return nil
	}
	branch := ledger.BranchInfo{Name: j.o.Branch, From: look.branch, Base: look.commit}
	switch j.o.Branch {
	case "":
		branch.Name = branchOf(j.state.job.ID)
	case BranchCurrent:
		branch.Name = look.branch
	}
	if err := j.refuseOtherBranch(ctx, branch); err != nil {
		return err
	}
	if err := j.keepOriginal(ctx); err != nil {
		return err
	}
	if err := j.record(ledger.Event{Kind: ledger.Branched, Branch: &branch}); err != nil {
		return err
	}
	return j.makeBranch(ctx, branch)
}

// goOnBranch takes up the branch of a process before. What a person did since
// that one ended by itself is theirs; after any other end it is a session's.
func (j *job) goOnBranch(ctx context.Context) error {
	j.guards = !j.past.ended
	if err := j.mendRepository(ctx); err != nil {
		return err
	}
	if err := j.checkBranch(ctx); err != nil || j.guards {
		return err
	}
	return j.keepOriginal(ctx)
}

// refuseOtherBranch refuses a branch that is there already and is not the one
// that is checked out: its files are others.
func (j *job) refuseOtherBranch(ctx context.Context, b ledger.BranchInfo) error {
	if b.Name == b.From || b.Base == "" {
		return nil
	}
	out, err := j.gitOutput(ctx, `git rev-parse -q --verify "refs/heads/$1" || :`, b.Name)
	if err != nil || out == "" {
		return err
	}
	return &Error{Outcome: Usage, Reason: "there is a branch " + b.Name + " already, and it is not checked out", Hint: "git switch " + b.Name + ", or give another --branch"}
}

func (j *job) lookAtRepository(ctx context.Context) (repositoryLook, error) {
	if _, err := j.files.lstat(".git"); errors.Is(err, fs.ErrNotExist) {
		return repositoryLook{}, nil
	}
	out, err := j.gitOutput(ctx, lookScript, fmt.Sprint(dirtyShown))
	lines := strings.SplitN(out, "\n", 3)
	if err != nil || len(lines) < 3 {
		return repositoryLook{}, err
	}
	if lines[0] != "" && !objectID.MatchString(lines[0]) {
		return repositoryLook{}, &Error{Outcome: Usage, Reason: "this repository's commits have names that are no SHA-1", Hint: "make one with git init --object-format=sha1"}
	}
	var dirty []string
	for line := range strings.SplitSeq(strings.TrimSpace(lines[2]), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			dirty = append(dirty, line)
		}
	}
	const shown = 5
	if more := len(dirty) - shown; more > 0 {
		dirty = append(dirty[:shown], fmt.Sprintf("and %d more", more))
	}
	return repositoryLook{commit: lines[0], branch: lines[1], dirty: j.clip(strings.Join(dirty, ", "), errorKept)}, nil
}

// makeBranch puts HEAD on the job's branch.
func (j *job) makeBranch(ctx context.Context, b ledger.BranchInfo) error {
	if b.Name == "" || b.Base == "" { // a HEAD that is detached, or git's first commit makes it
		return nil
	}
	_, err := j.gitOutput(ctx, branchScript, b.Name, b.Base)
	return err
}

// checkBranch refuses to go on where somebody has checked out another branch:
// its files are not those that the job has built.
func (j *job) checkBranch(ctx context.Context) error {
	want, tip := j.branchAndTip()
	on, err := j.gitOutput(ctx, onBranchScript, want, tip)
	if on = strings.TrimSpace(on); err != nil || want == "" || on == "" || on == want {
		return err
	}
	return &Error{Outcome: Usage, Reason: fmt.Sprintf("the job works on the branch %s, and %.100s is checked out", want, on), Hint: "git switch " + want + "; the same command goes on"}
}

// gitOutput runs a script of git's in a box and returns what it printed.
func (j *job) gitOutput(ctx context.Context, script string, args ...string) (out string, err error) {
	err = j.withBox(ctx, forGit, j.boxSpec(false), func(box *sandbox.Box) error {
		command := j.script(script, args...)
		command.Head, command.Tail = refsMax, 0
		result, err := box.Run(ctx, command)
		if err != nil {
			return boxError(ctx, err)
		}
		out = string(result.Head)
		if !result.Success() || result.Elided > 0 {
			return &Error{Outcome: FailedRun, Reason: "git can't work on the project: " + j.clip(firstLine(result.Output()), errorKept),
				Hint: "does git status work there? `glovebox log` shows what was tried"}
		}
		return nil
	})
	return out, err
}

// branchAndTip are what staging needs to put HEAD back: the job's branch, and
// the last commit on it. Both are "" where there is no branch to keep.
func (j *job) branchAndTip() (branch, tip string) {
	if j.past.branch == nil || j.past.branch.Name == "" {
		return "", ""
	}
	if j.past.commit != "" {
		return j.past.branch.Name, j.past.commit
	}
	return j.past.branch.Name, j.past.branch.Base
}
