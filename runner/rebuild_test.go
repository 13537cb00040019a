package runner

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// spoiled are the ways of a session to leave a .git in which git can't work.
var spoiled = map[string]string{
	"no .git":           `rm -rf .git`,
	"HEAD is garbage":   `echo garbage > .git/HEAD`,
	"refs are garbage":  `git pack-refs --all; echo garbage > .git/packed-refs; git update-ref refs/heads/main HEAD 2>/dev/null; echo x > .git/refs/heads/other`,
	"a ref is garbage":  `git pack-refs --all; mkdir -p .git/refs/heads; echo x > .git/refs/heads/main`,
	"a link elsewhere":  `mv .git g && ln -s g .git`,
	"another format":    `git config core.repositoryformatversion 1; git config extensions.objectformat sha256; git config core.bare true`,
	"index is garbage":  `echo garbage > .git/index`,
	"on another branch": `b=$(git symbolic-ref HEAD); git symbolic-ref HEAD refs/heads/main; git update-ref -d $b`,
}

// whole says what of a repository that was brought is not as it was.
func (w *world) whole(refs string) {
	w.t.Helper()
	if got := w.refs(); got != refs {
		w.t.Errorf("refs were\n%s\nand are\n%s\n%s", refs, got, w.history())
	}
	if out := w.git("fsck", "--strict"); strings.Contains(out, "missing") || strings.Contains(out, "broken") {
		w.t.Errorf("git fsck: %s", out)
	}
	if got := w.git("config", "user.name"); got != "Jane Doe" {
		w.t.Errorf("user.name is %q", got)
	}
	w.git("log", "-1")
	w.git("status")
}

// Killed while a session had spoiled .git, the same command makes it whole and
// goes on.
func TestKilledWhileGitIsSpoiled(t *testing.T) {
	t.Parallel()
	one := existing(t, greeter)
	refs, killed := one.refs(), ""
	one.on = func(e ledger.Event) {
		if e.Kind == ledger.CallStart && e.Session == 2 && killed == "" {
			killed = copyOf(t, one.o.Dir)
		}
	}
	one.done()
	for name, attack := range spoiled {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, greeter)
			w.o.Dir = copyOf(t, killed)
			cmd := exec.Command("sh", "-c", attack)
			cmd.Dir = w.o.Dir
			cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if name == "on another branch" { // it may be a person who has checked it out
				if e := w.ends(Usage); !strings.Contains(e.Reason, "main is checked out") {
					t.Errorf("error = %v", e)
				}
				w.git("symbolic-ref", "HEAD", "refs/heads/glovebox/"+w.id())
			}
			status := w.done()
			w.whole(refs)
			if log := w.git("log", "--format=%s", "glovebox/"+status.ID); strings.Count(log, "Plan 2 features") != 1 || !strings.HasSuffix(log, "second\nfirst") {
				t.Errorf("history is\n%s", log)
			}
		})
	}
}

// id is the job's.
func (w *world) id() (id string) {
	for _, e := range w.events {
		if e.Job != nil {
			id = e.Job.ID
		}
	}
	return id
}

// Interrupted while a session had spoiled .git, the repository is whole at once.
func TestInterruptedWhileGitIsSpoiled(t *testing.T) {
	t.Parallel()
	for name, attack := range spoiled {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := existing(t, func(r model.Request) model.Reply {
				if isFor(r, "hello") && turnOf(r) == 0 {
					return says(bash(attack))
				}
				return greeter(r)
			})
			refs := w.refs()
			w.on = func(e ledger.Event) {
				if e.Kind == ledger.CallEnd && e.Session == 2 {
					cancel()
				}
			}
			_, err := Run(ctx, w.o)
			var e *Error
			if !errors.As(err, &e) || e.Outcome != Interrupted || e.Reason != "interrupted" {
				t.Fatalf("ended with %v", err)
			}
			w.whole(refs)
		})
	}
}

// What could not be put back is said, whatever ended the work, and the next
// process does not take it for a person's own.
func TestLossIsReported(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := existing(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") && turnOf(r) == 0 {
			return says(bash(`git branch -f main HEAD`))
		}
		return greeter(r)
	})
	refs := w.refs()
	file := w.path(".glovebox/refs.json")
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.CallEnd && e.Session == 2 {
			must(t, os.Rename(file, file+".good"))
			must(t, os.Mkdir(file, 0o700))
			cancel()
		}
	}
	_, err := Run(ctx, w.o)
	var e *Error
	if !errors.As(err, &e) || e.Outcome != Interrupted || !strings.Contains(e.Reason, "can't put the branches") || !strings.Contains(e.Hint, ".glovebox/original") {
		t.Fatalf("ended with %v", err)
	}
	must(t, os.Remove(file))
	must(t, os.Rename(file+".good", file))
	w.on = nil
	w.done()
	w.whole(refs)
}
