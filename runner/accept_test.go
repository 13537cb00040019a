package runner

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// loud is a test that wants what no feature has: hello in capitals.
func loud() *Acceptance {
	return &Acceptance{Name: "loud.sh", Script: []byte("sh hello.sh | tr a-z A-Z > got; sh hello.sh\nsecret=XYZZY\n[ -f loud ]\n")}
}

// mender builds the features, and what the user's test wants once it is told of it.
func mender(seen *[]string) actor {
	return func(r model.Request) model.Reply {
		for _, m := range r.Messages {
			*seen = append(*seen, m.Content)
		}
		if strings.Contains(task(r), "Session: acceptance\n") {
			return says(write("loud", "yes\n"), finish("it is loud"))
		}
		return greeter(r)
	}
}

// The user's own test decides at the end; the model learns its verdict and
// nothing else, and no box of a session has it.
func TestAcceptanceDecides(t *testing.T) {
	t.Parallel()
	var seen []string
	w := newWorld(t, mender(&seen))
	w.o.Accept = loud()
	w.done()
	verdicts := ""
	for _, p := range w.proofs() {
		verdicts += map[bool]string{true: "green ", false: "red "}[p.Acceptance.Passed]
	}
	if verdicts != "red green " {
		t.Errorf("verdicts %q\n%s", verdicts, w.history())
	}
	all := strings.Join(seen, "\n")
	if strings.Contains(all, "XYZZY") || strings.Contains(all, "[ -f loud ]") || strings.Contains(all, "loud.sh") {
		t.Error("the model has seen the test")
	}
	if !strings.Contains(all, "acceptance test, which you can't see, fails: it exited 1") || strings.Contains(all, "It printed") {
		t.Error("the model was not told its verdict alone")
	}
	if log := w.git("log", "--format=%s"); !strings.Contains(log, "acceptance: work of session 4") {
		t.Errorf("git log:\n%s", log)
	}
	must(t, filepath.WalkDir(w.o.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/"+stateDir+"/") && !strings.Contains(path, "/"+homeDir+"/") {
			return err
		}
		if data, _ := os.ReadFile(path); strings.Contains(string(data), "XYZZY") {
			t.Errorf("the test is in %s", path)
		}
		return nil
	}))
	proof, err := w.looked() // it is kept, and run again
	if err != nil || proof.Acceptance == nil || !proof.Acceptance.Passed {
		t.Errorf("verify: %+v, %v", proof, err)
	}
}

// With --accept-output the model sees what it prints.
func TestAcceptanceOutputIfAllowed(t *testing.T) {
	t.Parallel()
	var seen []string
	w := newWorld(t, mender(&seen))
	w.o.Accept = &Acceptance{Name: "a", Script: []byte("#!/bin/sh\necho it must be loud\n[ -f loud ]\n")}
	w.o.AcceptOutput = true
	w.done()
	if !strings.Contains(strings.Join(seen, "\n"), "It printed:\nit must be loud") {
		t.Error("the model was not told what it printed")
	}
}

// A test that nothing satisfies ends the job after a few sessions, not a night;
// another test is noted and gets tries of its own.
func TestAcceptanceIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if strings.Contains(task(r), "Session: acceptance\n") {
			return model.Reply{Content: "It is fine as it is.", Finish: model.FinishStop}
		}
		return greeter(r)
	})
	w.o.Accept = loud()
	e := w.ends(Incomplete)
	if !strings.Contains(e.Reason, "every feature passes, but the acceptance test (loud.sh) exited 1 after 3 sessions") || e.Hint == "" {
		t.Errorf("%v", e)
	}
	if s, _ := ReadStatus(w.o.Dir); s.Sessions != 3+acceptanceAttempts || s.Passing() != 2 || s.Outcome != Incomplete {
		t.Errorf("%d sessions, %d pass, %s", s.Sessions, s.Passing(), s.Outcome)
	}
	w.events, w.o.Accept = nil, nil
	w.ends(Incomplete) // it is kept without being given again
	if n := w.count(ledger.SessionStart); n != 0 {
		t.Errorf("%d more sessions", n)
	}
	w.events, w.o.Accept = nil, &Acceptance{Name: "calm.sh", Script: []byte("sh bye.sh\n")}
	w.done()
	said := false
	for _, e := range w.events {
		said = said || e.Kind == ledger.Note && strings.Contains(e.Text, "the acceptance test is another one than before: calm.sh")
	}
	if !said {
		t.Error("nobody says that the test was changed")
	}
}

// What work for the user's test breaks is worked on again.
func TestAcceptanceWorkMayBreakNothing(t *testing.T) {
	t.Parallel()
	named := false
	w := newWorld(t, func(r model.Request) model.Reply {
		if !strings.Contains(task(r), "Session: acceptance\n") {
			return greeter(r)
		}
		if turnOf(r) == 0 {
			return says(bash("touch loud; rm bye.sh"), finish("loud"))
		}
		named = strings.Contains(lastSaid(r), "bye passed before and fails now")
		return says(write("bye.sh", "echo bye\n"), finish("loud, and bye"))
	})
	w.o.Accept = loud()
	w.done()
	if !named {
		t.Errorf("the model was not told of bye\n%s", w.history())
	}
}

// A tree that can't be proven is no secret of the user's test: the model is told.
func TestAcceptanceWorkThatCannotBeProved(t *testing.T) {
	t.Parallel()
	told := ""
	w := newWorld(t, func(r model.Request) model.Reply {
		if !strings.Contains(task(r), "Session: acceptance\n") {
			return greeter(r)
		}
		if turnOf(r) == 0 {
			return says(write("loud", "x\n"), write("conftest.py", "x = 1\n"), finish("loud"))
		}
		told = lastSaid(r)
		return says(blocked("it is loud enough"))
	})
	w.o.Accept = loud()
	e := w.ends(Incomplete)
	if !strings.Contains(told, "conftest.py decides how tests run") {
		t.Errorf("the model is told %q", told)
	}
	if !strings.Contains(e.Reason, "(loud.sh) exited 1, and the session for it is blocked: it is loud enough") {
		t.Error(e)
	}
	if dirty := w.git("status", "--porcelain"); dirty != "" {
		t.Errorf("left uncommitted:\n%s", dirty)
	}
}

// With --accept-each the sessions know how far they are.
func TestAcceptEach(t *testing.T) {
	t.Parallel()
	told := ""
	w := newWorld(t, func(r model.Request) model.Reply {
		if isFor(r, "bye") {
			told = task(r)
			return says(write("bye.sh", "echo bye\n"), write("loud", "x\n"), finish("bye"))
		}
		return greeter(r)
	})
	w.o.Accept, w.o.AcceptEach = loud(), true
	w.done()
	runs := 0
	for _, e := range w.events {
		if e.Kind == ledger.VerifyEnd && e.Verify.Why == whyAcceptance {
			runs++
		}
	}
	if runs != 3 || !strings.Contains(told, "which you can't see, fails: it exited 1") {
		t.Errorf("%d runs; bye is told\n%s", runs, told)
	}
}

// A program can't answer for the user's test by rewriting it while it runs.
func TestAcceptanceIsNotRewritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		switch {
		case isPlan(r):
			return says(planCalls("hello")...)
		case isFor(r, "hello"):
			return says(write("hello.sh", "echo hello\na=$HOME/accept; [ ! -e $a ] || { sed 's/./#/g' $a > n; echo >> n; echo exit 0 >> n; cat n > $a; }\n"), finish("done"))
		}
		return says(blocked("no"))
	})
	w.o.Features = 1
	w.o.Accept = &Acceptance{Name: "a", Script: []byte("#!/bin/bash\nsh hello.sh\n[ -f never ]\n")}
	w.ends(Incomplete)
	if proofs := w.proofs(); len(proofs) == 0 || proofs[0].Acceptance == nil || proofs[0].Acceptance.How != "exited 1" {
		t.Errorf("%+v\n%s", proofs, w.history())
	}
}

// A shell runs the user's test from its memory, with the options of its first
// line; what else has a #! runs from the file.
func TestAcceptArgs(t *testing.T) {
	for script, want := range map[string]string{
		"exit 1":                        "bash -c " + acceptShell + " accept",
		"#!/bin/sh -eu\nx":              "/bin/sh -eu -c " + acceptShell + " accept",
		"#! /usr/bin/env -S bash -e\nx": "bash -e -c " + acceptShell + " accept",
		"#!/usr/bin/env python3\nx":     "sh -c " + acceptProgram,
		"#!/usr/bin/env VAR=1 bash\nx":  "sh -c " + acceptProgram,
		"#!\nx":                         "sh -c " + acceptProgram,
	} {
		if got := strings.Join(acceptArgs([]byte(script), "bash"), " "); got != want {
			t.Errorf("%q: %s, want %s", script, got, want)
		}
	}
}
