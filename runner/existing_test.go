package runner

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// existing is a world whose project is a small repository with a history: two
// branches, tags, a stash, a .gitignore of its own, ignored files and modes.
func existing(t *testing.T, a actor) *world {
	t.Helper()
	w := newWorld(t, a)
	w.git("init", "-q", "-b", "main", ".")
	w.git("config", "user.name", "Jane Doe")
	w.git("config", "user.email", "jane@example.org")
	w.plant("README.md", "Mine.\n")
	w.plant("run.sh", "#!/bin/sh\necho mine\n")
	w.plant(".gitignore", "*.secret\nbuild/\n")
	if err := os.Chmod(w.path("run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.git("add", "-A")
	w.git("commit", "-qm", "first")
	w.git("tag", "-a", "v1", "-m", "one")
	w.git("switch", "-qc", "other")
	w.plant("other.txt", "on another branch\n")
	w.git("add", "-A")
	w.git("commit", "-qm", "on another branch")
	w.git("switch", "-q", "main")
	w.plant("README.md", "Mine, and more.\n")
	w.git("commit", "-qam", "second")
	w.plant("README.md", "put aside\n")
	w.git("stash", "-q")
	w.plant("my.secret", "untracked and ignored\n")
	w.plant("build/out.bin", "built\n")
	return w
}

// refs are all refs but those of jobs.
func (w *world) refs() string {
	var mine []string
	for line := range strings.SplitSeq(w.git("for-each-ref", "--format=%(objectname) %(refname)"), "\n") {
		if !strings.Contains(line, "glovebox/") {
			mine = append(mine, line)
		}
	}
	return strings.Join(mine, "\n")
}

// A repository that is brought is taken further without loss: on a branch of
// the job's own, beginning where it was; everything that was there is there.
func TestExistingProjectLosesNothing(t *testing.T) {
	t.Parallel()
	w := existing(t, func(r model.Request) model.Reply {
		reply := greeter(r)
		if isPlan(r) {
			reply.Calls = slices.DeleteFunc(reply.Calls, func(c model.Call) bool { return strings.Contains(c.Arguments, "README.md") })
		}
		return reply
	})
	refs, base, ignore := w.refs(), w.git("rev-parse", "HEAD"), w.content(".gitignore")
	status := w.done()

	branch := "glovebox/" + status.ID
	if got := w.git("symbolic-ref", "--short", "HEAD"); got != branch || status.Branch != branch || status.From != "main" {
		t.Errorf("works on %s, status says %s from %s", got, status.Branch, status.From)
	}
	if got := w.refs(); got != refs {
		t.Errorf("refs were\n%s\nand are\n%s", refs, got)
	}
	if got := w.git("merge-base", "main", branch); got != base {
		t.Errorf("the branch begins at %s, want %s", got, base)
	}
	if got := w.git("rev-list", "--count", "main..HEAD"); got != "5" {
		t.Errorf("%s commits on the branch", got)
	}
	if got := w.content(".gitignore"); got != ignore {
		t.Errorf(".gitignore is %q", got)
	}
	if w.content("my.secret") != "untracked and ignored\n" || w.content("build/out.bin") != "built\n" || w.content("README.md") != "Mine, and more.\n" {
		t.Error("a file is lost")
	}
	if info, err := os.Stat(w.path("run.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("run.sh: %v, %v", info.Mode(), err)
	}
	if got := w.git("status", "--porcelain"); got != "" {
		t.Errorf("left uncommitted: %s", got)
	}
	if got := w.git("fsck", "--strict"); strings.Contains(got, "missing") || strings.Contains(got, "broken") {
		t.Errorf("git fsck: %s", got)
	}
	if got := w.git("config", "user.name"); got != "Jane Doe" {
		t.Errorf("user.name is %q", got)
	}
	steps, err := w.diff(false)
	if err != nil || steps[0].From != base || slices.ContainsFunc(steps[0].Files, func(f FileChange) bool { return f.Path == "run.sh" }) {
		t.Errorf("the diff begins elsewhere: %+v, %v", steps, err)
	}
	w.git("switch", "-q", "main")
	w.git("merge", "-q", "--ff-only", branch)
}

// Whatever a session does to the repository, what was brought is there at the end.
func TestExistingHistorySurvivesASession(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]string{
		"deletes .git":   `rm -rf .git`,
		"moves branches": `git branch -D other; git tag -d v1; git branch -f main HEAD; git stash drop; git reflog expire --expire=now --all; git gc -q --prune=now`,
		"commits elsewhere": `git checkout -q -b mine; git commit -q --allow-empty -m mine; git branch -f main HEAD; git reset -q --hard HEAD~2;
			git branch -D $(git branch --format='%(refname:short)' | grep glovebox/)`,
		"spoils an object":  `f=.git/objects/$(git rev-parse main~1 | sed 's:..:&/:'); n=$(stat -c %s $f); chmod u+w $f; head -c $n /dev/zero > $f`,
		"hides the history": `git replace --graft HEAD; git commit-graph write --reachable; git rev-parse HEAD > .git/shallow`,
		"begins anew":       `rm -rf .git; git init -q .; git add -A; git commit -qm anew`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := existing(t, func(r model.Request) model.Reply {
				reply := greeter(r)
				if isFor(r, "hello") {
					reply.Calls = slices.Insert(reply.Calls, 0, bash(attack))
				}
				return reply
			})
			refs := w.refs()
			status := w.done()
			got := strings.Split(w.refs(), "\n")
			for want := range strings.SplitSeq(refs, "\n") {
				if !slices.Contains(got, want) {
					t.Errorf("the ref %s is lost; there are %s\n%s", want, got, w.history())
				}
			}
			if out := w.git("fsck", "--strict"); strings.Contains(out, "missing") || strings.Contains(out, "broken") {
				t.Errorf("git fsck: %s", out)
			}
			if log := w.git("log", "--format=%s", "glovebox/"+status.ID); !strings.Contains(log, "second\nfirst") || !strings.Contains(log, "Plan 2 features") {
				t.Errorf("the branch's history is\n%s", log)
			}
			if got := w.git("rev-list", "--count", "main"); got != "2" {
				t.Errorf("main shows %s commits", got)
			}
			for _, lie := range []string{".git/shallow", ".git/objects/info/commit-graph"} {
				if _, err := os.Lstat(w.path(lie)); err == nil || w.git("for-each-ref", "refs/replace") != "" {
					t.Errorf("%s or a replacement is left", lie)
				}
			}
			if name == "moves branches" && w.git("log", "-1", "--format=%s", "refs/glovebox/"+status.ID+"/heads/main") != "Plan 2 features" {
				t.Error("what main was meanwhile is not kept")
			}
			if !slices.ContainsFunc(w.events, func(e ledger.Event) bool { return e.Kind == ledger.Note && strings.Contains(e.Text, "put back") }) {
				t.Error("it is not said that something was put back")
			}
		})
	}
}

// Work that is not committed would get into the job's commits: it is refused,
// and nothing is changed, unless somebody says so.
func TestExistingUncommittedWork(t *testing.T) {
	t.Parallel()
	w := existing(t, greeter)
	w.plant("README.md", "not committed\n")
	w.plant("new.txt", "not committed\n")
	refs := w.refs()
	e := w.ends(Usage)
	if !strings.Contains(e.Reason, "README.md") || !strings.Contains(e.Reason, "new.txt") || !strings.Contains(e.Hint, "--allow-dirty") {
		t.Errorf("error = %v, hint %s", e, e.Hint)
	}
	if got := w.git("symbolic-ref", "--short", "HEAD"); got != "main" || w.refs() != refs || w.content("README.md") != "not committed\n" || w.count(ledger.SessionStart) != 0 {
		t.Errorf("it was begun, on %s", got)
	}
	w.o.AllowDirty = true
	w.done()
	if got := w.git("show", "--format=", "--name-only", "HEAD~4"); !strings.Contains(got, "new.txt") {
		t.Errorf("the first commit has\n%s", got)
	}
}

func TestExistingBranches(t *testing.T) {
	t.Parallel()
	w := existing(t, greeter)
	w.o.Branch = "other"
	if e := w.ends(Usage); !strings.Contains(e.Reason, "other") || !strings.Contains(e.Hint, "git switch other") {
		t.Errorf("a branch that is there: %v", e)
	}
	w.o.Branch, w.o.MaxSessions = "try/1", 1
	w.ends(Incomplete)
	if got := w.git("symbolic-ref", "--short", "HEAD"); got != "try/1" {
		t.Errorf("works on %s", got)
	}
	w.git("switch", "-q", "main")
	if e := w.ends(Usage); !strings.Contains(e.Reason, "try/1") || !strings.Contains(e.Hint, "git switch try/1") {
		t.Errorf("another branch is checked out: %v", e)
	}
	// What a person does between two runs is theirs.
	w.git("commit", "-q", "--allow-empty", "-m", "third")
	third := w.git("rev-parse", "main")
	w.git("switch", "-q", "try/1")
	w.o.MaxSessions = 0
	w.done()
	if w.git("rev-parse", "main") != third {
		t.Error("main was moved back")
	}

	stays := existing(t, greeter)
	stays.o.Branch = BranchCurrent
	stays.done()
	if got := stays.git("symbolic-ref", "--short", "HEAD"); got != "main" || stays.git("rev-list", "--count", "main") != "7" {
		t.Errorf("works on %s", got)
	}
	for _, bad := range []string{"-x", "a..b", "a b", "/a", "a/", "a.lock", "a.lock/b", "HEAD", "a/.b", "ü"} {
		if CheckBranch(bad) == nil {
			t.Errorf("%q is taken for a branch", bad)
		}
	}
}

// Stopped where the branch is made, or later, the same command goes on with the
// same branch, and nothing that was brought is lost on the way.
func TestExistingGoesOn(t *testing.T) {
	t.Parallel()
	for _, stop := range []ledger.Kind{ledger.Branched, ledger.CommitEnd, ledger.Passed} {
		w := existing(t, greeter)
		refs := w.refs()
		ctx, cancel := context.WithCancel(context.Background())
		w.on = func(e ledger.Event) {
			if e.Kind == stop {
				cancel()
			}
		}
		_, err := Run(ctx, w.o)
		cancel()
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Outcome != Interrupted) {
			t.Fatalf("stopped at %s: %v", stop, err)
		}
		if err != nil && w.refs() != refs {
			t.Errorf("stopped at %s: refs are\n%s", stop, w.refs())
		}
		status := w.done()
		if w.count(ledger.Branched) != 1 || w.refs() != refs {
			t.Errorf("stopped at %s: %d branches, refs\n%s", stop, w.count(ledger.Branched), w.refs())
		}
		if log := w.git("log", "--format=%s", "glovebox/"+status.ID); strings.Count(log, "Plan 2 features") != 1 || !strings.HasSuffix(log, "second\nfirst") {
			t.Errorf("stopped at %s: history is\n%s", stop, log)
		}
	}
}
