package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// What a model wrote is never a command to GitHub, however it arrives.
func TestUnobeyed(t *testing.T) {
	for in, want := range map[string]string{
		"::error::x\n":             ":':error::x\n",
		"a ::error::x":             "a ::error::x",
		"  \t::add-mask::e\n":      "  \t:':add-mask::e\n",
		"x\n::set-env name=A::b":   "x\n:':set-env name=A::b",
		"x\r::warning::y":          "x\r:':warning::y",
		"\u00a0\u3000::error::":    "\u00a0\u3000:':error::",
		"see ##[error]x":           "see ##'[error]x",
		"###[group]":               "###'[group]",
		"a: b::c [d] #[e] ### f\n": "a: b::c [d] #[e] ### f\n",
		": ::x":                    ": ::x",
	} {
		var whole, single strings.Builder
		_, _ = newUnobeyed(&whole).Write([]byte(in))
		u := newUnobeyed(&single)
		for _, r := range in {
			_, _ = u.Write([]byte(string(r)))
		}
		if whole.String() != want || single.String() != want {
			t.Errorf("%q: got %q, and in pieces %q", in, whole.String(), single.String())
		}
	}
}

// As GitHub's own toolkit escapes, so that one annotation stays one line.
func TestAnnotationsAreEscaped(t *testing.T) {
	var out, err strings.Builder
	a := newApp(strings.NewReader(""), &out, &err, []string{"GITHUB_ACTIONS=true", "OPENAI_API_KEY=sk-canary-0123456789"})
	a.annotate("warning", "a,b: c%", "50%\r\n::error::sk-canary-0123456789")
	want := "::warning title=a%2Cb%3A c%25::50%25%0D%0A::error::[redacted]\n"
	if got := strings.ReplaceAll(err.String(), "[key]", "[redacted]"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Nothing of a summary that a model wrote is markup, a link or a mention.
func TestStepSummaryIsPlain(t *testing.T) {
	const evil = "<img src=x> [a](http://e.example) www.e.example @all `x` | **b**\n# h\n::error::"
	list := []feature.Feature{{ID: evil, Description: evil, Passes: true}, {ID: "two", Description: "Fine words"}}
	text := stepSummary([]ciJob{{name: evil, status: runner.Status{Features: list}, end: runner.Incomplete, reason: evil}})
	if got := regexp.MustCompile(`&#[0-9]+;`).ReplaceAllString(text, ""); strings.ContainsAny(got, "<>[]()@`*\\&;!_~") || strings.Contains(got, "e.example") || strings.Contains(got, "::") {
		t.Errorf("got %q", got)
	}
	if strings.Count(text, "\n| ") != 3 || !strings.Contains(text, "1 of 2 features verified") || !strings.Contains(text, "| not proved | two | Fine words |") {
		t.Errorf("got %q", text)
	}
	if long := stepSummary(make([]ciJob, 100_000)); len(long) > maxSummary+1000 || !strings.Contains(long, "left out") {
		t.Errorf("%d bytes", len(long))
	}
}
