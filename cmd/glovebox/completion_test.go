package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// completionFor is the script for a shell, as the program prints it.
func completionFor(t *testing.T, shell string) string {
	t.Helper()
	var out, err strings.Builder
	if code := Run(t.Context(), []string{"glovebox", "completion", shell}, strings.NewReader(""), &out, &err, nil); code != 0 {
		t.Fatal(err.String())
	}
	return out.String()
}

// bash itself says what it offers for a line that is being typed.
func TestBashCompletes(t *testing.T) {
	script := t.TempDir() + "/glovebox.bash"
	if err := os.WriteFile(script, []byte(completionFor(t, "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ line, want string }{
		{"glovebox ru", "run"},
		{"glovebox re", "report"},
		{"glovebox run --dry", "--dry-run"},
		{"glovebox run spec.txt --project-dir app --sc", "--scope"},
		{"glovebox run --scope ", "call session"},
		{"glovebox run --image n", "node"},
		{"glovebox run --model ", ""},
		{"glovebox run ", ""},
		{"glovebox batch --tot", "--total-budget"},
		{"glovebox run --tot", ""},
		{"glovebox image ", "list build"},
		{"glovebox image build --h", "--help"},
		{"glovebox completion z", "zsh"},
		{"glovebox prompts e", "export"},
	} {
		words := strings.Split(x.line, " ")
		cmd := exec.Command("bash", "--norc", "-c", `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _glovebox; echo "${COMPREPLY[*]}"; complete -p glovebox >&2`, "bash", script)
		cmd.Args = append(cmd.Args, words...)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != x.want {
			t.Errorf("%q: offered %q, want %q (%v)", x.line, got, x.want, err)
		}
		if want := "complete -o default -F _glovebox glovebox\n"; said.String() != want {
			t.Errorf("%q: said %q", x.line, said.String())
		}
	}
}

// All commands and flags are in the scripts of all shells.
func TestCompletionHasEverything(t *testing.T) {
	a := newApp(strings.NewReader(""), &strings.Builder{}, &strings.Builder{}, nil)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := completionFor(t, shell)
		words := strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune(" \n\"'():;", r) })
		for _, level := range levelsOf("", a.commands()) {
			for _, c := range level.Commands {
				if !slices.Contains(words, c.Name) {
					t.Errorf("%s: no command %s", shell, c.Name)
				}
			}
			for _, f := range level.Flags {
				if !slices.Contains(words, "--"+f.Name) && !strings.Contains(script, " -l "+f.Name+" ") {
					t.Errorf("%s: no flag --%s", shell, f.Name)
				}
			}
		}
		if path, err := exec.LookPath(shell); err == nil { // the shell can read it
			check := exec.Command(path, "-n")
			check.Stdin = strings.NewReader(script)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", shell, err, out)
			}
		}
	}
}
