package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// wrongAnswers is how many answers in a row may make no sense; then it is no.
const wrongAnswers = 3

// dialogue is the conversation with a person about planned features.
type dialogue struct {
	a     *app
	dir   string // of the project, absolute
	draft []byte // a list that the person wrote and that was not taken
}

// approve shows the planned features to a person until there is an answer.
func (d *dialogue) approve(ctx context.Context, p runner.Proposal) (runner.Answer, error) {
	d.show(p)
	for wrong := 0; wrong < wrongAnswers; {
		line, err := d.line(ctx, "Build these? [y]es, [n]o, [e]dit, [a]gain, [d]rop N, [s]how N ")
		if err != nil {
			return runner.Answer{}, err
		}
		word, rest, _ := strings.Cut(line, " ")
		answer, known, err := d.answer(ctx, p, strings.ToLower(word), strings.TrimSpace(rest))
		switch {
		case err != nil:
			return runner.Answer{}, err
		case answer != nil:
			return *answer, nil
		case known:
			wrong = 0
		default:
			wrong++
		}
	}
	return runner.Answer{}, errRejected()
}

func errRejected() error {
	return fail(runner.Rejected, "the same command shows them again; for a changed spec use another --project-dir", "the planned features were rejected; nothing was built")
}

// line asks and reads one line. The end of the input is a no.
func (d *dialogue) line(ctx context.Context, question string) (string, error) {
	line, err := d.a.answer(ctx, question)
	if err == io.EOF {
		return "", errRejected()
	}
	return line, err
}

// answer does what one line says. An answer is for the runner; with none the
// person is asked again. known says that the line made sense.
func (d *dialogue) answer(ctx context.Context, p runner.Proposal, word, rest string) (answer *runner.Answer, known bool, err error) {
	switch word {
	case "y", "yes":
		return &runner.Answer{}, true, nil
	case "n", "no":
		return nil, true, errRejected()
	case "e", "edit":
		return d.edit(ctx, p)
	case "a", "again":
		if rest == "" {
			if rest, err = d.line(ctx, "What should be different? "); err != nil || rest == "" {
				return nil, false, err
			}
		}
		return &runner.Answer{Remark: rest}, true, nil
	case "d", "drop":
		list, ok := d.without(p.Features, rest)
		if !ok {
			return nil, false, nil
		}
		return &runner.Answer{List: feature.Public(list)}, true, nil
	case "s", "show":
		return nil, d.unfold(p, rest), nil
	default:
		return nil, word != "" && d.unfold(p, word), nil
	}
}

// edit lets the person edit the list, or go on with their own that was not taken.
func (d *dialogue) edit(ctx context.Context, p runner.Proposal) (*runner.Answer, bool, error) {
	text := d.draft
	if text == nil {
		text = feature.Public(p.Features)
	}
	edited, left, err := d.a.editList(ctx, d.dir, p.Features, text)
	d.draft = left
	if err != nil && ctx.Err() == nil { // the question is still open
		d.a.screen.Print(failureText(explain(err)))
		return nil, true, nil
	}
	if err != nil || edited == nil {
		return nil, true, err
	}
	return &runner.Answer{List: edited}, true, nil
}

// unfold shows one feature in full, or all of them.
func (d *dialogue) unfold(p runner.Proposal, which string) bool {
	shown := p.Features
	if i, ok := find(p.Features, which); ok {
		shown = p.Features[i : i+1]
	} else if which != "" && which != "all" {
		d.a.screen.Print("Answer with a word or its first letter; N is a feature's number or name.")
		return false
	}
	for _, f := range shown {
		for _, line := range unfolded(f, p.Red[f.ID], p.Output[f.ID], streamColumns(d.a.rawErr)) {
			d.a.screen.Print(line)
		}
	}
	return true
}

// dispute asks whether the test of a feature may be revised.
func (d *dialogue) dispute(ctx context.Context, f feature.Feature, why, output string) (bool, error) {
	columns := streamColumns(d.a.rawErr)
	d.a.screen.Print("")
	d.a.screen.Print("The test of a feature that you accepted is in doubt:")
	for _, line := range unfolded(f, "", output, columns) {
		d.a.screen.Print(line)
	}
	for _, line := range labelled("      ", "why", why, columns) {
		d.a.screen.Print(line)
	}
	d.a.screen.Print("")
	return d.a.ask(ctx, "May the planner correct it, once? [y]es / [n]o, the feature is blocked ")
}

// without is the list less the feature that is named.
func (d *dialogue) without(list []feature.Feature, which string) ([]feature.Feature, bool) {
	i, ok := find(list, which)
	switch {
	case !ok:
		d.a.screen.Print("Which one? For example: drop 2")
		return nil, false
	case len(list) == 1:
		d.a.screen.Print("It is the only one: answer no to build nothing.")
		return nil, false
	}
	return slices.Delete(slices.Clone(list), i, i+1), true
}

// find is the index of a feature by its number, from 1, or its name.
func find(list []feature.Feature, which string) (int, bool) {
	for i, f := range list {
		if which == f.ID || which == strconv.Itoa(i+1) {
			return i, true
		}
	}
	return 0, false
}

// show prints the list, and what was wrong with the answer before.
func (d *dialogue) show(p runner.Proposal) {
	d.a.screen.Print("")
	if len(p.Problems) > 0 {
		d.a.screen.Print("Your list was not taken; answer edit to mend it:")
		d.a.printProblems(p.Problems)
		d.a.screen.Print("")
	} else {
		d.draft = nil
	}
	for _, line := range featureTable(p.Features, p.Note, p.Red, streamColumns(d.a.rawErr)) {
		d.a.screen.Print(line)
	}
	d.a.screen.Print("")
}

// problemLines is how much of a verify's output a problem may show.
const problemLines = 12

// printProblems prints what is wrong with a list, in lines that do no harm.
func (a *app) printProblems(problems []string) {
	for _, problem := range problems {
		lines := strings.Split(strings.TrimSpace(problem), "\n")
		if len(lines) > problemLines {
			lines = append(lines[:problemLines], "...")
		}
		for _, line := range lines {
			for _, part := range wrap(plain(line), max(streamColumns(a.rawErr)-3, leastTextWide)) {
				a.screen.Print(fmt.Sprintf("  %s", part))
			}
		}
	}
}
