package runner

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/report"
)

// A report can be made while the job works, and says so; it takes no lock and
// no harm is done to the job. In the end it has the ledger's sums.
func TestReportAtAnyTime(t *testing.T) {
	w := newWorld(t, greeter)
	states, calls := map[string]int{}, 0
	w.on = func(ledger.Event) {
		job, err := ReadReport(w.o.Dir, report.Options{})
		if err != nil {
			t.Errorf("after %d events: %v", len(w.events), err)
			return
		}
		states[job.State]++
		calls = max(calls, job.Counts.Calls)
		if sums := ledger.Sums(w.events); job.Counts.Boxes != sums.Boxes || !job.Money.Spent.Equal(sums.Spent()) {
			t.Errorf("after %d events: %+v", len(w.events), job.Counts)
		}
	}
	w.done()
	if states["running"] != len(w.events) || calls == 0 {
		t.Errorf("states while it ran: %v, %d calls", states, calls)
	}
	job, err := ReadReport(w.o.Dir, report.Options{})
	if err != nil || job.State != "done" || job.Passing() != 2 || job.Spec.Text != w.o.Spec.Text {
		t.Errorf("at the end: %v, %+v", err, job)
	}
	i := job.Isolation
	if i == nil || i.Memory != w.o.Limits.Memory || i.TimeoutSeconds != w.o.Limits.Timeout.Seconds() || i.Workspace != "auto" {
		t.Errorf("isolation: %+v", i)
	}
}

// A report keeps keys out, though the specification has one.
func TestReportKeepsKeysOut(t *testing.T) {
	w := newWorld(t, greeter)
	w.o.Spec.Text = "The key is sk-canary-0123456789.\n"
	w.on = func(e ledger.Event) {
		if e.Kind != ledger.JobStart {
			return
		}
		job, err := ReadReport(w.o.Dir, report.Options{Redact: func(s string) string { return strings.ReplaceAll(s, "sk-canary-0123456789", "[key]") }})
		if err != nil || job.Spec.Text != "The key is [key].\n" {
			t.Errorf("%v: %q", err, job.Spec.Text)
		}
	}
	w.done()
}

// Where there is no job, or a state that is damaged, there is no report.
func TestReportOfNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadReport(dir, report.Options{}); !errors.Is(err, ErrNoJob) {
		t.Errorf("an empty directory: %v", err)
	}
	s, err := openState(dir, Spec{Name: "a", Text: "b"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	if job, err := ReadReport(dir, report.Options{}); err != nil || job.State != "not ended" || !job.Begun.Equal(time.Time{}) {
		t.Errorf("a job without a ledger: %v", err)
	}
	if err := os.WriteFile(dir+"/.glovebox/ledger.jsonl", []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *ledger.DamageError
	if _, err := ReadReport(dir, report.Options{}); !errors.As(err, &damage) {
		t.Errorf("a damaged ledger: %v", err)
	}
}

// The files go into the job's own directory, and a link that lies there is not followed.
func TestReportDir(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/.glovebox", 0o700), os.Symlink(elsewhere, dir+"/.glovebox/report")); err != nil {
		t.Fatal(err)
	}
	if root, err := OpenReportDir(dir); err == nil {
		root.Close()
		t.Error("a link was followed")
	}
	if err := os.Remove(dir + "/.glovebox/report"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and again
		root, err := OpenReportDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		root.Close()
	}
}
