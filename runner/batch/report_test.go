package batch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/report"
)

// jobIn makes the state of a job in a batch, with so many turns that cost an odd amount.
func jobIn(t *testing.T, out, name, specHash string, turns int) {
	t.Helper()
	l := ledgerOf(t, out, name)
	state := filepath.Join(out, name, ".glovebox")
	job := fmt.Sprintf(`{"v":1,"id":"id-%s","spec":"%s.txt","spec_hash":"%s","features":3,"created":"2026-03-01T22:00:00Z"}`, name, name, specHash)
	if err := os.WriteFile(filepath.Join(state, "job.json"), []byte(job), 0o600); err != nil {
		t.Fatal(err)
	}
	add := func(e ledger.Event) {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	add(ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{Budget: "5"}})
	add(ledger.Event{Kind: ledger.SessionStart, Session: 1, Started: &ledger.SessionInfo{Kind: "initializer"}})
	for n := range turns {
		add(ledger.Event{Kind: ledger.Request, Session: 1, Turn: n + 1, Money: &ledger.Money{Reserved: decimal.RequireFromString("0.3")}})
		add(ledger.Event{Kind: ledger.Reply, Session: 1, Turn: n + 1, Money: &ledger.Money{Spent: decimal.RequireFromString("0.0010000007")},
			Answer: &ledger.ReplyInfo{Text: strings.Repeat("much said ", 300), Prompt: 100}})
	}
	add(ledger.Event{Kind: ledger.Request, Session: 1, Turn: turns + 1, Money: &ledger.Money{Reserved: decimal.RequireFromString("0.05")}})
}

func writtenAs(t *testing.T, form report.Form, jobs []*report.Job) string {
	t.Helper()
	var b bytes.Buffer
	if err := form.Write(&b, report.New(time.Now(), "v1", jobs...)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A batch's report has every job in its order, also what never began, can't be
// read or is another's, and its sums are those of the ledgers.
func TestReportOfABatch(t *testing.T) {
	out := t.TempDir()
	list := []Item{{Name: "a", SpecHash: "h"}, {Name: "b", SpecHash: "h", Spec: "specs/b.txt"}, {Name: "c", SpecHash: "h"}, {Name: "d", SpecHash: "h"}}
	root, err := Open(out, list)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	jobIn(t, out, "a", "h", 3)
	jobIn(t, out, "c", "other", 1)
	jobIn(t, out, "d", "h", 1)
	if err := os.WriteFile(filepath.Join(out, "d/.glovebox/job.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	jobs, err := NewWatch(out).Jobs(report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range jobs {
		got = append(got, j.Name+" "+j.State+" "+j.Money.Spent.String())
	}
	if want := "a not ended 0.0530000021; b waiting 0; c usage 0.0510000007; d failed 0"; strings.Join(got, "; ") != want {
		t.Errorf("%q", got)
	}
	if r := report.New(time.Now(), "v1", jobs...); r.Totals.Spent.String() != "0.1040000028" || r.Totals.Jobs != 4 {
		t.Errorf("%+v", r.Totals)
	}
	page := writtenAs(t, report.Forms()[0], jobs)
	for _, want := range []string{"0 of 4 jobs done", "0.1040000028 USD, as the ledgers have it", `<a href="#job-a">`, `id="job-a"`, "holds a job for another specification (c.txt)", "damaged"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Index(page, `class="overview"`) > strings.Index(page, `class="job"`) {
		t.Error("the overview does not stand first")
	}
	if junit := writtenAs(t, report.Forms()[2], jobs); strings.Count(junit, "<testsuite ") != 4 || strings.Count(junit, "<error") != 4 {
		t.Errorf("%s", junit)
	}
}

// The report of a hundred talkative jobs stays one that a browser opens.
func TestReportOfManyJobsIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a hundred ledgers")
	}
	out := t.TempDir()
	list := items(100)
	root, err := Open(out, list)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	jobIn(t, out, list[0].Name, "h", 200)
	state, err := os.ReadFile(filepath.Join(out, list[0].Name, ".glovebox/ledger.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range list[1:] {
		dir := filepath.Join(out, item.Name, ".glovebox")
		job := strings.ReplaceAll(`{"v":1,"id":"NAME","spec":"NAME.txt","spec_hash":"h","features":3,"created":"2026-03-01T22:00:00Z"}`, "NAME", item.Name)
		for file, text := range map[string]string{"ledger.jsonl": string(state), "job.json": job} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	jobs, err := NewWatch(out).Jobs(report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range report.Forms() {
		text := writtenAs(t, form, jobs)
		t.Logf("%s: %d KB", form.File, len(text)>>10)
		if len(text) > 24<<20 {
			t.Errorf("%s has %d MB", form.File, len(text)>>20)
		}
	}
	if jobs[0].LeftOut.Texts == 0 || jobs[99].Money.Spent.String() != "0.25000014" {
		t.Errorf("%+v, %s", jobs[0].LeftOut, jobs[99].Money.Spent)
	}
}
