package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner"
)

func manifestFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "batch.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A slip in a manifest is an error with its line and what was probably meant.
func TestManifestFaults(t *testing.T) {
	for text, words := range map[string]string{
		"":                                   "no list of settings",
		"- a.txt":                            "no list of settings",
		"model: x":                           "specs is missing",
		"specs: []":                          "specs is missing",
		"specs: [{spec: a.txt":               "line 1",
		"modle: x\nspecs: [a]":               `line 1: unknown key "modle"; did you mean model?`,
		"specs:\n- {spce: a.txt}":            `line 2: unknown key "spce"; did you mean spec?`,
		"specs:\n- {spec: a.txt, budgte: 2}": `unknown key "budgte"; did you mean budget?`,
		"specs:\n- {name: a}":                "line 2: spec is missing",
		"specs:\n- [a]":                      "line 2: a spec is a file",
		"specs:\n- {spec: a, spec: b}":       "spec is there twice",
		"model: x\nmodel: y\nspecs: [a]":     "model is there twice",
		"model:\nspecs: [a]":                 "line 1: model has no value",
		"model: {a: b}\nspecs: [a]":          "line 1: model has no value",
		"yes: true\nspecs: [a]":              `unknown key "yes"`,
		"project_dir: x\nspecs: [a]":         `unknown key "project_dir"`,
	} {
		_, err := readManifest(manifestFile(t, text))
		var e *runner.Error
		if !errors.As(err, &e) || e.Outcome != runner.Usage || !strings.Contains(failureText(e), strings.Split(words, ";")[0]) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, hint, ok := strings.Cut(words, "; "); ok && !strings.Contains(failureText(e), hint) {
			t.Errorf("%q: %s", text, failureText(e))
		}
	}
}

// line is a command line with these flags.
type line map[string]string

func (l line) String(flag string) string {
	if v, ok := l[flag]; ok {
		return v
	}
	return "default of " + flag
}
func (l line) Bool(flag string) bool  { return l[flag] == "true" }
func (l line) IsSet(flag string) bool { _, ok := l[flag]; return ok }
func (l line) Words(flag string) []string {
	if v := l[flag]; v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// What holds for a spec: its own setting, the command line, the manifest's top,
// the default.
func TestManifestLayers(t *testing.T) {
	file := manifestFile(t, "model: top\nbudget: 1\nimage: node\nprovider: [p, q]\nblock_paid: yes\nspecs:\n- a.txt\n- {spec: /b.txt, name: bee, model: own, provider: [r], block_paid: false}\n")
	m, err := readManifest(file)
	if err != nil || len(m.entries) != 2 || m.entries[0].spec != filepath.Join(filepath.Dir(file), "a.txt") || m.entries[1].spec != "/b.txt" || m.entries[1].name != "bee" {
		t.Fatalf("%+v, %v", m, err)
	}
	given := line{"budget": "7", "model": "line"}
	a := layers{line: given, top: m.top, own: m.entries[0].set}
	b := layers{line: given, top: m.top, own: m.entries[1].set}
	for _, c := range []struct{ got, want string }{
		{a.String("model"), "line"}, {b.String("model"), "own"}, {a.String("budget"), "7"}, {a.String("image"), "node"},
		{a.String("cpus"), "default of cpus"}, {strings.Join(a.Words("provider"), "+"), "p+q"}, {strings.Join(b.Words("provider"), "+"), "r"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if !a.IsSet("image") || a.IsSet("cpus") || !a.Bool("block-paid") || b.Bool("block-paid") {
		t.Error("what is set is not told")
	}
}

// Files, patterns and directories, each by name.
func TestSpecFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.txt", "a.txt", "c.md", "d.yaml", "[x].txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names := func(files []string) (out []string) {
		for _, f := range files {
			out = append(out, filepath.Base(f))
		}
		return out
	}
	for word, want := range map[string][]string{
		dir:                           {"[x].txt", "a.txt", "b.txt", "c.md"},
		filepath.Join(dir, "*.txt"):   {"[x].txt", "a.txt", "b.txt"},
		filepath.Join(dir, "a.txt"):   {"a.txt"},
		filepath.Join(dir, "[x].txt"): {"[x].txt"}, // a file before a pattern
	} {
		if got, err := specFiles(word); err != nil || !slices.Equal(names(got), want) {
			t.Errorf("%s: %q, %v", word, got, err)
		}
	}
	for word, words := range map[string]string{"missing.txt": "no such file", filepath.Join(dir, "*.go"): "no file matches", t.TempDir(): "no .txt and no .md", "[": "no pattern"} {
		if _, err := specFiles(word); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", word, err)
		}
	}
}
