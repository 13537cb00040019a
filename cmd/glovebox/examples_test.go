package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The examples of the documents do what the documents say. A block of code
// behind a comment `<!-- run: CODE -->` is run by a shell and must end with the
// code, behind `<!-- run: CODE docker -->` with a real engine; one behind
// `<!-- file: NAME -->` is a file for all of the page; `<!-- needs: NAMES -->`
// are files with any text.
func TestDocsExamples(t *testing.T) { runExamples(t, false, 3) }

func TestDockerDocsExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Docker engine and the base image")
	}
	runExamples(t, true, 1)
}

func runExamples(t *testing.T, docker bool, least int) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, n := t.TempDir(), 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		script, commands := exampleScript(string(text), docker)
		if commands == 0 {
			continue
		}
		n += commands
		name := strings.TrimSuffix(filepath.Base(page), ".md") + ".txtar"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n < least {
		t.Fatalf("only %d examples are found", n)
	}
	runScripts(t, dir)
}

var exampleBlock = regexp.MustCompile(`(?m)^<!-- (run|file): (.+) -->\n\n((?:(?: {4}.*)?\n)+)`)

// exampleScript is the testscript of a page, and how many blocks it runs.
func exampleScript(page string, docker bool) (script string, blocks int) {
	var commands, files strings.Builder
	if !docker {
		commands.WriteString("fakeengine\nenv OPENROUTER_API_KEY=sk-or-example-0123456789\nenv ANTHROPIC_API_KEY=sk-ant-example-0123456789\n")
	}
	for _, n := range regexp.MustCompile(`(?m)^<!-- needs: (.+) -->$`).FindAllStringSubmatch(page, -1) {
		for _, name := range strings.Fields(n[1]) {
			fmt.Fprintf(&files, "-- %s --\nA script that prints its name.\n", name)
		}
	}
	for _, b := range exampleBlock.FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`(?m)^ {4}`).ReplaceAllString(b[3], "")
		if b[1] == "file" {
			fmt.Fprintf(&files, "-- %s --\n%s", b[2], text)
			continue
		}
		code, engine, _ := strings.Cut(b[2], " ")
		if (engine == "docker") != docker {
			continue
		}
		blocks++
		fmt.Fprintf(&commands, "exits %s sh -e example%d.sh\n", code, blocks)
		fmt.Fprintf(&files, "-- example%d.sh --\n%s", blocks, text)
	}
	return commands.String() + files.String(), blocks
}
