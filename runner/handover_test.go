package runner

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/handover"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// What a session has planted for the person's own machine is told at the end of
// the job, git is disarmed, and a hook that the person had stays.
func TestHandoverAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		reply := greeter(r)
		if isFor(r, "hello") {
			reply.Calls = slices.Insert(reply.Calls, 0, bash(`
				printf 'evil' > .git/hooks/post-checkout; printf '[alias]\n\tst = !evil\n' >> .git/config; echo evil > .envrc`))
		}
		return reply
	})
	w.git("init", "-q", ".")
	w.plant(".git/hooks/pre-push", "mine")
	status := w.done()
	found := status.Handover
	if found == nil || found.Mended != 2 || found.Left[handover.Enter] != 1 {
		t.Fatalf("handover = %+v", found)
	}
	for _, path := range []string{".envrc", ".git/hooks/post-checkout", ".git/hooks/pre-push", ".git/config"} {
		if !slices.ContainsFunc(found.Findings, func(f handover.Finding) bool { return f.Path == path }) {
			t.Errorf("%s is not found: %+v", path, found.Findings)
		}
	}
	if _, err := os.Lstat(w.path(".git/hooks/post-checkout")); err == nil {
		t.Error("the planted hook is still there")
	}
	if w.content(".git/hooks/pre-push") != "mine" {
		t.Error("the person's own hook is gone")
	}
	if strings.Contains(w.content(".git/config"), "alias") {
		t.Error("the planted alias is still there")
	}
	if !slices.ContainsFunc(w.events, func(e ledger.Event) bool {
		return e.Kind == ledger.HandedOver && strings.HasPrefix(e.Text, "2 made harmless; left are 1") && e.Handover.Mended == 2 &&
			e.Handover.Left["enter"] == 1 && slices.ContainsFunc(e.Handover.Findings, func(f ledger.FindingInfo) bool { return f.Path == ".envrc" })
	}) {
		t.Errorf("it is not in the ledger:\n%s", w.history())
	}
	if w.git("status", "--porcelain") != "" {
		t.Error("what was moved aside lies in git's way")
	}
	again, err := Handover(t.Context(), w.o.Dir)
	if err != nil || again.Mended != 0 || again.Left[handover.Enter] != 1 {
		t.Errorf("a second look: %+v, %v", again, err)
	}
}

// A state that came with the project could call any hook the person's own.
func TestHandoverDoubtsABroughtState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.git("init", "-q", ".")
	w.plant(".glovebox/job.json", "{}")
	w.git("add", "-f", ".glovebox/job.json")
	var e *Error
	if _, err := Handover(t.Context(), w.o.Dir); !errors.As(err, &e) || e.Outcome != Usage {
		t.Errorf("Handover = %v", err)
	}
	if _, err := Handover(t.Context(), t.TempDir()); !errors.Is(err, ErrNoJob) {
		t.Errorf("Handover without a job = %v", err)
	}
}

// plant writes a file into the project, as a person does before a job.
func (w *world) plant(path, content string) {
	w.t.Helper()
	file := w.path(path)
	if err := errors.Join(os.MkdirAll(file[:strings.LastIndex(file, "/")], 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}
