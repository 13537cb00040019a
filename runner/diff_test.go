package runner

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model"
)

func (w *world) diff(patch bool) ([]Step, error) {
	w.t.Helper()
	steps, err := Diff(context.Background(), DiffOptions{Dir: w.o.Dir, Engine: w.engine, Image: w.o.Image, Limits: w.o.Limits, Patch: patch, CacheDir: w.o.CacheDir})
	if live := w.engine.Live(); live != 0 {
		w.t.Errorf("%d boxes still run after the diff", live)
	}
	return steps, err
}

// What each feature changed is shown, from the job's own commits, whatever the
// project's git is set to do; and looking changes nothing.
func TestDiffOfAJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		reply := greeter(r)
		if isFor(r, "bye") {
			reply.Calls = slices.Insert(reply.Calls, 0, bash(`
				printf 'a\033[2Jb\n' > 'odd\name'; git add -A; git commit -qm 'of the model'`))
		}
		return reply
	})
	w.done()
	for key, value := range map[string]string{"diff.external": "touch evil; true", "color.ui": "always", "diff.noprefix": "true", "core.fsmonitor": "touch evil", "core.pager": "touch evil"} {
		w.git("config", key, value)
	}
	ledgerBefore := w.content(".glovebox/ledger.jsonl")
	steps, err := w.diff(true)
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, s := range steps {
		titles = append(titles, s.Title())
		if s.Missing != "" || s.Cut {
			t.Errorf("step %+v", s)
		}
	}
	if !slices.Equal(titles, []string{"plan", "hello", "notes", "bye", "notes"}) {
		t.Fatalf("steps = %v", titles)
	}
	if !slices.Contains(steps[1].Files, FileChange{Path: "hello.sh", Added: 1}) {
		t.Errorf("hello changed %v", steps[1].Files)
	}
	// What the model commits by itself belongs to the feature it worked on.
	if !slices.Contains(steps[3].Files, FileChange{Path: `odd\name`, Added: 1}) || !slices.Contains(steps[3].Files, FileChange{Path: "bye.sh", Added: 1}) {
		t.Errorf("bye changed %v", steps[3].Files)
	}
	if p := steps[1].Patch; !strings.Contains(p, "+++ b/hello.sh\n@@ -0,0 +1 @@\n+echo hello\n") || strings.Contains(p, "\x1b") {
		t.Errorf("patch of hello:\n%q", p)
	}
	if _, err := os.Lstat(w.path("evil")); err == nil {
		t.Error("a program of the project's settings was run")
	}
	if w.content(".glovebox/ledger.jsonl") != ledgerBefore {
		t.Error("the diff has changed the ledger")
	}
	short, err := w.diff(false)
	if err != nil || short[1].Patch != "" || !reflect.DeepEqual(short[1].Files, steps[1].Files) {
		t.Errorf("without the patch: %+v, %v", short, err)
	}
}

// Commits that are gone are said to be, and the others are shown.
func TestDiffOfALostHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.done()
	if err := os.RemoveAll(w.path(".git")); err != nil {
		t.Fatal(err)
	}
	w.git("init", "-q", ".")
	steps, err := w.diff(true)
	if err != nil || len(steps) != 5 || steps[0].Missing == "" || steps[0].Files != nil || steps[0].Patch != "" {
		t.Errorf("Diff = %+v, %v", steps, err)
	}
}

func TestDiffWithoutAJob(t *testing.T) {
	t.Parallel()
	if _, err := Steps(t.TempDir()); !errors.Is(err, ErrNoJob) {
		t.Errorf("Steps = %v", err)
	}
}

// What git prints of a hostile project is taken only where it has git's form.
func TestParseNumstat(t *testing.T) {
	t.Parallel()
	got := parseNumstat([]byte("1\t2\ta b\x00-\t-\tpicture\x00warning: x\x003\tx\ty\x00\x004\t5\tz\x006\t7\tcut"))
	want := []FileChange{{Path: "a b", Added: 1, Removed: 2}, {Path: "picture", Binary: true}, {Path: "z", Added: 4, Removed: 5}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}
