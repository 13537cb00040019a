package runner

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// tampered is a repository with settings, stashes and hooks of a person's own, to
// which a session does what attack says.
func tampered(t *testing.T, attack string) *world {
	t.Helper()
	w := existing(t, func(r model.Request) model.Reply {
		reply := greeter(r)
		if isFor(r, "hello") {
			reply.Calls = slices.Insert(reply.Calls, 0, bash(attack))
		}
		return reply
	})
	w.plant("README.md", "put aside, too\n")
	w.git("stash", "-q")
	w.git("remote", "add", "origin", "https://example.org/mine.git")
	w.plant(".git/info/exclude", "*.local\n")
	w.plant(".git/hooks/pre-commit", "#!/bin/sh\necho mine\n")
	must(t, os.Chmod(w.path(".git/hooks/pre-commit"), 0o755))
	w.plant("my.local", "a key\n")
	return w
}

// A person's settings, stashes, reflogs, hooks and excludes are what they were,
// whatever a session did to them, and git works.
func TestSettingsSurviveASession(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]string{
		"empties": `git stash drop -q 'stash@{1}'; git reflog expire --expire=now --all; git remote remove origin
			git config --unset user.email; : > .git/info/exclude; echo '#!/bin/sh' > .git/hooks/pre-commit; git gc -q --prune=now`,
		"is bare":      `git config core.bare true; git config core.repositoryformatversion 1; git config extensions.objectformat sha256`,
		"more stashes": `git stash drop -q; echo x >> README.md; git stash -q; chmod -x .git/hooks/pre-commit; rm -rf .git/logs .git/info`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tampered(t, attack)
			look := func() string {
				return strings.Join([]string{w.content(".git/config"), w.content(".git/info/exclude"), w.content(".git/hooks/pre-commit"), w.git("stash", "list"), w.git("stash", "show", "-p", "stash@{1}")}, "\n")
			}
			before, reflog := look(), w.git("reflog", "main")
			status := w.done()
			if got := look(); got != before {
				t.Errorf("it was\n%s\nand is\n%s\n%s", before, got, w.history())
			}
			if got := w.git("reflog", "main"); got != reflog {
				t.Errorf("the reflog was\n%s\nand is\n%s", reflog, got)
			}
			if info, err := os.Stat(w.path(".git/hooks/pre-commit")); err != nil || info.Mode().Perm()&0o100 == 0 {
				t.Errorf("the hook: %v, %v", info, err)
			}
			if log := w.git("reflog", "HEAD"); !strings.Contains(log, "on another branch") {
				t.Errorf("HEAD's reflog is\n%s", log)
			}
			w.git("merge-base", "--is-ancestor", "main", "glovebox/"+status.ID)
			if !slices.ContainsFunc(w.events, func(e ledger.Event) bool {
				return e.Kind == ledger.Note && strings.Contains(e.Text, "settings of the repository were changed")
			}) {
				t.Error("it is not said")
			}
		})
	}
}

// What a person removes between two runs does not come back.
func TestRemovedSettingsStayAway(t *testing.T) {
	t.Parallel()
	w := tampered(t, "true")
	w.o.MaxSessions = 1
	w.ends(Incomplete)
	must(t, os.Remove(w.path(".git/hooks/pre-commit")))
	w.git("stash", "clear")
	w.o.MaxSessions = 0
	w.done()
	if _, err := os.Lstat(w.path(".git/hooks/pre-commit")); err == nil || w.git("stash", "list") != "" {
		t.Error("a hook or a stash came back")
	}
}

// A file that git ignores is a person's and not committed, however a session
// adds it, unless git had it before.
func TestIgnoredFilesAreNotCommitted(t *testing.T) {
	t.Parallel()
	w := tampered(t, `git add -f my.secret my.local; : > .git/info/exclude; git commit -qm "with a key"`)
	w.plant("had.secret", "git has it although it is ignored\n")
	w.git("add", "-f", "had.secret")
	w.git("commit", "-qm", "third")
	w.plant("-x '$(touch pwned)'.secret", "an odd name\n")
	w.done()
	files := w.git("log", "--name-only", "--format=%s", "main..HEAD")
	if strings.Contains(files, "my.secret") || strings.Contains(files, "my.local") || strings.Contains(files, "pwned") {
		t.Errorf("committed are\n%s", files)
	}
	if got := w.git("ls-files", "had.secret"); got == "" || w.content("had.secret") == "" || w.content("my.secret") != "untracked and ignored\n" {
		t.Error("a file that was brought is lost")
	}
	for _, name := range []string{"my.secret", "my.local"} {
		n := 0
		for _, e := range w.events {
			if e.Kind == ledger.Note && strings.Contains(e.Text, "git ignores "+name) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is named %d times\n%s", name, n, w.history())
		}
	}
}
