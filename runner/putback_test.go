package runner

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// What a person changes between two runs is put back, but neither lost nor
// blamed on a session.
func TestEditsBetweenRunsAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.MaxSessions = 1
	w.ends(Incomplete)
	test, spec := w.content("tests/hello.sh"), w.content("app_spec.txt")
	w.plant("tests/hello.sh", test+"# a person's line\n")
	w.plant("app_spec.txt", spec+"And a person's wish.\n")
	w.o.MaxSessions, w.events = 0, nil
	status := w.done()
	if w.content("tests/hello.sh") != test || w.content("app_spec.txt") != spec {
		t.Error("a file of the host's was not put back")
	}
	if len(status.PutBack) != 0 || w.count(ledger.PutBack) != 0 {
		t.Errorf("a session is blamed for %q", status.PutBack)
	}
	for place, want := range map[string]string{".glovebox/putback/1/app_spec.txt": spec + "And a person's wish.\n", ".glovebox/putback/2/tests/hello.sh": test + "# a person's line\n"} {
		if got := w.content(place); got != want {
			t.Errorf("%s is %q", place, got)
		}
		if !slices.ContainsFunc(w.events, func(e ledger.Event) bool {
			return e.Kind == ledger.Note && strings.Contains(e.Text, "since the last run") && strings.Contains(e.Text, place)
		}) {
			t.Errorf("nobody is told of %s\n%s", place, w.history())
		}
	}
}

// What a session changes is kept, too, up to a bound.
func TestSessionsChangesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		reply := greeter(r)
		if isFor(r, "hello") {
			reply.Calls = slices.Insert(reply.Calls, 0, bash("echo 'exit 0' > tests/hello.sh"))
		}
		return reply
	})
	status := w.done()
	if !slices.Equal(status.PutBack, []string{"tests/hello.sh"}) {
		t.Errorf("put back: %q", status.PutBack)
	}
	if got := w.content(".glovebox/putback/1/tests/hello.sh"); got != "exit 0\n" {
		t.Errorf("kept is %q", got)
	}
	if !slices.ContainsFunc(w.events, func(e ledger.Event) bool {
		return e.Kind == ledger.PutBack && e.Aside == ".glovebox/putback/1/tests/hello.sh"
	}) {
		t.Errorf("the place is not named\n%s", w.history())
	}
}

// A file that the job takes the place of was a person's.
func TestFilesBeforeTheJobAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.plant("app_spec.txt", "a person's own\n")
	w.done()
	if got := w.content(".glovebox/putback/1/app_spec.txt"); got != "a person's own\n" {
		t.Errorf("kept is %q", got)
	}
	if _, err := os.Stat(w.path(".glovebox/putback/2")); err == nil {
		t.Error("something else was kept")
	}
}
