package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner"
)

// Flags must mean the same before and after the arguments, whatever form they
// have; cli alone would take the later ones for arguments.
func TestReorder(t *testing.T) {
	c := newApp(strings.NewReader(""), discard{}, discard{}, nil).commandLine()
	for _, x := range []struct{ in, want string }{
		{"run spec --yes --model m", "run --yes --model m -- spec"},
		{"run --model=m spec -q", "run --model=m -q -- spec"},
		{"run --yes=false spec", "run --yes=false -- spec"},
		{"run -model m spec", "run -model m -- spec"},
		{"run --model m -- --spec", "run --model m -- --spec"},
		{"run -- -a --yes", "run -- -a --yes"},
		{"run - --yes", "run --yes -- -"},
		{"run spec --max-tokens -1", "run --max-tokens -1 -- spec"},
		{"status dir --json", "status --json -- dir"},
		{"image build python node", "image build -- python node"},
		{"run spec --help --nonsense", "run --help"},
		{"--version", "--version"},
		{"image --help", "image --help"},
	} {
		got, err := reorder(c, append([]string{"glovebox"}, strings.Fields(x.in)...))
		if want := append([]string{"glovebox"}, strings.Fields(x.want)...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s\n got %q, %v\nwant %q", x.in, got, err, want)
		}
	}
}

// Whatever is not understood is said, with what was probably meant.
func TestReorderRefuses(t *testing.T) {
	c := newApp(strings.NewReader(""), discard{}, discard{}, nil).commandLine()
	for _, x := range []struct{ in, message, hint string }{
		{"", "a command is missing", "run, batch, status"},
		{"rum spec", `there is no command "rum"`, "`glovebox run`"},
		{"image lst", `image: there is no command "lst"`, "`glovebox image list`"},
		{"frobnicate", `no command "frobnicate"`, "run, batch, status"},
		{"image", "image: a command is missing", "list, build"},
		{"run spec --modle m", "run: unknown flag --modle", "--model?"},
		{"run spec --nonsense", "unknown flag --nonsense", "--help"},
		{"run spec -y", "unknown flag -y", "--help"},
		{"run spec --model", "--model needs a value", "--model VALUE"},
		{"run spec --model --yes", "--model needs a value", "--model VALUE"},
		{"run spec --model -- x", "--model needs a value", "--model VALUE"},
		{"--json run spec", "unknown flag --json", "a command comes first"},
	} {
		_, err := reorder(c, append([]string{"glovebox"}, strings.Fields(x.in)...))
		var e *runner.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", x.in, err)
			continue
		}
		if e.Outcome != runner.Usage || !strings.Contains(e.Reason, x.message) || !strings.Contains(e.Hint, x.hint) {
			t.Errorf("%s: got %s, %q, hint %q", x.in, e.Outcome, e.Reason, e.Hint)
		}
	}
}

// The arguments of the caller are never written to: a second run of the same
// slice has to mean the same.
func TestReorderKeepsItsInput(t *testing.T) {
	c := newApp(strings.NewReader(""), discard{}, discard{}, nil).commandLine()
	args := []string{"glovebox", "run", "spec", "--yes", "--model", "m"}
	before := slices.Clone(args)
	if _, err := reorder(c, args); err != nil || !slices.Equal(args, before) {
		t.Errorf("got %q, %v", args, err)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
