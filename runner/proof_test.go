package runner

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
)

// The program may only pass with what git has: a verify that writes into the
// tree proves something else than what is committed. (main.sh is no test by its
// name, so nothing freezes it.)
func TestI10VerifyMustNotChangeTheTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isPlan(r) {
			list := `[{"id":"hello","category":"functional","description":"d","steps":["s"],"verify":"sh main.sh"},
{"id":"bye","category":"functional","description":"d","steps":["s"],"verify":"sh bye.sh"}]`
			return says(write("feature_list.json", list), write("main.sh", "exit 1\n"), write("bye.sh", "exit 1\n"), finish("x"))
		}
		if turnOf(r) == 0 && isFor(r, "hello") {
			return says(write("main.sh", "date +%N >> main.sh\nexit 0\n"), finish("done"))
		}
		if isFor(r, "hello") && turnOf(r) == 1 && !strings.Contains(lastSaid(r), "verify changes files that are in git") {
			t.Errorf("the model is not told why: %s", lastSaid(r))
		}
		return says(blocked("no"))
	})
	w.ends(Incomplete)
	if n := w.count(ledger.Passed); n != 0 {
		t.Errorf("%d features pass", n)
	}
}

// Every passed feature's hash is the tree of the commit that it names.
func TestI10TreeIsTheCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.done()
	passed := 0
	for _, e := range w.events {
		if e.Kind != ledger.Passed {
			continue
		}
		passed++
		if tree := w.git("rev-parse", e.Commit.Hash+"^{tree}"); tree != e.Commit.Tree {
			t.Errorf("%s: commit has tree %s, proven was %s", e.Feature, tree, e.Commit.Tree)
		}
	}
	if passed != 2 {
		t.Errorf("%d features passed", passed)
	}
}

func TestListWithFaultsGoesBack(t *testing.T) {
	t.Parallel()
	tries := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isPlan(r) {
			return greeter(r)
		}
		if tries++; tries == 1 {
			list := `[{"id":"a","category":"functional","description":"d","steps":["s"],"verify":"[ -f README.md ]"},
{"id":"b","category":"functional","description":"d","steps":["s"],"verify":"no-such-command","frozen":[]},
]`
			return says(write("README.md", "x"), write("feature_list.json", strings.Replace(list, ",\n]", "]", 1)), finish("x"))
		}
		said := lastSaid(r)
		for _, want := range []string{"a: verify passes before anything is built", "b: verify can't run (exit 127)", "try 1 of 6"} {
			if !strings.Contains(said, want) {
				t.Errorf("the answer lacks %q:\n%s", want, said)
			}
		}
		return greeter(r)
	})
	w.done()
	if tries != 2 {
		t.Errorf("the list was written %d times", tries)
	}
}

func TestRedFinishGoesBackAndIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		if turnOf(r) == 0 {
			return says(write("hello.sh", "echo helo\n"), finish("done"))
		}
		if !strings.Contains(lastSaid(r), "verify exited 1 in a new box (try 1 of 6)") {
			t.Errorf("a red finish is answered with %q", lastSaid(r))
		}
		return greeter(r)
	})
	w.done()
}

func TestRegressionIsNamed(t *testing.T) {
	t.Parallel()
	named := false
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "bye") {
			return greeter(r)
		}
		if turnOf(r) == 0 {
			return says(bash("echo 'echo bye' > bye.sh; rm hello.sh"), finish("done"))
		}
		named = strings.Contains(lastSaid(r), "hello passed before and fails now")
		return says(write("hello.sh", "echo hello\n"), finish("both"))
	})
	w.done()
	if !named {
		t.Errorf("the regression was not named\n%s", w.history())
	}
}

// Building one feature often makes another one green: it passes without a session.
func TestGreenBeforeItsSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") {
			return says(write("hello.sh", "echo hello\n"), write("bye.sh", "echo bye\n"), finish("both"))
		}
		return greeter(r)
	})
	if s := w.done(); s.Sessions != 2 || s.Passing() != 2 {
		t.Errorf("%d sessions, %d pass", s.Sessions, s.Passing())
	}
}

// A model that does the work and never says so is verified all the same.
func TestProseAtTheEndIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") && turnOf(r) > 0 {
			return model.Reply{Content: "All done!", Finish: model.FinishStop}
		}
		if isFor(r, "hello") {
			return says(write("hello.sh", "echo hello\n"))
		}
		return greeter(r)
	})
	if s := w.done(); s.Passing() != 2 {
		t.Error("not all pass")
	}
}

func TestBlockedIsHonest(t *testing.T) {
	t.Parallel()
	asked := false
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		asked = asked || strings.Contains(lastSaid(r), "Run the verify command once (sh tests/hello.sh)")
		return says(blocked("there is no way to say hello"))
	})
	e := w.ends(Incomplete)
	if !strings.Contains(e.Reason, "blocked: hello") || !asked {
		t.Errorf("%v, asked to try once: %v", e, asked)
	}
	s, _ := ReadStatus(w.o.Dir)
	if s.Passing() != 1 || !s.Features[0].Blocked {
		t.Errorf("features = %+v", s.Features)
	}
}

func TestInitializerMayBeBlocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(model.Request) model.Reply { return says(blocked("needs node; run with --image node")) })
	if e := w.ends(Incomplete); !strings.Contains(e.Reason, "needs node") {
		t.Error(e)
	}
}

func TestSessionsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isPlan(r) {
			return greeter(r)
		}
		return model.Reply{Content: "I would rather talk.", Finish: model.FinishStop}
	})
	w.ends(Incomplete)
	s, _ := ReadStatus(w.o.Dir)
	if s.Sessions != 1+2*(codingAttempts+1) || // after the last one the test is looked at, see revision.go
		!s.Features[0].Blocked || !s.Features[1].Blocked {
		t.Errorf("%d sessions, %+v", s.Sessions, s.Features)
	}
}

// A cut reply is not executed, not even its complete calls; it is asked for
// again with more tokens, and those stay.
func TestCutReplyIsNotExecuted(t *testing.T) {
	t.Parallel()
	var caps []int
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		caps = append(caps, r.MaxTokens)
		if len(caps) == 1 {
			return model.Reply{Calls: []model.Call{write("cut.sh", "x")}, Finish: model.FinishLength}
		}
		return greeter(r)
	})
	w.o.MaxTokens = 1000
	w.done()
	if len(caps) != 2 || caps[0] != 1000 || caps[1] != 4000 {
		t.Errorf("asked with %v tokens", caps)
	}
	if _, err := os.Stat(w.path("cut.sh")); err == nil {
		t.Error("a cut reply was executed")
	}
}

// Calls after finish are not run; finish after a failed change is held back.
func TestFinishInCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		if turnOf(r) == 0 {
			edit := call("edit", "path", "missing.sh", "old_string", "a", "new_string", "b")
			return says(edit, finish("done"), bash("touch after-finish"))
		}
		if turnOf(r) == 1 {
			found := false
			for _, m := range r.Messages {
				found = found || strings.Contains(m.Content, "finish was not run")
			}
			if !found {
				t.Error("finish was not held back")
			}
			return says(write("hello.sh", "echo hello\n"), finish("done"), bash("touch after-finish"))
		}
		return greeter(r)
	})
	w.done()
}

// What an earlier verification left behind proves nothing: each runs on a copy.
func TestI10StatefulVerifyStaysRed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isPlan(r) {
			list := `[{"id":"hello","category":"functional","description":"d","steps":["s"],"verify":"[ -f seen ] || { touch seen; exit 1; }"},
{"id":"bye","category":"functional","description":"d","steps":["s"],"verify":"sh bye.sh"}]`
			return says(write("feature_list.json", list), finish("x"))
		}
		return says(blocked("no"), blocked("no"))
	})
	w.ends(Incomplete)
	if n := w.count(ledger.Passed); n != 0 {
		t.Errorf("%d features pass", n)
	}
}

// A hook that git runs when it commits could change the program after the proof.
func TestI10NoHookRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		hook := "mkdir -p .git/hooks; for h in reference-transaction post-commit post-index-change pre-commit; do printf '#!/bin/sh\necho echo evil > hello.sh\n' > .git/hooks/$h; chmod +x .git/hooks/$h; done"
		return says(write("hello.sh", "echo hello\n"), bash(hook), finish("done"))
	})
	w.done()
	if got := w.content("hello.sh"); got != "echo hello\n" {
		t.Errorf("the program is %q", got)
	}
}

// What is handed over is what was proven: a clone passes, too.
func TestI10CloneHasEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.done()
	clone := t.TempDir()
	w.git("clone", "-q", w.o.Dir, clone)
	for _, id := range []string{"hello", "bye"} {
		cmd := exec.Command("sh", "tests/"+id+".sh")
		cmd.Dir = clone
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s in a clone: %v\n%s", id, err, out)
		}
	}
}

// A session that breaks what worked and gives up does not leave it marked as passing.
func TestBrokenFeatureIsUnpassed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "bye") {
			return says(bash("rm hello.sh; sh tests/bye.sh"), blocked("no way"))
		}
		if isFor(r, "hello") && strings.Contains(task(r), "bye [blocked]") {
			return says(blocked("lost"), blocked("lost"))
		}
		return greeter(r)
	})
	w.ends(Incomplete)
	s, _ := ReadStatus(w.o.Dir)
	if s.Passing() != 0 || w.count(ledger.Unpassed) != 1 {
		t.Errorf("%d features pass\n%s", s.Passing(), w.history())
	}
}

// A grader that is a program keeps its mode, and directories that a session
// closed are opened again.
func TestFrozenFilesComeBackWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isPlan(r) {
			calls := planCalls("hello", "bye")
			list := strings.ReplaceAll(calls[len(calls)-2].Arguments, `sh tests/`, `./tests/`)
			calls[len(calls)-2].Arguments = list
			return says(append([]model.Call{bash("mkdir -p tests; for i in hello bye; do echo '#!/bin/sh' > tests/$i.sh; chmod +x tests/$i.sh; done")}, calls...)...)
		}
		if isFor(r, "hello") {
			return says(bash("echo >> tests/hello.sh; chmod 644 tests/hello.sh; chmod 555 tests"), write("hello.sh", "echo hello\n"), finish("done"))
		}
		return greeter(r)
	})
	w.done()
}

func TestLostHistoryIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "bye") {
			return says(bash("rm -rf .git; echo 'echo bye' > bye.sh"), finish("done"))
		}
		return greeter(r)
	})
	w.done()
	for _, e := range w.events {
		if e.Kind == ledger.Note && strings.Contains(e.Text, "history up to commit") {
			return
		}
	}
	t.Errorf("nothing is said of the lost history\n%s", w.history())
}

// What git warns of is no answer of git's: here, that HEAD is the name of a branch too.
func TestWarningsOfGitDontMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "bye") && turnOf(r) == 0 {
			return says(bash("git update-ref refs/heads/HEAD HEAD && git rev-parse HEAD"))
		}
		return greeter(r)
	})
	w.done()
	for _, e := range w.events {
		if e.Kind == ledger.CallEnd && strings.Contains(e.Result.Text, "ambiguous") {
			return
		}
	}
	t.Error("git warned of nothing")
}

// planned is an actor that plans one feature with a verify of its own and then plays on.
func planned(verify string, then actor) actor {
	return func(r model.Request) model.Reply {
		if !isPlan(r) {
			return then(r)
		}
		list, err := json.Marshal([]map[string]any{{"id": "hello", "category": "functional", "description": "d", "steps": []string{"s"}, "verify": verify}})
		if err != nil {
			panic(err)
		}
		return says(write("feature_list.json", string(list)), finish("x"))
	}
}

// What a session leaves in $HOME reaches no verification.
func TestI10HomeIsEmptyInProofs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, planned(`test -e "$HOME/planted"`, func(r model.Request) model.Reply {
		return says(bash(`touch "$HOME/planted"; test -e "$HOME/planted"`), finish("done"), blocked("no"))
	}))
	w.o.Features, w.o.MaxSessions = 1, 2
	w.ends(Incomplete)
	if n := w.count(ledger.Passed); n != 0 {
		t.Error("what was planted in $HOME made it pass")
	}
}

// `pytest | tail` must fail when pytest does.
func TestI10PipesFailWithTheirFirstPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, planned("sh hello.sh | cat", func(r model.Request) model.Reply {
		return says(write("hello.sh", "exit 1\n"), finish("done"), blocked("no"))
	}))
	w.o.Features, w.o.MaxSessions = 1, 2
	w.ends(Incomplete)
	if w.count(ledger.Approved) != 1 || w.count(ledger.Passed) != 0 {
		t.Errorf("a pipe hides a failure\n%s", w.history())
	}
}

// No box of a session lives while the host verifies, and the list is the host's then.
func TestI10SessionIsOverWhenVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "hello") {
			return says(bash("sleep 1000 & echo '[]' > feature_list.json"), write("hello.sh", "echo hello\n"), finish("done"))
		}
		return greeter(r)
	})
	w.o.Scope = sandbox.ScopeSession
	looked := false
	w.on = func(e ledger.Event) {
		if e.Kind != ledger.VerifyStart || e.Verify.Why != whyFinish || e.Feature != "hello" {
			return
		}
		looked = true
		if live := w.engine.Live(); live != 0 {
			t.Errorf("%d boxes live during the verification", live)
		}
		if list := w.content("feature_list.json"); !strings.Contains(list, `"hello"`) {
			t.Errorf("the list is the session's: %s", list)
		}
	}
	w.done()
	if !looked {
		t.Error("nothing was verified")
	}
}

// Servers that say "tool_calls" of a cut reply are known by the tokens used up.
func TestReplyThatUsesUpItsTokensIsCut(t *testing.T) {
	t.Parallel()
	asked := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		if asked++; asked == 1 {
			return model.Reply{Calls: []model.Call{write("cut.sh", "x")}, Usage: model.Usage{Known: true, Completion: r.MaxTokens}}
		}
		return greeter(r)
	})
	w.done()
	if _, err := os.Stat(w.path("cut.sh")); err == nil {
		t.Error("a cut reply was executed")
	}
}

// An engine whose boxes break again and again ends the job, not a night of calls.
func TestBoxesThatKeepBreakingEndTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		return says(bash("kill -9 $PPID; sleep 60"))
	})
	if e := w.ends(FailedRun); !strings.Contains(e.Reason, "a box broke") {
		t.Error(e)
	}
	if n := w.count(ledger.CallStart); n != lostBoxes {
		t.Errorf("%d calls were tried", n)
	}
}

// Verifications don't help each other: each has a copy of its own.
func TestI10VerificationsShareNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		switch {
		case isFor(r, "bye"): // works only where hello was verified before it
			return says(write("hello.sh", "touch seen; echo hello\n"), write("bye.sh", "[ -f seen ] && echo bye\n"), finish("done"), blocked("no"))
		default:
			return greeter(r)
		}
	})
	w.o.MaxSessions = 3
	w.ends(Incomplete)
	if s, _ := ReadStatus(w.o.Dir); s.Passing() != 1 {
		t.Errorf("%d features pass", s.Passing())
	}
}

// Why a proof fails for want of what init.sh should have made is said.
func TestFailingInitIsTold(t *testing.T) {
	t.Parallel()
	told := false
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		if turnOf(r) == 0 {
			return says(write("init.sh", "echo cannot build; exit 3\n"), write("hello.sh", "cat made-by-init\n"), finish("done"))
		}
		told = strings.Contains(lastSaid(r), "[init.sh on this copy exited 3: cannot build]")
		return says(write("hello.sh", "echo hello\n"), finish("done"))
	})
	w.done()
	if !told {
		t.Errorf("init.sh's failure was not told\n%s", w.history())
	}
}
