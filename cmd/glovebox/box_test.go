package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// boxDeath is how long a box may outlive its owner (I5), and some time for the
// engine to say so on a busy machine.
const boxDeath = 10 * time.Second

// noBoxes checks that no container of a job is left: noboxes DIR
func noBoxes(ts *testscript.TestScript, neg bool, args []string) {
	awaitNone(ts, neg, args)
}

// noneRuns is noBoxes right after a process was killed: a container that it had
// made and not started stays until the next start of a box: noneruns DIR
func noneRuns(ts *testscript.TestScript, neg bool, args []string) {
	awaitNone(ts, neg, args, "--filter", "status=running", "--filter", "status=removing")
}

func awaitNone(ts *testscript.TestScript, neg bool, args []string, filters ...string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: noboxes DIR, noneruns DIR")
	}
	s, err := runner.ReadStatus(ts.MkAbs(args[0]))
	ts.Check(err)
	deadline := time.Now().Add(boxDeath)
	for {
		// Each question takes the engine some 20 ms, so this is no busy loop.
		out, err := exec.Command("docker", append([]string{"ps", "-aq", "--filter", "label=glovebox.job=" + s.ID}, filters...)...).Output()
		ts.Check(err)
		left := strings.Fields(string(out))
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("containers of job %s are left: %q", s.ID, left)
		}
	}
}

// nothingLeft checks that of a job neither a container nor a volume is left: nothingleft DIR
func nothingLeft(ts *testscript.TestScript, neg bool, args []string) {
	noBoxes(ts, neg, args)
	s, err := runner.ReadStatus(ts.MkAbs(args[0]))
	ts.Check(err)
	out, err := exec.Command("docker", "volume", "ls", "-q", "--filter", "label=glovebox.job="+s.ID).Output()
	ts.Check(err)
	if left := strings.Fields(string(out)); len(left) > 0 {
		ts.Fatalf("volumes of job %s are left: %q", s.ID, left)
	}
}

// once checks that nothing was done twice in a job that was killed and went
// on: every feature passed once, no two commits are for the same thing (one
// commit may be recorded twice: it was made, and after a kill found made), and
// each event follows the one before: once DIR
func once(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: once DIR")
	}
	events, err := runner.ReadLedger(ts.MkAbs(args[0]))
	ts.Check(err)
	seen := map[string]string{}
	for i, e := range events {
		if e.Seq != int64(i)+1 {
			ts.Fatalf("event %d has number %d", i+1, e.Seq)
		}
		what, which := "", fmt.Sprint(e.Seq)
		switch e.Kind {
		case ledger.Passed:
			what = "passed " + e.Feature
		case ledger.CommitEnd:
			what, which = "commit "+e.Commit.Message, e.Commit.Hash
		case ledger.Approved:
			what = "approved"
		default:
			continue
		}
		if before, ok := seen[what]; ok && before != which {
			ts.Fatalf("twice: %s (%s, %s)", what, before, which)
		}
		seen[what] = which
	}
}

// jsonLines checks that a file is JSON objects, one a line, and at least some: jsonlines FILE
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: jsonlines FILE")
	}
	lines := bytes.Split(bytes.TrimSuffix([]byte(ts.ReadFile(args[0])), []byte("\n")), []byte("\n"))
	for _, line := range lines {
		var e ledger.Event
		if err := json.Unmarshal(line, &e); err != nil || e.Kind == "" || e.Seq == 0 {
			ts.Fatalf("no event: %q: %v", line, err)
		}
	}
	if len(lines) < 3 {
		ts.Fatalf("only %d lines", len(lines))
	}
}
