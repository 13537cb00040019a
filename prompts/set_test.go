package prompts_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/prompts"
)

// What is exported can be given back as it is; nothing is ever overwritten.
func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := prompts.Export(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := prompts.Load(dir); err != nil {
		t.Errorf("our own prompts: %v", err)
	}
	for _, name := range prompts.Names() {
		ours, err := os.ReadFile(name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, name+".md")); string(got) != string(ours) {
			t.Errorf("%s is another one", name)
		}
	}
	all, err := filepath.Glob("*.md")
	if err != nil || len(all) != len(prompts.Names()) {
		t.Errorf("%d prompts, %d can be replaced (%v)", len(all), len(prompts.Names()), err)
	}
	other := t.TempDir()
	write(t, other, "coding.md", "mine")
	if err := prompts.Export(other); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
	if entries, _ := os.ReadDir(other); len(entries) != 1 {
		t.Errorf("something was written: %v", entries)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// One prompt is replaced, the others stay.
func TestSetReplaces(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "initializer.md", "Plan {{.Count}} of:\n{{.Spec}}{{.Remark}}{{if .SignedOff}}!{{end}}{{if .Old}}?{{end}}\n")
	s, err := prompts.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Render("initializer", map[string]any{"Spec": "a shop", "Count": 2, "Remark": "", "SignedOff": false, "Old": 0}); err != nil || got != "Plan 2 of:\na shop" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.Render("initializer", map[string]any{"Spec": "a shop"}); err == nil {
		t.Error("a hole reached the model")
	}
	if got, err := s.Render("gitignore", nil); err != nil || !strings.Contains(got, "__pycache__") {
		t.Errorf("%q, %v", got, err)
	}
}

// Every fault of a prompt is told before anything is sent, also where the
// prompt is rarely used.
func TestFaultyPrompts(t *testing.T) {
	good := "{{.Spec}} {{.Feature.ID}} {{.Red}}"
	for _, c := range []struct{ file, text, want string }{
		{"coding.txt", good, `"coding.txt" is no prompt; they are acceptance.md, coding.md, gitignore.md, initializer.md, revision.md, system.md`},
		{"codng.md", good, `"codng.md" is no prompt`},
		{"coding.md", "", "coding.md: it is empty"},
		{"coding.md", "\xff", "coding.md: it is not UTF-8"},
		{"coding.md", strings.Repeat("x", 70_000), "coding.md: it is larger than 64 KB"},
		{"coding.md", good + "{{.Specs}}", "coding.md:1:36: there is no variable {{.Specs}}; it has "},
		{"coding.md", good + "{{if .Init}}{{if not .Init}}{{.Typo}}{{end}}{{end}}", "there is no variable {{.Typo}}"},
		{"coding.md", good + "{{range $f := .List}}{{$f.Nam}}{{end}}", "there is no variable {{.Nam}}"},
		{"coding.md", good + `{{define "x"}}{{.Nope}}{{end}}`, "there is no variable {{.Nope}}"},
		{"coding.md", good + "{{.ID}}", `map has no entry for key "ID"`},
		{"coding.md", good + "{{if}}", "coding.md:1: missing value for if"},
		{"coding.md", good + "{{shell .Spec}}", `function "shell" not defined`},
		{"coding.md", "{{.Feature.ID}} {{.Red}}", "coding.md: it does not use {{.Spec}}, which a session can't do without"},
		{"system.md", "Be good.", "system.md: it does not use {{.Text}}"},
	} {
		dir := t.TempDir()
		write(t, dir, c.file, c.text)
		if _, err := prompts.Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.60q:\ngot  %v\nwant %s", c.file, c.text, err, c.want)
		}
	}
	if _, err := prompts.Load(t.TempDir()); err == nil {
		t.Error("an empty directory replaces nothing and is no mistake?")
	}
}
