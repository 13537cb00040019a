package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
)

// JUnit writes r as CI servers read it: a suite a job, a case a feature. A
// feature that is not proved has failed, one that is blocked is skipped. A job
// that did not end well, but has nothing that failed, has a case of its own
// that says so: a suite without failures is one that is done.
func JUnit(w io.Writer, r *Report) error {
	all := junit.Testsuites{Name: "glovebox"}
	total := 0.0
	for i, j := range r.Jobs {
		s := suite(j)
		s.ID = i
		all.AddSuite(s)
		total += j.Seconds
	}
	all.Time = seconds(total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := all.WriteXML(w); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func suite(j *Job) junit.Testsuite {
	s := junit.Testsuite{Name: j.Title(), Package: j.ID, Time: seconds(j.Seconds)}
	s.SetTimestamp(j.Begun.UTC())
	for _, p := range [][2]string{
		{"outcome", j.State}, {"model", j.Model}, {"image", j.Image}, {"glovebox", j.Glovebox},
		{"spec_sha256", j.Spec.SHA256}, {"spent_usd", j.Money.Spent.String()}, {"budget_usd", j.Money.Budget.String()},
		{"prompt_tokens", fmt.Sprint(j.Tokens.Prompt)}, {"completion_tokens", fmt.Sprint(j.Tokens.Completion)},
	} {
		s.AddProperty(p[0], p[1])
	}
	for _, f := range j.Features {
		s.AddTestcase(testcase(j, f))
		for _, m := range f.Marks {
			s.AddProperty(m.Kind+"."+f.ID, m.Text)
		}
	}
	if p := j.Proof; p != nil {
		s.AddProperty("proof", p.Where)
		if p.Acceptance != nil {
			s.AddTestcase(acceptanceCase(j, *p.Acceptance))
		}
	}
	if j.Branch != nil {
		s.AddProperty("branch", j.Branch.Name)
	}
	if j.Handover != nil {
		s.AddProperty("handover", j.Handover.Words())
	}
	if !j.Sound() && s.Failures+s.Skipped == 0 {
		s.AddTestcase(junit.Testcase{Name: "the job as a whole", Classname: j.Title(), Time: seconds(0),
			Error: &junit.Result{Message: j.State, Type: j.State, Data: strings.TrimSpace(j.Reason + "\n" + j.Hint)}})
	}
	return s
}

// acceptanceCase is the user's own test.
func acceptanceCase(j *Job, r ProofResult) junit.Testcase {
	c := junit.Testcase{Name: r.ID, Classname: j.Title(), Time: seconds(r.Seconds)}
	if !r.Passed {
		c.Failure = &junit.Result{Message: r.How, Type: "acceptance", Data: r.Output}
	}
	return c
}

func testcase(j *Job, f *Feature) junit.Testcase {
	c := junit.Testcase{Name: f.ID, Classname: j.Title(), Time: seconds(0), Status: f.State}
	what, output := "", ""
	if v := f.Proof; v != nil {
		c.Time, output = seconds(v.Seconds), v.Output
		what = fmt.Sprintf("%s: %s", f.Verify, v.How)
	}
	switch f.State {
	case Proved:
		c.SystemOut = &junit.Output{Data: strings.TrimSpace(what + "\n" + output)}
	case Blocked:
		c.Skipped = &junit.Result{Message: f.Why, Data: strings.TrimSpace(what + "\n" + output)}
	default:
		message := f.Why
		if message == "" {
			message = "not proved"
		}
		c.Failure = &junit.Result{Message: message, Type: f.State, Data: strings.TrimSpace(what + "\n" + output)}
	}
	return c
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
