package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// The page says where the last proof was made, what came of each feature and of
// the user's own test, where the commits are, and what is left to look at.
func TestLastProof(t *testing.T) {
	events, s := night(t, asItIs)
	job := build(events, s, Options{})
	page := string(written(t, func(b *bytes.Buffer) error { return HTML(b, reportOf(job)) }))
	for _, want := range []string{"failed</span> <bdi>in a fresh clone of commit 5c188fd5c1</bdi>", "<bdi>acceptance test</bdi>", "<bdi>exited 7</bdi><pre>no prices</pre>",
		"what is proved is the commit", "<code>glovebox/j1</code>, from <code>main</code>", "<bdi>.envrc</bdi>", "kept as <bdi>.glovebox/handover/1</bdi>", "3 more are only counted",
		"unseen (--yes), <bdi>ada (1000)</bdi>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if ship := job.Features[2]; ship.State != Proved || ship.Proof.Why != "finish" {
		t.Errorf("what verify says of the state before the work counts for ship: %+v", ship.Proof)
	}
}

// What fails in the last proof is not proved, whatever the list says, until it
// has passed again: `glovebox verify` does not change the list.
func TestProofOutweighsTheList(t *testing.T) {
	events, s := night(t, asItIs)
	end := events[len(events)-1]
	end.End.Outcome = "done"
	proof := func(passed bool) ledger.Event {
		e := end
		e.Kind, e.End, e.Proof = ledger.Proved, nil, &ledger.ProofInfo{Features: []ledger.ProofResult{{ID: "ship", Passed: passed, How: "exited 9"}}}
		return e
	}
	s.List.Features = s.List.Features[2:3]
	failed := build(append(events, proof(false)), s, Options{})
	if f := failed.Features[0]; f.State != Open || !strings.Contains(f.Why, "exited 9") || failed.Tone() != "bad" || !strings.Contains(failed.Next(), "goes on") {
		t.Errorf("%s, %q, %s, %s", f.State, f.Why, failed.Tone(), failed.Next())
	}
	text := written(t, func(b *bytes.Buffer) error { return JUnit(b, reportOf(failed)) })
	if !bytes.Contains(text, []byte("<failure")) {
		t.Errorf("JUnit is green: %s", text)
	}
	again := build(append(events, proof(false), proof(true)), s, Options{})
	if again.Features[0].State != Proved || again.Tone() != "good" {
		t.Errorf("after a proof that passed: %s, %s", again.Features[0].Why, again.Tone())
	}
}

// Each reason for a verification, and each mark, is told in words.
func TestMarks(t *testing.T) {
	events, s := night(t, asItIs)
	for _, kind := range []ledger.Kind{ledger.Disputed, ledger.Revised, ledger.Unblocked} {
		e := events[len(events)-1]
		e.Kind, e.End, e.Feature, e.Text = kind, nil, "ship", "because"
		events = append(events, e)
	}
	if got := strings.Join(build(events, s, Options{}).Features[2].Tags(), "; "); got != "flaky; test disputed; test corrected; second chance" {
		t.Error(got)
	}
	for _, why := range []string{"red-check", "before-session", "finish", "session-end", "regression", "baseline", "again", "acceptance", "without-work", "final"} {
		if when(why) == why {
			t.Errorf("%s has no words", why)
		}
	}
}
