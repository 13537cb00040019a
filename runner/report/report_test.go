package report

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// A report's sums are the ledger's, to the last digit, whatever happened in between.
func TestSumsAreTheLedgers(t *testing.T) {
	events, s := night(t, asItIs)
	for n := range events { // at any time
		sums, job := ledger.Sums(events[:n]), build(events[:n], s, Options{})
		for _, c := range []struct{ what, got, want string }{
			{"spent", job.Money.Spent.String(), sums.Spent().String()},
			{"settled", job.Money.Settled.String(), sums.Settled.String()},
			{"lost", job.Money.Lost.String(), sums.Lost.String()},
			{"reserved", job.Money.Reserved.String(), sums.Reserved.String()},
			{"unsettled", job.Money.Unsettled.String(), sums.Unsettled().String()},
		} {
			if c.got != c.want {
				t.Fatalf("after %d events %s is %s, not %s", n, c.what, c.got, c.want)
			}
		}
		if job.Tokens.All() != sums.Prompt+sums.Completion || job.Counts.Calls != sums.Calls || job.Counts.Boxes != sums.Boxes {
			t.Fatalf("after %d events: %+v, %+v", n, job.Tokens, job.Counts)
		}
	}
	job := build(events, s, Options{})
	bySession := job.Money.Lost.Add(job.Money.Reserved)
	for _, session := range job.Sessions {
		bySession = bySession.Add(session.Spent)
	}
	if !bySession.Equal(job.Money.Spent) || job.Money.Spent.String() != "0.8956486789" {
		t.Errorf("sessions and what was lost make %s, the job says %s", bySession, job.Money.Spent)
	}
}

// What became of each feature is what the state says, with the verification that shows it.
func TestFeatures(t *testing.T) {
	events, s := night(t, asItIs)
	job := build(events, s, Options{})
	if got := job.Headline(); got != "1 of 4 features proved, 1 blocked" {
		t.Errorf("headline %q", got)
	}
	want := []struct {
		id, state, why, proof string
		passed                bool
	}{
		{"cart", Open, "broken by the session for ship", "regression", false},
		{"pay", Blocked, "2 sessions did not make it pass", "finish", false},
		{"ship", Proved, "", "finish", true},
		{"track", Open, "no session has worked on it yet", "", false},
	}
	for i, f := range job.Features {
		proof, passed := "", false
		if f.Proof != nil {
			proof, passed = f.Proof.Why, f.Proof.Passed
		}
		if w := want[i]; f.ID != w.id || f.State != w.state || f.Why != w.why || proof != w.proof || passed != w.passed {
			t.Errorf("got %s %s %q %s %v, want %+v", f.ID, f.State, f.Why, proof, passed, w)
		}
	}
	if ship := job.Features[2]; ship.Commit == "" || ship.Tokens.All() != 10600 || ship.Spent.String() != "0.100001" || ship.Sessions != 1 {
		t.Errorf("%+v", ship)
	}
	if pay := job.Features[1]; pay.Sessions != 2 || pay.Spent.String() != "0.350001" {
		t.Errorf("%+v", pay)
	}
	if job.State != "incomplete" || *job.ExitCode != 3 || job.Next() != "the same command goes on" {
		t.Errorf("%s, %s", job.State, job.Next())
	}
}

// What a person should know is there, in the order in which it happened; a kind
// of event that this version does not know is taken for what it says.
func TestNotes(t *testing.T) {
	events, s := night(t, asItIs)
	later := events[len(events)-1]
	later.Seq, later.Kind, later.End = later.Seq+1, "branch", nil
	job := build(append(events, later), s, Options{})
	want := []string{"note: the last line of the ledger was torn", "waiting: until 2026-03-01 22:11:42 UTC: HTTP 429: slow down", "flaky: ship: green, then red on the same files"}
	if len(job.Notes) != len(want) {
		t.Fatalf("%+v", job.Notes)
	}
	for i, n := range job.Notes {
		if got := n.Kind + ": " + n.Text; got != want[i] {
			t.Errorf("%q, not %q", got, want[i])
		}
	}
	if tags := job.Features[2].Tags(); len(tags) != 1 || tags[0] != "flaky" || len(job.Features[0].Tags()) != 0 {
		t.Errorf("tags %v", tags)
	}
}

// A job that runs, one that was killed and one without a list say so.
func TestUnfinishedJobs(t *testing.T) {
	events, s := night(t, asItIs)
	for _, c := range []struct {
		events  int
		running bool
		state   string
	}{{0, false, notEnded}, {5, true, running}, {5, false, notEnded}, {len(events), true, running}} {
		s.Running = c.running
		job := build(events[:c.events], s, Options{})
		if job.State != c.state || job.Next() == "" {
			t.Errorf("after %d events, running %v: %s, next: %s", c.events, c.running, job.State, job.Next())
		}
	}
	empty := build(nil, State{ID: "j"}, Options{})
	if page := written(t, func(b *bytes.Buffer) error { return HTML(b, reportOf(empty)) }); !bytes.Contains(page, []byte("no features planned yet")) {
		t.Error("a job without events has no page")
	}
}

// The published schema is what the report is, with nothing unsaid on either side.
func TestSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("../../docs/report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	events, s := night(t, asItIs)
	killed, hostile := s, s
	killed.Running = true
	hostile.SpecText = strings.Repeat("x", specMax*2)
	for name, r := range map[string]*Report{
		"night": reportOf(build(events, s, Options{}), build(events, hostile, Options{Texts: 10})), "running": reportOf(build(events[:9], killed, Options{})),
		"nothing": reportOf(build(nil, State{}, Options{})), "no jobs": reportOf(),
	} {
		text := written(t, func(b *bytes.Buffer) error { return JSON(b, r) })
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile("../../docs/report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	job := reportOf(build(events, s, Options{}))
	whole := written(t, func(b *bytes.Buffer) error { return JSON(b, job) })
	for _, key := range keysOf(t, whole) {
		if !bytes.Contains(text, []byte(`"`+key+`"`)) {
			t.Errorf("the schema does not know %q", key)
		}
	}
	if bytes.Contains(whole, []byte("0.8956486789,")) || !bytes.Contains(whole, []byte(`"spent": "0.8956486789"`)) {
		t.Error("an amount is no string")
	}
}

// keysOf are the keys of all objects in a JSON text.
func keysOf(t *testing.T, text []byte) []string {
	t.Helper()
	var keys []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				keys = append(keys, k)
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	walk(v)
	return keys
}

// Another program reads the JUnit file and finds every feature in it, with
// what verify printed.
func TestJUnit(t *testing.T) {
	events, s := night(t, asItIs)
	text := written(t, func(b *bytes.Buffer) error { return JUnit(b, reportOf(build(events, s, Options{}))) })
	suites, err := junit.Ingest(text)
	if err != nil || len(suites) != 1 {
		t.Fatalf("%d suites, %v", len(suites), err)
	}
	got := suites[0]
	if total := got.Totals; total.Tests != 5 || total.Passed != 1 || total.Failed != 3 || total.Skipped != 1 {
		t.Errorf("%+v", total)
	}
	want := map[string]junit.Status{"cart": junit.StatusFailed, "pay": junit.StatusSkipped, "ship": junit.StatusPassed, "track": junit.StatusFailed, "acceptance test": junit.StatusFailed}
	for _, test := range got.Tests {
		if test.Status != want[test.Name] || test.Classname != "shop.txt" {
			t.Errorf("%s is %s", test.Name, test.Status)
		}
	}
	if cart := got.Tests[0]; cart.Message != "broken by the session for ship" || !strings.Contains(cart.Error.Error(), "1 failed") {
		t.Errorf("cart: %q, %v", cart.Message, cart.Error)
	}
	for key, value := range map[string]string{"outcome": "incomplete", "spent_usd": "0.8956486789", "flaky.ship": "green, then red on the same files", "branch": "glovebox/j1",
		"proof": "in a fresh clone of commit 5c188fd5c1", "handover": "2 things of git made harmless, 1 thing that runs when you enter it, open it or type git"} {
		if got.Properties[key] != value {
			t.Errorf("property %s is %q", key, got.Properties[key])
		}
	}
	checkJUnit(t, text)
}

// A job that ended badly is never a file in which all is green.
func TestJUnitIsNeverGreenByOmission(t *testing.T) {
	events, s := night(t, asItIs)
	events = slices.DeleteFunc(events, func(e ledger.Event) bool { return e.Kind == ledger.Proved })
	passing := s
	passing.List.Features = s.List.Features[2:3]
	for name, job := range map[string]*Job{"no list": build(events[:4], State{Spec: "a"}, Options{}), "all green but interrupted": build(events, passing, Options{})} {
		text := written(t, func(b *bytes.Buffer) error { return JUnit(b, reportOf(job)) })
		suites, err := junit.Ingest(text)
		if err != nil || suites[0].Totals.Error != 1 {
			t.Errorf("%s: %+v, %v", name, suites, err)
		}
		checkJUnit(t, text)
	}
}
