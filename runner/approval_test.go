package runner

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// answers is a person who gives one answer after the other and accepts then.
func answers(proposals *[]Proposal, all ...func(Proposal) Answer) func(context.Context, Proposal) (Answer, error) {
	return func(_ context.Context, p Proposal) (Answer, error) {
		n := len(*proposals)
		*proposals = append(*proposals, p)
		if n < len(all) {
			return all[n](p), nil
		}
		return Answer{}, nil
	}
}

func edited(change func(feature.List) feature.List) func(Proposal) Answer {
	return func(p Proposal) Answer { return Answer{List: feature.Public(change(p.Features))} }
}

// A person's list is checked like the model's: what is wrong is said and the
// old list stands; a verify that is not red before the work is no proof.
func TestEditedListIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	var shown []Proposal
	w.o.Person = "ada (uid 1)"
	w.o.Approve = answers(&shown,
		func(Proposal) Answer { return Answer{List: []byte(`[{"id": "Hello"}]`)} },
		edited(func(l feature.List) feature.List { l[0].Verify = "test -e README.md"; return l }),
		edited(func(l feature.List) feature.List { l[0].Frozen = []string{"tests/none.sh"}; return l }),
		edited(func(l feature.List) feature.List { return l[:1] }),
	)
	if s := w.done(); len(s.Features) != 1 || s.ApprovedHow != "person" || s.ApprovedBy != "ada (uid 1)" || s.ApprovedHash != feature.Hash(s.Features) {
		t.Errorf("status = %+v", s)
	}
	if len(shown) != 5 {
		t.Fatalf("asked %d times", len(shown))
	}
	for i, want := range []string{"", "id", "hello: verify passes before anything is built", "frozen names tests/none.sh", ""} {
		if got := strings.Join(shown[i].Problems, "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("question %d tells %q, want %q", i, got, want)
		}
		if n := len(shown[i].Features); i < 4 && n != 2 || i == 4 && n != 1 {
			t.Errorf("question %d shows %d features", i, n)
		}
	}
	if out := shown[0].Output["hello"]; out == "" || shown[0].Red["hello"] == "" {
		t.Errorf("what hello's verify printed is not shown: %q", out)
	}
	for _, e := range w.events {
		if e.Kind == ledger.Approved && (e.List.By != "ada (uid 1)" || e.List.Hash != lastHash(shown)) {
			t.Errorf("recorded %+v", e.List)
		}
	}
}

func lastHash(shown []Proposal) string { return feature.Hash(shown[len(shown)-1].Features) }

// A remark is a session of the initializer's, whose list is checked and run red anew.
func TestRemarkMakesAnotherList(t *testing.T) {
	t.Parallel()
	asked := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isPlan(r) {
			return greeter(r)
		}
		if asked++; asked == 1 {
			return says(planCalls("hello", "bye")...)
		}
		if !strings.Contains(task(r), "A person wants this to be different: only hello, please") {
			t.Errorf("the remark is not in the prompt:\n%s", task(r))
		}
		return says(planCalls("hello")...)
	})
	var shown []Proposal
	w.o.Approve = answers(&shown, func(Proposal) Answer { return Answer{Remark: "only hello, please"} })
	if s := w.done(); len(s.Features) != 1 || len(shown) != 2 || len(shown[1].Features) != 1 {
		t.Errorf("%d features, asked %d times", len(s.Features), len(shown))
	}
	reds := 0
	for _, e := range w.events {
		if e.Kind == ledger.VerifyEnd && e.Verify.Why == whyRedCheck {
			reds++
		}
	}
	if reds != 3 || w.count(ledger.Remarked) != 1 {
		t.Errorf("%d red checks, %d remarks\n%s", reds, w.count(ledger.Remarked), w.history())
	}
}

// A remark that a crash has cut off from its session is not lost.
func TestRemarkOutlivesACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	var shown []Proposal
	w.o.Approve = answers(&shown, func(Proposal) Answer { return Answer{Remark: "again"} })
	ctx, cancel := context.WithCancel(t.Context())
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.Remarked {
			cancel()
		}
	}
	if _, err := Run(ctx, w.o); err == nil {
		t.Fatal("the job was not interrupted")
	}
	planned := 0
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.SessionStart && e.Started.Kind == initializer {
			planned++
		}
	}
	w.done()
	if planned != 1 {
		t.Errorf("%d sessions answered the remark", planned)
	}
}

// signedOff is the list that planCalls write, as a person has it in a file.
func signedOff(t *testing.T, ids ...string) feature.List {
	calls := planCalls(ids...)
	var a struct{ Content string }
	mustJSON(t, calls[len(calls)-2].Arguments, &a)
	list, problems := feature.Parse([]byte(a.Content), len(ids))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return list
}

// A list that was signed off before is taken exactly as it is: the initializer
// is told it and makes its tests.
func TestSignedOffListIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isPlan(r) {
			return greeter(r)
		}
		if !strings.Contains(task(r), "The list is decided") || !strings.Contains(task(r), "exactly 1") {
			t.Errorf("the initializer is not told:\n%s", task(r))
		}
		return says(append([]model.Call{bash("cat feature_list.json")}, planCalls("hello", "bye")...)...)
	})
	w.o.SignedOff = signedOff(t, "hello")
	s := w.done()
	if len(s.Features) != 1 || s.ApprovedHow != "file" || s.ApprovedHash != feature.Hash(w.o.SignedOff) {
		t.Errorf("status = %+v", s)
	}
	if !strings.Contains(w.told(), `"id": "hello"`) {
		t.Error("the list was not there for the initializer")
	}
	w.done() // the same command

	w.o.SignedOff = signedOff(t, "hello", "bye")
	if e := w.ends(Usage); !strings.Contains(e.Reason, "bye is new") {
		t.Error(e)
	}
}

// A list whose proofs are green before the work is refused, and it is said which.
func TestSignedOffListMustBeRed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply { return says(planCalls("hello")...) })
	w.o.SignedOff = signedOff(t, "hello")
	w.o.SignedOff[0].Verify, w.o.SignedOff[0].Frozen = "test -e README.md", nil
	if e := w.ends(Incomplete); !strings.Contains(e.Reason, "hello: verify passes before anything is built") {
		t.Error(e)
	}
}

// The predecessor's list is taken over: the first session adds what proves it.
func TestOldListIsTakenOver(t *testing.T) {
	t.Parallel()
	tries := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isPlan(r) {
			return greeter(r)
		}
		if !strings.Contains(task(r), "came with the project, 2 features without proof") {
			t.Errorf("the initializer is not told:\n%s", task(r))
		}
		if tries++; tries == 1 {
			return says(planCalls("bye", "hello")...) // in another order
		}
		if !strings.Contains(lastSaid(r), "is not one of the list that was there, or not in its order") {
			t.Errorf("told %q", lastSaid(r))
		}
		return says(planCalls("bye")...)
	})
	w.o.Features = 0
	must(t, os.WriteFile(w.path("feature_list.json"), []byte(`[
{"category": "functional", "description": "Say hello", "steps": ["s"], "passes": false},
{"category": "functional", "description": "Say bye", "steps": ["s"], "passes": true}]`), 0o644))
	s := w.done()
	if len(s.Features) != 1 || s.Features[0].ID != "bye" || !strings.Contains(s.Note, "Left out of the list that was there: Say hello") {
		t.Errorf("features %+v, note %q", s.Features, s.Note)
	}
}

func mustJSON(t *testing.T, text string, into any) {
	t.Helper()
	must(t, json.Unmarshal([]byte(text), into))
}

// What a person changes of an accepted list is recorded with who did, passes no
// more, and counts only once its verify was seen failing before the work.
func TestEditedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.done()
	before, _ := ReadStatus(w.o.Dir)
	edit := func(change func(feature.List)) (bool, error) {
		return EditList(w.o.Dir, "ada (uid 1)", nil, func(list []feature.Feature, problems []string) ([]byte, error) {
			if len(problems) > 0 {
				t.Errorf("problems %q", problems)
				return nil, nil
			}
			change(list)
			return feature.Public(list), nil
		})
	}
	if changed, err := edit(func(l feature.List) { l[1].Verify = "test -e README.md" }); err != nil || !changed {
		t.Fatal(changed, err)
	}
	s, err := ReadStatus(w.o.Dir)
	if err != nil || !s.Features[0].Passes || s.Features[1].Passes || s.ApprovedHash != before.ListHash || s.ListHash == before.ListHash {
		t.Errorf("%+v, %v", s, err)
	}
	if e := w.ends(Usage); !strings.Contains(e.Reason, "bye: verify passes before anything is built") {
		t.Error(e)
	}
	if _, err := edit(func(l feature.List) { l[1].Verify = "echo more >> README.md; false" }); err != nil {
		t.Fatal(err)
	}
	if e := w.ends(Usage); !strings.Contains(e.Reason, "the edited list proves nothing: ") || !strings.Contains(e.Reason, "README.md") {
		t.Error(e)
	}
	if _, err := edit(func(l feature.List) { l[1].Verify = `sh bye.sh | grep -x bye` }); err != nil {
		t.Fatal(err)
	}
	if s := w.done(); s.Passing() != 2 {
		t.Errorf("%d pass", s.Passing())
	}
	events, err := ReadLedger(w.o.Dir)
	must(t, err)
	edits := 0
	for _, e := range events {
		if e.Kind == ledger.Edited {
			edits++
			if e.List.By != "ada (uid 1)" || e.Text != "bye differs" || e.Time.IsZero() || len(e.List.Hash) != 64 {
				t.Errorf("recorded %+v", e)
			}
		}
	}
	if edits != 3 {
		t.Errorf("%d edits are recorded", edits)
	}
}

// While a process works on a job its list is not edited.
// Without git the state before the work is nowhere: the edit counts, and the log
// says that nothing was seen.
func TestEditedWithoutGit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.Image = bareImage(t)
	w.done()
	_, err := EditList(w.o.Dir, "ada", nil, func(list []feature.Feature, _ []string) ([]byte, error) {
		list[1].Verify = `sh bye.sh | grep -x bye`
		return feature.Public(list), nil
	})
	must(t, err)
	if s := w.done(); s.Passing() != 2 {
		t.Errorf("%d pass", s.Passing())
	}
	events, err := ReadLedger(w.o.Dir)
	must(t, err)
	if !slices.ContainsFunc(events, func(e ledger.Event) bool {
		return e.Kind == ledger.Note && strings.Contains(e.Text, "the changed proofs of bye were not seen failing: ")
	}) {
		t.Error("the log does not say that nothing was seen")
	}
}

func TestEditNeedsTheLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	tried := false
	w.on = func(e ledger.Event) {
		if e.Kind != ledger.Approved {
			return
		}
		tried = true
		_, err := EditList(w.o.Dir, "", nil, func([]feature.Feature, []string) ([]byte, error) { return nil, nil })
		if err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("edited while it runs: %v", err)
		}
	}
	w.done()
	if !tried {
		t.Error("never tried")
	}
}
