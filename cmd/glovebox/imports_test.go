package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const ours = "github.com/glovebox-run/glovebox/"

// listed is a package as `go list` shows it.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// rule says what a package, and what is below it, may import.
type rule struct {
	who  string   // a package of ours, or one with "/..." for it and all below
	what []string // packages of ours it may import; the same form
}

// Imports go one way: cmd, runner, sandbox; adapters are known to cmd alone.
// What is in no rule may be imported by nobody but cmd.
func importRules() []rule {
	models := []string{"runner/model", "runner/model/...", "runner/plain"}
	return []rule{
		{"sandbox", []string{"sandbox/wire", "sandbox/tree"}},
		{"sandbox/wire", nil},
		{"sandbox/tree", []string{"sandbox/wire"}},
		{"sandbox/agent", []string{"sandbox", "sandbox/wire", "sandbox/tree"}},
		{"sandbox/agent/binary", nil},
		{"sandbox/boxtest", []string{"sandbox", "sandbox/..."}},
		{"sandbox/docker", []string{"sandbox", "sandbox/wire", "sandbox/agent/binary", "images"}},
		{"sandbox/docker/dockertest", nil},
		{"images", nil},
		{"prompts", nil},
		{"runner/plain", nil},
		{"runner/atomicfile", nil},
		{"runner/holder", []string{"runner/atomicfile"}},
		{"runner/handover", []string{"sandbox", "runner/atomicfile"}},
		{"runner/feature", []string{"runner/plain", "runner/atomicfile"}},
		{"runner/ledger", []string{"runner/plain", "runner/atomicfile"}},
		{"runner/report", []string{"runner/plain", "runner/atomicfile", "runner/feature", "runner/ledger"}},
		{"runner/model/text", append(models, "runner/tool", "prompts")},
		{"runner/model/...", models},
		{"runner/model", models},
		{"runner/tool", []string{"sandbox", "runner/model", "runner/plain", "prompts"}},
		{"runner", []string{"sandbox", "sandbox/tree", "images", "prompts", "runner/plain", "runner/atomicfile", "runner/feature", "runner/handover", "runner/ledger", "runner/model", "runner/model/text", "runner/tool", "runner/report", "runner/holder"}},
		{"runner/batch", []string{"runner", "runner/..."}},
		{"cmd/glovebox-agent", []string{"sandbox/agent"}},
		{"cmd/glovebox", []string{"runner", "runner/...", "sandbox", "sandbox/docker", "sandbox/agent/binary", "images", "prompts"}},
	}
}

// The adapters' libraries are each imported by one package of ours.
func onlyImporters() map[string]string {
	return map[string]string{
		"github.com/docker/docker/":         "sandbox/docker",
		"github.com/sashabaranov/go-openai": "runner/model/openai",
		"github.com/anthropics/":            "runner/model/anthropic",
		"github.com/urfave/cli/v2":          "cmd/glovebox",
		"github.com/hashicorp/yamux":        "sandbox sandbox/agent sandbox/wire",
	}
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range ourPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, ours)
		i := slices.IndexFunc(importRules(), func(r rule) bool { return matches(r.who, name) })
		if i < 0 {
			t.Errorf("%s is in no rule: say in importRules what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			other, own := strings.CutPrefix(imported, ours)
			if own && !slices.ContainsFunc(importRules()[i].what, func(w string) bool { return matches(w, other) }) {
				t.Errorf("%s must not import %s", name, other)
			}
			checkLibrary(t, name, imported)
		}
	}
}

// Fakes and what tests are made of are no part of the program.
func TestTestCodeStaysInTests(t *testing.T) {
	for _, p := range ourPackages(t) {
		for _, imported := range p.Imports {
			name := strings.TrimPrefix(p.ImportPath, ours)
			if strings.HasSuffix(imported, "test") && strings.HasPrefix(imported, ours) && !strings.HasSuffix(name, "test") ||
				imported == "testing" && !strings.HasSuffix(name, "test") {
				t.Errorf("%s imports %s outside of its tests", name, imported)
			}
		}
	}
}

func checkLibrary(t *testing.T, name, imported string) {
	t.Helper()
	for library, importers := range onlyImporters() {
		if strings.HasPrefix(imported+"/", strings.TrimSuffix(library, "/")+"/") && !slices.Contains(strings.Fields(importers), name) {
			t.Errorf("%s must not import %s, only %s may", name, imported, importers)
		}
	}
}

func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

func ourPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", ours+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 10 {
		t.Fatalf("only %d packages are listed", len(packages))
	}
	return packages
}
