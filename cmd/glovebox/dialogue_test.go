package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// proposal is a plan with two features, one of which means harm.
func proposal() runner.Proposal {
	return runner.Proposal{
		Features: feature.List{
			{ID: "add", Category: "functional", Description: "Add a task", Steps: []string{"run add", "see it"}, Verify: "sh tests/add.sh", Frozen: []string{"tests/add.sh"}},
			{ID: "list", Category: "style", Description: "List " + hostile, Steps: []string{"step " + hostile}, Verify: "echo " + hostile + "; false"},
		},
		Red:    map[string]string{"add": "1 failed"},
		Output: map[string]string{"add": "first line\n1 failed", "list": "said " + hostile},
	}
}

// sly is a plan that package feature finds nothing wrong with, and that reads
// otherwise than it is.
func sly() runner.Proposal {
	p := proposal()
	p.Features[1].Description, p.Features[1].Steps, p.Features[1].Verify = "List \u202e\U000e0041", []string{"s"}, "false # \u202e"
	return p
}

// typing is a standard input on which a person has typed already. An editor gets it too.
func typing(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return r
}

// talk answers a proposal with what is typed.
func talk(t *testing.T, typed string, p runner.Proposal, env ...string) (runner.Answer, string, error) {
	t.Helper()
	var screen bytes.Buffer
	a := newApp(typing(t, typed), &screen, &screen, append(os.Environ(), env...))
	answer, err := (&dialogue{a: a, dir: t.TempDir()}).approve(t.Context(), p)
	if strings.ContainsAny(screen.String(), "\x1b\a\r") {
		t.Errorf("a model's text reaches the terminal: %q", screen.String())
	}
	return answer, screen.String(), err
}

// Steps, frozen files and the output of a proof unfold on request.
func TestDialogueUnfolds(t *testing.T) {
	_, screen, err := talk(t, "yes\n", proposal())
	if err != nil || strings.Contains(screen, "2. see it") || !strings.Contains(screen, "proof   sh tests/add.sh") ||
		strings.Count(screen, "frozen  nothing") != 1 {
		t.Errorf("%v\n%s", err, screen)
	}
	for _, typed := range []string{"1\ny\n", "show add\ny\n", "s\ny\n"} {
		answer, screen, err := talk(t, typed, proposal())
		if err != nil || answer.List != nil || answer.Remark != "" {
			t.Errorf("%q: %+v, %v", typed, answer, err)
		}
		for _, want := range []string{"add (functional)", "2. see it", "frozen  tests/add.sh", "now     first line"} {
			if !strings.Contains(screen, want) {
				t.Errorf("%q: %q is missing:\n%s", typed, want, screen)
			}
		}
	}
}

// No, nothing and nonsense reject.
func TestDialogueRejects(t *testing.T) {
	for _, typed := range []string{"n\n", "", "what\nwhy\nwho\ny\n"} {
		_, screen, err := talk(t, typed, proposal())
		if typed == "" && strings.Count(screen, "Build these?") != 1 {
			t.Errorf("asked again where no one answers:\n%s", screen)
		}
		var e *runner.Error
		if !errors.As(err, &e) || e.Outcome != runner.Rejected {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

// Who gives up in the editor and comes back goes on where they were.
func TestDialogueKeepsADraftGivenUp(t *testing.T) {
	editor := script(t, `if grep -q misspelt "$1"; then sed -i 's/misspelt/frozen/; s/run add/go add/' "$1"; else sed -i 's/"frozen"/"misspelt"/' "$1"; fi`)
	p := proposal()
	p.Features = p.Features[:1]
	answer, screen, err := talk(t, "edit\nno\nedit\n", p, editor)
	list, problems := feature.Parse(answer.List, 1)
	if err != nil || len(problems) > 0 || list[0].Steps[0] != "go add" {
		t.Errorf("%s, %v, %v\n%s", answer.List, problems, err, screen)
	}
	if !strings.Contains(screen, `"misspelt": is no field of a feature`) {
		t.Errorf("the fault is not named:\n%s", screen)
	}
}

func TestDialogueDropsAndAsksAgain(t *testing.T) {
	answer, _, err := talk(t, "drop list\n", proposal())
	list, problems := feature.Parse(answer.List, 1)
	if err != nil || len(problems) > 0 || list[0].ID != "add" {
		t.Errorf("%s, %v, %v", answer.List, problems, err)
	}
	one := proposal()
	one.Features = one.Features[:1]
	if answer, screen, err := talk(t, "d 1\ny\n", one); err != nil || answer.List != nil || !strings.Contains(screen, "the only one") {
		t.Errorf("%+v, %v", answer, err)
	}
	for _, typed := range []string{"again split add\n", "a\nsplit add\n"} {
		if answer, _, err := talk(t, typed, proposal()); err != nil || answer.Remark != "split add" {
			t.Errorf("%q: %+v, %v", typed, answer, err)
		}
	}
}

// script is an editor: a shell script that gets the file's name.
func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return "VISUAL=" + name
}

// The copy is private, shows what is invisible, and is gone afterwards; faults
// are named and asked about; what was typed stays.
func TestDialogueEdits(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	editor := script(t, `d=$(dirname "$1")
stat -c '%a %n' "$d" "$1" >> `+seen+`
cat "$1" >> `+seen+`
if [ ! -e `+seen+`2 ]; then touch `+seen+`2; sed -i 's/"functional"/"nonsense"/; s/run add/go add/' "$1"; else sed -i 's/"nonsense"/"functional"/' "$1"; fi`)
	answer, screen, err := talk(t, "edit\nyes\n", sly(), editor)
	list, problems := feature.Parse(answer.List, 2)
	if err != nil || len(problems) > 0 || list[0].Steps[0] != "go add" || list[0].Category != "functional" {
		t.Errorf("%s, %v, %v", answer.List, problems, err)
	}
	if !strings.Contains(screen, `entry 1 (add): category: "nonsense" must be functional or style`) {
		t.Errorf("the fault is not named:\n%s", screen)
	}
	text, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if !strings.HasPrefix(lines[0], "700 ") || !strings.HasPrefix(lines[1], "600 ") {
		t.Errorf("the copy is not private: %q", lines[:2])
	}
	if strings.ContainsAny(string(text), "\x1b\a\r\u202e\U000e0041") {
		t.Errorf("the copy holds what can't be seen: %q", text)
	}
	if _, name, _ := strings.Cut(lines[1], " "); name == "" || !gone(name) {
		t.Errorf("%s is left", name)
	}
}

func gone(name string) bool {
	_, err := os.Stat(filepath.Dir(name))
	return errors.Is(err, os.ErrNotExist)
}

// An editor that fails, or changes nothing, changes nothing.
func TestDialogueEditorFails(t *testing.T) {
	for editor, want := range map[string]string{
		script(t, "exit 3"):             "ended badly",
		script(t, "true"):               "Nothing was changed",
		script(t, `echo x > "$1"`):      "is not valid JSON",
		script(t, `rm "$1"`):            "read the edited list",
		"VISUAL=/nonexistent/editor -w": "ended badly",
	} {
		answer, screen, err := talk(t, "e\nn\ny\n", sly(), editor)
		if want != "is not valid JSON" {
			answer, screen, err = talk(t, "e\ny\n", sly(), editor)
		}
		if err != nil || answer.List != nil || !strings.Contains(screen, want) {
			t.Errorf("%s: %+v, %v\n%s", want, answer, err, screen)
		}
	}
}

// A list that the host did not take can be mended where it is.
func TestDialogueKeepsTheDraft(t *testing.T) {
	var screen bytes.Buffer
	a := newApp(typing(t, "e\ne\n"), &screen, &screen, append(os.Environ(), script(t, `sed -i 's/see it/see it now/' "$1"`)))
	d := &dialogue{a: a, dir: t.TempDir()}
	if _, err := d.approve(t.Context(), sly()); err != nil {
		t.Fatal(err)
	}
	p := sly()
	p.Problems = []string{"- add: verify passes before anything is built. It printed:\n" + hostile}
	answer, err := d.approve(t.Context(), p)
	if err != nil || !strings.Contains(string(answer.List), "see it now now") {
		t.Errorf("%s, %v", answer.List, err)
	}
	if !strings.Contains(screen.String(), "verify passes before anything is built") || strings.ContainsAny(screen.String(), "\x1b\a\r") {
		t.Errorf("screen: %q", screen.String())
	}
}
