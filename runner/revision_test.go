package runner

import (
	"context"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

func isRevision(r model.Request, id string) bool {
	return strings.Contains(task(r), "Session: revision, feature "+id+"\n")
}

// wrongTest plans "hello" with a test that the spec contradicts, and "bye" with
// a good one. The builder of hello disputes it; revise answers the revision.
func wrongTest(revise actor) actor {
	return func(r model.Request) model.Reply {
		switch {
		case isPlan(r):
			calls := planCalls("hello", "bye")
			calls[1] = write("tests/hello.sh", `[ "$(sh hello.sh)" = hallo ]`+"\n")
			return says(calls...)
		case isRevision(r, "hello"):
			return revise(r)
		case isFor(r, "hello") && !strings.Contains(task(r), "sh hello.sh prints hello and nothing else"):
			return says(write("hello.sh", "echo hello\n"), bash("sh tests/hello.sh"), blocked("tests/hello.sh, line 1, wants hallo; the spec says hello"))
		}
		return greeter(r)
	}
}

// A disputed test is corrected once, by a session that can change nothing else,
// and counts because it was red before the work.
func TestDisputedTestIsRevised(t *testing.T) {
	t.Parallel()
	for _, mode := range []WorkspaceMode{WorkspaceAuto, WorkspaceVolume} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			disputedTestIsRevised(t, mode)
		})
	}
}

func disputedTestIsRevised(t *testing.T, mode WorkspaceMode) {
	w := newWorld(t, wrongTest(func(r model.Request) model.Reply {
		if !strings.Contains(task(r), "Its test is disputed: tests/hello.sh, line 1, wants hallo") {
			t.Errorf("the reason is not told:\n%s", task(r))
		}
		return says(write("tests/hello.sh", `[ "$(sh hello.sh)" = hello ]`+"\n"), write("hello.sh", "exit 1\n"), write("extra.sh", "x"),
			bash("echo true > tests/bye.sh; sed -i 's/sh hello.sh prints hello/& and nothing else/; s/tests.bye.sh/true/; s/false/true/' feature_list.json"),
			finish("it said hallo"))
	}))
	w.o.Workspace = mode
	s := w.done()
	if !s.Features[0].Revised || s.Features[1].Revised || s.Features[0].Steps[0] != "sh hello.sh prints hello and nothing else" || s.Features[1].Verify != "sh tests/bye.sh" {
		t.Errorf("features: %+v", s.Features)
	}
	if got := w.content("tests/hello.sh") + w.content("tests/bye.sh") + w.content("hello.sh"); !strings.Contains(got, "= hello") || strings.Contains(got, "true") || strings.Contains(got, "exit 1") {
		t.Errorf("the project has %q", got)
	}
	if files := w.git("ls-files"); strings.Contains(files, "extra.sh") {
		t.Errorf("what else was changed is there: %s", files)
	}
	revised := 0
	for _, e := range w.events {
		if e.Kind == ledger.Revised {
			revised++
			if e.Feature != "hello" || e.Text != "tests/hello.sh: it said hallo" || e.List.Hash != feature.Hash(s.Features) {
				t.Errorf("recorded %+v", e)
			}
		}
	}
	if revised != 1 || w.count(ledger.Disputed) != 1 {
		t.Errorf("%d revisions, %d disputes\n%s", revised, w.count(ledger.Disputed), w.history())
	}
	if len(s.PutBack) != 0 {
		t.Errorf("the revision is taken for tampering: %q", s.PutBack)
	}
}

// A test that would have passed before the work is no revision, and there is
// one session of it only.
func TestRevisionMustBeRed(t *testing.T) {
	t.Parallel()
	told, sessions := "", 0
	w := newWorld(t, wrongTest(func(r model.Request) model.Reply {
		switch turnOf(r) {
		case 0:
			sessions++
			return says(write("tests/hello.sh", "true\n"), finish("weaker"))
		case 1:
			told = lastSaid(r)
			return says(write("tests/hello.sh", `[ "$(sh hello.sh)" = hallo ]`+"\n"), finish("as it was"))
		default:
			if !strings.Contains(lastSaid(r), "the test is as it was") {
				t.Errorf("told %q", lastSaid(r))
			}
			return says(blocked("it is right after all"))
		}
	}))
	w.ends(Incomplete)
	if !strings.Contains(told, "on the program as it was before this feature, verify passes before anything is built") {
		t.Errorf("told %q", told)
	}
	w.ends(Incomplete) // again: it stays so
	s, _ := ReadStatus(w.o.Dir)
	if f := s.Features[0]; f.Passes || f.Revised || !f.Blocked || sessions != 1 {
		t.Errorf("%+v after %d revision sessions", f, sessions)
	}
	if test := w.content("tests/hello.sh"); !strings.Contains(test, "hallo") {
		t.Errorf("the test is %q", test)
	}
}

// The third session that fails is looked into as well.
func TestThirdFailureIsLookedInto(t *testing.T) {
	t.Parallel()
	why := ""
	w := newWorld(t, func(r model.Request) model.Reply {
		if isRevision(r, "hello") {
			why = task(r)
			return says(blocked("the test is right"))
		}
		if isFor(r, "hello") {
			return says(bash("true"))
		}
		return greeter(r)
	})
	w.o.MaxTurns = 1
	w.ends(Incomplete)
	if !strings.Contains(why, "disputed: 3 sessions did not make it pass") {
		t.Errorf("the revision was told %q\n%s", why, w.history())
	}
}

// Where a person has accepted the list, only that person lets a test be revised.
func TestPersonDecidesDisputes(t *testing.T) {
	t.Parallel()
	for name, allowed := range map[string]bool{"yes": true, "no": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wrongTest(func(model.Request) model.Reply {
				return says(write("tests/hello.sh", `[ "$(sh hello.sh)" = hello ]`+"\n"),
					bash("sed -i 's/sh hello.sh prints hello/& and nothing else/' feature_list.json"), finish("it said hallo"))
			}))
			w.o.Approve = func(context.Context, Proposal) (Answer, error) { return Answer{}, nil }
			asked := ""
			w.o.Dispute = func(_ context.Context, f feature.Feature, why, _ string) (bool, error) {
				asked += f.ID + ": " + why
				return allowed, nil
			}
			if allowed {
				w.done()
			} else {
				w.ends(Incomplete)
			}
			if !strings.Contains(asked, "hello: tests/hello.sh, line 1") {
				t.Errorf("the person was asked %q", asked)
			}
			if n := w.count(ledger.Revised); n == 1 != allowed {
				t.Errorf("%d revisions", n)
			}
		})
	}
	w := newWorld(t, wrongTest(func(model.Request) model.Reply {
		t.Error("revised without asking")
		return says(blocked("x"))
	}))
	w.o.Approve = func(context.Context, Proposal) (Answer, error) { return Answer{}, nil }
	w.ends(Incomplete) // no terminal: nobody can be asked
	if s, _ := ReadStatus(w.o.Dir); !s.Features[0].Blocked {
		t.Error("it is not blocked")
	}
}

// An attempt to change a grader is in the ledger and in the status.
func TestTamperingIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") {
			return says(bash("echo true > tests/hello.sh; echo '[]' > feature_list.json"), write("hello.sh", "echo hello\n"), finish("done"))
		}
		return greeter(r)
	})
	w.done()
	s, err := ReadStatus(w.o.Dir)
	if err != nil || strings.Join(s.PutBack, " ") != "feature_list.json tests/hello.sh" {
		t.Errorf("put back: %q, %v", s.PutBack, err)
	}
}
