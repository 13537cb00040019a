package runner

import (
	"context"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// results are what a verify has said of the same files so far.
type results struct{ green, red bool }

// resultKey names a command and the files that it was run on.
func resultKey(id, command, program string) string {
	return strings.Join([]string{id, command, program}, "\x00")
}

// seen is what the job knows of f on these files.
func (h *history) seen(f feature.Feature, program string) results {
	return h.results[resultKey(f.ID, f.Verify, program)]
}

// keepResult remembers a verdict. One that a limit decided says more about the
// machine than about the files, and so does one from another image.
func (h *history) keepResult(e ledger.Event) {
	v := e.Verify
	if e.Feature == "" || v.Program == "" || v.Exit < 0 || len(v.Limits) > 0 {
		return
	}
	if h.results == nil {
		h.results = map[string]results{}
	}
	key := resultKey(e.Feature, v.Command, v.Program)
	r := h.results[key]
	r.green, r.red = r.green || v.Passed, r.red || !v.Passed
	h.results[key] = r
}

// judge verifies f, and doubts a result that contradicts an earlier one on the
// same files: the command is run until it has spoken three times, and is flaky.
// One that was flaky before must be green three times in a row to pass.
func (j *job) judge(ctx context.Context, c *checkout, f feature.Feature, why string) (verdict, error) {
	before := j.past.seen(f, c.s.program())
	v, err := j.runVerify(ctx, c, f, why)
	if err != nil || v.unsure {
		return v, err
	}
	contradicts := v.passed && before.red || !v.passed && before.green
	if !contradicts && !(v.passed && j.list.Flaky[f.ID] != "") {
		return v, nil
	}
	runs := []verdict{v}
	for len(runs) < flakyRuns {
		v, err := j.runVerify(ctx, c, f, whyAgain)
		if err != nil {
			return v, err
		}
		runs = append(runs, v)
	}
	if greens(runs) == flakyRuns && !contradicts {
		return v, nil
	}
	return j.flaky(f, runs)
}

func greens(runs []verdict) int {
	n := 0
	for _, v := range runs {
		if v.passed {
			n++
		}
	}
	return n
}

// flaky records that f's verify can't be relied upon: that is no pass, however
// often it was green.
func (j *job) flaky(f feature.Feature, runs []verdict) (verdict, error) {
	v := runs[0]
	var said []string
	for _, r := range runs {
		word := "green"
		if !r.passed {
			word, v = "red", r
		}
		said = append(said, word)
	}
	text := "different results on the same files; run three times it was " + strings.Join(said, ", ")
	if n := greens(runs); n == 0 || n == len(runs) {
		text += ", and the opposite before"
	}
	v.passed, v.flaky, v.how = false, true, "is flaky"
	v.output = fmt.Sprintf("[flaky: %s. It must say the same each time: nothing may depend on time, order, ports or chance.]\n%s", text, v.output)
	if !j.looks {
		if j.list.Flaky == nil {
			j.list.Flaky = map[string]string{}
		}
		j.list.Flaky[f.ID] = text
		if err := j.list.Save(j.state.root, featuresFile); err != nil {
			return v, err
		}
	}
	return v, j.record(ledger.Event{Kind: ledger.Flaky, Session: j.session, Feature: f.ID, Text: text})
}
