package runner

import (
	"os"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// unpassed is the event that took back the pass of a feature.
func (w *world) unpassed(id string) *ledger.Event {
	for _, e := range w.events {
		if e.Kind == ledger.Unpassed && e.Feature == id {
			return &e
		}
	}
	w.t.Fatalf("%s kept its pass\n%s", id, w.history())
	return nil
}

// order is the features of the coding sessions.
func (w *world) order() string {
	var ids []string
	for _, e := range w.events {
		if e.Kind == ledger.SessionStart && e.Started.Kind == coding {
			ids = append(ids, e.Feature)
		}
	}
	return strings.Join(ids, " ")
}

// A session that breaks what worked leaves its work in a commit that says so;
// the feature names it, fails in state and list, and gets the next session,
// before what the list would bring first.
func TestRegressionNamesItsCommit(t *testing.T) {
	t.Parallel()
	told := ""
	w := newWorld(t, func(r model.Request) model.Reply {
		switch {
		case isPlan(r):
			return says(planCalls("bye", "hello")...)
		case isFor(r, "bye") && strings.Contains(task(r), "hello [passes]"):
			return says(bash("rm hello.sh; sh tests/bye.sh"), blocked("no way"))
		case isFor(r, "bye") && strings.Contains(task(r), "Last attempt"):
			return greeter(r)
		case isFor(r, "bye"): // so that hello is built before it
			return says(bash("sh tests/bye.sh"), blocked("later"))
		case isFor(r, "hello") && strings.Contains(task(r), "It passed before"):
			told = task(r)
		}
		return greeter(r)
	})
	_, err := w.run()
	e := w.unpassed("hello")
	if e.Commit == nil || !strings.Contains(e.Text, "broken by commit "+e.Commit.Hash[:10]+" (bye: leftovers of session 4, not verified)") {
		t.Fatalf("blamed is %+v: %s (%v)\n%s", e.Commit, e.Text, err, w.history())
	}
	if got := w.git("show", "--format=%s", "--name-status", e.Commit.Hash); !strings.Contains(got, "D\thello.sh") {
		t.Errorf("the blamed commit is\n%s", got)
	}
	if got := w.order(); !strings.HasPrefix(got, "bye hello bye hello") {
		t.Errorf("sessions for %s", got)
	}
	if !strings.Contains(told, "broken by commit") {
		t.Errorf("the session for hello is told:\n%s", told)
	}
}

// What worked and is broken comes before what the list would bring first.
func TestBrokenComesFirst(t *testing.T) {
	j := &job{list: feature.State{Features: feature.List{{ID: "first"}, {ID: "broken"}, {ID: "last"}}}}
	j.past.add(ledger.Event{Kind: ledger.Unpassed, Feature: "broken", Text: "by x"})
	if f, ok := j.next(); !ok || f.ID != "broken" {
		t.Errorf("next is %q", f.ID)
	}
	j.list.Features[1].Blocked = true
	if f, _ := j.next(); f.ID != "first" {
		t.Errorf("with it blocked next is %q", f.ID)
	}
	j.list.Features[1].Blocked = false
	j.past.add(ledger.Event{Kind: ledger.Passed, Feature: "broken"})
	if f, _ := j.next(); f.ID != "first" {
		t.Errorf("with it mended next is %q", f.ID)
	}
}

// What somebody broke between two runs is seen before the next session and is
// not blamed on it.
func TestBaselineBlamesNoSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.MaxSessions = 2
	w.ends(Incomplete)
	must(t, os.WriteFile(w.path("hello.sh"), []byte("echo broken\n"), 0o644))
	w.events = nil
	w.o.MaxSessions = 0
	w.done()
	e := w.unpassed("hello")
	if e.Commit != nil || !strings.Contains(e.Text, "before the session for bye") || !strings.Contains(e.Text, "no session has changed the files") {
		t.Errorf("blamed is %+v: %s", e.Commit, e.Text)
	}
	if got := w.order(); got != "hello bye" {
		t.Errorf("sessions for %q, want hello first", got)
	}
	if list := w.content("feature_list.json"); strings.Count(list, `"passes": true`) != 2 {
		t.Errorf("in the end:\n%s", list)
	}
}

// Whatever a session leaves is committed, and marked if nobody has verified it.
func TestSessionsEndWithACleanState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") {
			return says(write("half.sh", "half done\n"), bash("sh tests/hello.sh"), blocked("stuck"))
		}
		return greeter(r)
	})
	sessions := 0
	w.on = func(e ledger.Event) {
		if e.Kind != ledger.SessionStart || e.Feature == "" {
			return
		}
		sessions++
		// The list is the host's, who may have given a feature a second chance since.
		if dirty := w.git("status", "--porcelain"); dirty != "" && dirty != "M  feature_list.json" {
			t.Errorf("session %d begins with\n%s", e.Session, dirty)
		}
	}
	w.ends(Incomplete)
	if dirty := w.git("status", "--porcelain"); dirty != "" || sessions < 2 {
		t.Errorf("%d sessions; the job ends with\n%s", sessions, dirty)
	}
	if log := w.git("log", "--format=%s"); !strings.Contains(log, "hello: leftovers of session 2, not verified") {
		t.Errorf("git log:\n%s", log)
	}
}

// A blocked feature may have waited for another one: it is tried once more.
func TestBlockedFeatureGetsASecondChance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") && !strings.Contains(task(r), "bye [passes]") {
			return says(bash("sh tests/hello.sh"), blocked("needs bye"))
		}
		return greeter(r)
	})
	w.done()
	if got := w.order(); got != "hello bye hello" {
		t.Errorf("sessions for %q", got)
	}
}

// It is tried once only, and never if nothing has passed since.
func TestSecondChanceIsTheLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") {
			return model.Reply{Content: "I would rather talk.", Finish: model.FinishStop}
		}
		return greeter(r)
	})
	w.ends(Incomplete)
	if got := w.order(); got != "hello hello hello bye hello" {
		t.Errorf("sessions for %q", got)
	}
	blocks := 0
	for _, e := range w.events {
		if e.Kind == ledger.Blocked {
			blocks++
			if !strings.Contains(e.Text, "can't open 'hello.sh'") && !strings.Contains(e.Text, "hello.sh") {
				t.Errorf("it is blocked without its last output: %s", e.Text)
			}
		}
	}
	if blocks != 2 {
		t.Errorf("it was blocked %d times", blocks)
	}
	if dirty := w.git("status", "--porcelain"); dirty != "" {
		t.Errorf("the job ends with\n%s", dirty)
	}
	w.events = nil
	w.ends(Incomplete) // not even by another process
	if got := w.order(); got != "" {
		t.Errorf("sessions of the second run for %q", got)
	}
}

// Three blocked in a row end the job, before a night is wasted on the rest.
func TestThreeBlockedInARowEndTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isPlan(r) {
			return says(planCalls("a", "b", "c", "d")...)
		}
		return says(blocked("no"), blocked("no"))
	})
	w.o.Features = 4
	if e := w.ends(Incomplete); !strings.Contains(e.Reason, "3 features in a row are blocked") {
		t.Error(e)
	}
	if got := w.order(); got != "a b c" {
		t.Errorf("sessions for %q", got)
	}
}
