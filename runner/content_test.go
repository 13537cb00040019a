package runner

import (
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// A repository in which git holds other content than the files have can never
// have a proven commit: it is refused before anything is spent or changed.
func TestOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*world){
		"line ends": func(w *world) {
			w.plant(".gitattributes", "* text=auto eol=crlf\n")
			w.plant("README.md", "Mine.\r\n")
		},
		"autocrlf": func(w *world) {
			w.git("config", "core.autocrlf", "true")
			w.plant("README.md", "Mine.\r\n")
		},
		"a submodule": func(w *world) {
			w.git("init", "-q", "README.md.d")
			w.git("-C", "README.md.d", "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "--allow-empty", "-m", "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := existing(t, greeter)
			prepare(w)
			w.git("add", "-A")
			w.git("commit", "-qm", "third")
			if got := w.git("status", "--porcelain"); got != "" {
				t.Fatalf("the checkout is not clean: %s", got)
			}
			refs, index := w.refs(), w.content(".git/index")
			e := w.ends(Usage)
			if !strings.Contains(e.Reason, "README.md") || !strings.Contains(e.Hint, "core.autocrlf") {
				t.Errorf("error = %v; %s", e, e.Hint)
			}
			if w.count(ledger.SessionStart) != 0 || w.refs() != refs || w.content(".git/index") != index || w.git("symbolic-ref", "HEAD") != "refs/heads/main" {
				t.Error("something was changed")
			}
		})
	}
}
