package runner

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
)

func TestJobEndsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	status := w.done()
	if status.Passing() != 2 || status.Sessions != 3 || status.Outcome != Done {
		t.Errorf("status = %+v", status)
	}
	if log := w.git("log", "--format=%s"); log != "Record session 3 (bye)\nbye: Say bye\nRecord session 2 (hello)\nhello: Say hello\nPlan 2 features" {
		t.Errorf("git log:\n%s", log)
	}
	if dirty := w.git("status", "--porcelain"); dirty != "" {
		t.Errorf("left uncommitted:\n%s", dirty)
	}
	if list := w.content("feature_list.json"); strings.Count(list, `"passes": true`) != 2 {
		t.Errorf("feature_list.json does not show what passes:\n%s", list)
	}
	finals := 0
	for _, e := range w.events {
		if e.Kind == ledger.VerifyEnd && e.Verify.Why == whyFinal && e.Verify.Passed {
			finals++
		}
	}
	if finals != 2 {
		t.Errorf("%d features were verified at the end", finals)
	}
	if notes := w.content("progress.md"); !strings.Contains(notes, "hello says hello") {
		t.Errorf("progress.md lacks the note:\n%s", notes)
	}
	if tracked, err := StateIsTracked(w.o.Dir); err != nil || tracked {
		t.Errorf("StateIsTracked = %v, %v", tracked, err)
	}
	if seen, err := ReadStatus(w.o.Dir); err != nil || seen.Outcome != Done || seen.Passing() != 2 || seen.Running || seen.Lent {
		t.Errorf("ReadStatus = %+v, %v", seen, err)
	}
}

// Wherever a process ends, the same command goes on and nothing is done twice.
func TestResumeAtEveryEvent(t *testing.T) {
	t.Parallel()
	whole := newWorld(t, greeter)
	whole.done()
	step := 11
	switch {
	case os.Getenv("GLOVEBOX_PROOF") == "full":
		step = 1
	case testing.Short():
		step = len(whole.events) - 1
	}
	for stop := 1; stop <= len(whole.events); stop += step {
		w := newWorld(t, greeter)
		ctx, cancel := context.WithCancel(context.Background())
		seen := 0
		w.on = func(ledger.Event) {
			if seen++; seen == stop {
				cancel()
			}
		}
		_, err := Run(ctx, w.o)
		cancel()
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Outcome != Interrupted) {
			t.Fatalf("stopped at event %d: %v", stop, err)
		}
		status := w.done()
		if status.Passing() != 2 {
			t.Errorf("stopped at event %d: %d of 2 pass", stop, status.Passing())
		}
		if log := w.git("log", "--format=%s"); strings.Count(log, "Plan 2 features") != 1 || strings.Count(log, "hello:") != 1 || strings.Count(log, "bye:") != 1 {
			t.Errorf("stopped at event %d: history is\n%s", stop, log)
		}
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	other := w.o
	other.Observe = nil
	tried := false
	w.on = func(e ledger.Event) {
		if e.Kind != ledger.SessionStart || tried {
			return
		}
		tried = true
		_, err := Run(context.Background(), other)
		var busy *Error
		if !errors.As(err, &busy) || busy.Outcome != FailedRun || !strings.Contains(busy.Reason, "another process (pid ") {
			t.Errorf("a second process on the job: %v", err)
		}
		if s, err := ReadStatus(w.o.Dir); err != nil || !s.Running {
			t.Errorf("status while it runs: %+v, %v", s, err)
		}
	}
	w.done()
	if !tried {
		t.Error("no session began")
	}
}

func TestOtherSpecIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.done()
	w.o.Spec.Text = "Something else.\n"
	if e := w.ends(Usage); !strings.Contains(e.Reason, "another specification (spec.txt)") {
		t.Error(e)
	}
}

func TestStateOfAStrangerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	if err := os.Symlink(t.TempDir(), w.path(".glovebox")); err != nil {
		t.Fatal(err)
	}
	w.ends(Usage)
	if w.engine.Starts() != 0 {
		t.Error("a box was started")
	}
	if os.Geteuid() != 0 {
		return
	}
	must(t, os.Remove(w.path(".glovebox")))
	must(t, os.Mkdir(w.path(".glovebox"), 0o700))
	must(t, os.Chown(w.path(".glovebox"), 1234, 1234))
	w.ends(Usage)
}

// watcher is an engine that is asked for boxes through it.
type watcher struct {
	sandbox.Engine
	look func(*sandbox.Spec)
}

func (e watcher) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	e.look(&s)
	return e.Engine.Start(ctx, s)
}

// I1: the state is covered in every box that sees the project; proofs see a
// copy without it, and no $HOME of the session.
func TestI1StateIsHiddenInEveryBox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	var mu sync.Mutex
	seen := map[string]int{}
	w.o.Engine = watcher{w.engine, func(s *sandbox.Spec) {
		mu.Lock()
		defer mu.Unlock()
		switch s.Workspace {
		case w.o.Dir:
			seen["project"]++
			if !slices.Equal(s.Hidden, []string{".glovebox"}) {
				t.Errorf("a box of the project hides %v", s.Hidden)
			}
		case w.path(".glovebox/proof"), w.path(".glovebox/before"):
			seen["proof"]++
			if s.Home != "" {
				t.Errorf("a proof has the home %s", s.Home)
			}
		default:
			t.Errorf("a box has the workspace %q", s.Workspace)
		}
	}}
	w.done()
	if seen["project"] == 0 || seen["proof"] == 0 {
		t.Errorf("boxes: %v", seen)
	}
}

// An engine that mounts another directory than the one meant, on another
// machine say, is noticed before the model is asked.
func TestI1OtherMountIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(model.Request) model.Reply {
		t.Error("the model was asked")
		return model.Reply{}
	})
	other := t.TempDir()
	w.o.Engine = watcher{w.engine, func(s *sandbox.Spec) {
		if s.Home != "" {
			s.Home = other
		}
	}}
	if e := w.ends(NoSandbox); !strings.Contains(e.Reason, "another directory") {
		t.Error(e)
	}
}

// A .glovebox that came with a repository may say that everything passes.
func TestTrackedStateIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.git("init", "-q")
	if err := os.Mkdir(w.path(".glovebox"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path(".glovebox/features.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.git("add", "-f", ".glovebox/features.json")
	if tracked, err := StateIsTracked(w.o.Dir); err != nil || !tracked {
		t.Errorf("StateIsTracked = %v, %v", tracked, err)
	}
	if err := os.Remove(w.path(".glovebox/features.json")); err != nil {
		t.Fatal(err)
	}
	if e := w.ends(Usage); !strings.Contains(e.Reason, "git tracks .glovebox") {
		t.Error(e)
	}
}

func TestMaxIterations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.MaxSessions = 1
	if e := w.ends(Incomplete); !strings.Contains(e.Reason, "--max-iterations") {
		t.Error(e)
	}
	if n := w.count(ledger.SessionStart); n != 1 {
		t.Errorf("%d sessions began", n)
	}
	w.ends(Incomplete)
	w.done() // the last feature needs one more session
}

// I8: nothing of a reply from another model is executed; what it cost is booked.
func TestI8WrongModelExecutesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		reply := greeter(r)
		reply.Model = "actor-2"
		return reply
	})
	w.o.ModelInfo.Price.Prompt = price("0.0001")
	e := w.ends(ModelRefused)
	if !strings.Contains(e.Error(), "actor-2") {
		t.Errorf("the message does not name who answered: %v", e)
	}
	if n := w.count(ledger.CallStart); n != 0 {
		t.Errorf("%d calls were executed", n)
	}
	if _, err := os.Stat(w.path("README.md")); err == nil {
		t.Error("a file of the refused reply was written")
	}
	if s, _ := ReadStatus(w.o.Dir); s.Spent.String() != "0.01" {
		t.Errorf("spent = %s, want the 0.01 that the refused reply cost", s.Spent)
	}
}

// I9, one process: spent and the worst case of the next request stay below the cap.
func TestI9BudgetEndsTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if isPlan(r) {
			return greeter(r)
		}
		return says(bash("echo working " + strings.Repeat("x", turnOf(r))))
	})
	w.o.ModelInfo.Price.Completion = price("0.0001")
	w.o.MaxTokens = 1000
	w.o.Budget = price("0.12")
	w.on = func(e ledger.Event) {
		if e.Kind != ledger.Request {
			return
		}
		if s, err := ReadStatus(w.o.Dir); err == nil && s.Spent.GreaterThan(w.o.Budget) {
			t.Errorf("spent and reserved %s over a cap of %s", s.Spent, w.o.Budget)
		}
	}
	w.ends(OverBudget)
	w.events = nil
	w.ends(OverBudget) // the cap holds over restarts
	if n := w.count(ledger.Reply); n > 1 {
		t.Errorf("%d replies were bought after the cap", n)
	}
}

func TestRejectedListEndsTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	asked := 0
	w.o.Approve = func(_ context.Context, p Proposal) (Answer, error) {
		asked++
		if len(p.Features) != 2 || p.Note != "nothing is left out" {
			t.Errorf("asked about %+v", p)
		}
		if asked == 1 {
			return Answer{}, &Error{Outcome: Rejected, Reason: "the list was rejected"}
		}
		return Answer{}, nil
	}
	w.ends(Rejected)
	w.done() // asked again, not planned again
	if n := w.count(ledger.SessionStart); n != 3 || asked != 2 {
		t.Errorf("%d sessions, asked %d times", n, asked)
	}
}

// An image without git works: nothing is committed, which is said once.
func TestImageWithoutGit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.Image = bareImage(t)
	if s := w.done(); s.Passing() != 2 || s.Commits != 0 {
		t.Errorf("%d pass, %d commits", s.Passing(), s.Commits)
	}
	said := 0
	for _, e := range w.events {
		if e.Kind == ledger.Note && strings.Contains(e.Text, "no git") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times that there is no git", said)
	}
	if _, err := os.Stat(w.path(".git")); err == nil {
		t.Error("there is a .git")
	}
}

// A box that is lost fails its call; the session goes on in a new one.
func TestLostBoxFailsTheCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") || turnOf(r) > 0 {
			if isFor(r, "hello") && turnOf(r) == 1 && !strings.Contains(lastSaid(r), "The box was lost during this call") {
				t.Errorf("the model was told %q", lastSaid(r))
			}
			return greeter(r)
		}
		return says(bash("kill -9 $PPID; sleep 60"))
	})
	w.done()
}

// The engine's refusal of a wall ends the job before anything is asked.
func TestI11NoWallNoRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(model.Request) model.Reply {
		t.Error("the model was asked")
		return model.Reply{}
	})
	for n := 1; n < 4; n++ {
		w.engine.FailStart(n, &sandbox.WallError{Wall: "memory limit", Why: "the kernel has none"})
	}
	if e := w.ends(NoSandbox); !strings.Contains(e.Error(), "memory limit") {
		t.Error(e)
	}
}

// refusing is a model whose provider refuses until it is told otherwise.
type refusing struct {
	err error
	actor
}

func (r *refusing) Reply(ctx context.Context, q model.Request) (model.Reply, error) {
	if r.err != nil {
		return model.Reply{}, r.err
	}
	return r.actor.Reply(ctx, q)
}

// A provider that refuses uses up no attempt: with the right key the same
// command goes on, however often it was tried before.
func TestProviderErrorsUseUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	m := &refusing{actor: greeter, err: &model.Error{Fault: model.FaultKey, Status: 401, Message: "bad key"}}
	w.o.Model = m
	for range initializerAttempts + 1 {
		e := w.ends(FailedRun)
		if !strings.Contains(e.Error(), "refuses the key (HTTP 401)") || e.Hint == "" {
			t.Errorf("said %q, hint %q", e.Error(), e.Hint)
		}
	}
	m.err = nil
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.Approved {
			m.err = &model.Error{Fault: model.FaultCredits, Status: 402, Message: "no credits"}
		}
	}
	for range codingAttempts + 1 {
		w.ends(FailedRun)
	}
	if s, err := ReadStatus(w.o.Dir); err != nil || s.Outcome != FailedRun || !strings.Contains(s.Reason, "no credits") || s.Hint == "" {
		t.Errorf("status: %+v, %v", s, err)
	}
	m.err, w.on = nil, nil
	w.done()
}

func TestFeaturesAreFixedOnceBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.MaxSessions = 1
	w.ends(Incomplete)
	w.o.Features = 7
	if e := w.ends(Usage); !strings.Contains(e.Reason, "begun with 2 features") {
		t.Error(e)
	}
	w.o.Features, w.o.MaxSessions = 0, 0
	w.done()
}

// A command that closes the workspace or $HOME to everybody ends neither the
// session nor the job, and both are open to their owner again after it.
func TestClosedDirectoriesAreOpened(t *testing.T) {
	t.Parallel()
	for _, scope := range []sandbox.Scope{sandbox.ScopeSession, sandbox.ScopeCall} {
		modes := ""
		w := newWorld(t, func(r model.Request) model.Reply {
			if !isFor(r, "hello") {
				return greeter(r)
			}
			switch turnOf(r) {
			case 0:
				return says(bash("chmod 000 . $HOME"))
			case 1:
				return says(bash("stat -c 'mode %a' . $HOME"))
			case 2:
				modes = lastSaid(r)
				return says(write("hello.sh", "echo hello\n"), bash("chmod 000 ."), finish("hello says hello"))
			}
			return greeter(r)
		})
		w.o.Scope = scope
		w.done()
		if strings.Count(modes, "mode 700") != 2 {
			t.Errorf("%s: the next call saw %q", scope, modes)
		}
		if info, err := os.Stat(w.o.Dir); err != nil || info.Mode().Perm()&0o700 != 0o700 {
			t.Errorf("%s: the directory is left as %v, %v", scope, info.Mode(), err)
		}
	}
}
