package runner

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// recipes are the files in which a tool that verify runs looks for what to do.
// Whoever writes them decides what the tool proves.
var recipes = []struct {
	tool  *regexp.Regexp
	files []string
	also  []string // those that need not be there
}{
	{regexp.MustCompile(`(?:^|[\s;&|(])g?make(?:\s|$)`), []string{"GNUmakefile", "makefile", "Makefile"}, nil},
	{regexp.MustCompile(`(?:^|[\s;&|(])(?:npm|yarn|pnpm|bun)\s`), []string{"package.json"}, npmFiles},
	{regexp.MustCompile(`(?:^|[\s;&|(])just(?:\s|$)`), []string{"justfile", "Justfile", ".justfile"}, nil},
	{regexp.MustCompile(`(?:^|[\s;&|(])rake(?:\s|$)`), []string{"Rakefile", "rakefile"}, nil},
	{regexp.MustCompile(`(?:^|[\s;&|(/])(?:npx|bunx|jest|vitest|mocha)(?:\s|$)`), nil, append([]string{"package.json"}, npmFiles...)},
	{regexp.MustCompile(`(?:^|[\s;&|(])cargo\s`), nil, []string{".cargo/config", ".cargo/config.toml"}},
}

// npmFiles say how npm and those like it run a script.
var npmFiles = []string{".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "bunfig.toml"}

// usesInstalled finds in a verify what init.sh installs.
var usesInstalled = regexp.MustCompile(`(?:^|[\s;&|("'/=])(?:\.?venv|node_modules)/|(?:^|[\s;&|(])npx\s`)

// sources finds what a shell script takes over from another file.
var sources = regexp.MustCompile(`(?m)(?:^|[;&|(]|\bthen\b|\bdo\b)\s*(?:\.|source)\s+("[^"]*"|'[^']*'|\S+)`)

// unguarded says which files decide what verify proves and are not frozen: a
// builder could put an answer into them.
func (j *job) unguarded(list feature.List) (problems []string) {
	var frozen []string
	for _, f := range list {
		frozen = append(frozen, f.Frozen...)
	}
	for _, f := range list {
		for _, r := range recipes {
			kept := slices.ContainsFunc(r.files, func(name string) bool { return slices.Contains(frozen, name) })
			if r.tool.MatchString(f.Verify) && len(r.files) > 0 && !kept {
				problems = append(problems, fmt.Sprintf("- %s: verify: what it proves stands in %s, which the builder can change: name that in frozen, or run the test itself",
					f.ID, strings.Join(r.files, " or ")))
			}
		}
		if usesInstalled.MatchString(f.Verify) && !slices.Contains(frozen, "init.sh") {
			problems = append(problems, fmt.Sprintf("- %s: verify: it runs what init.sh installs, which the builder can change: write init.sh and name it in frozen, or run what the image has", f.ID))
		}
		problems = append(problems, unfrozenSources(f.ID, "verify", f.Verify, frozen)...)
		for _, name := range f.Frozen {
			if !isShell(name) {
				continue
			}
			if script, err := j.files.read(name, frozenMax); err == nil {
				problems = append(problems, unfrozenSources(f.ID, name, string(script), frozen)...)
			}
		}
	}
	return problems
}

// unfrozenSources are the files that a script takes over and that are not frozen.
func unfrozenSources(id, where, script string, frozen []string) (problems []string) {
	for _, m := range sources.FindAllStringSubmatch(script, -1) {
		name := path.Clean(strings.Trim(m[1], `"';`))
		top, _, _ := strings.Cut(name, "/")
		if slices.Contains(frozen, name) || slices.Contains(installed(), top) || strings.HasPrefix(name, "/") {
			continue
		}
		problems = append(problems, fmt.Sprintf("- %s: %s: takes over %.80q, which the builder can change: name it in frozen, or do without", id, where, name))
	}
	return problems
}

// decides says whether a file of a tree, which lies in from, has a say in how tests run.
func decides(from workspace, name string, list feature.List) bool {
	return decidesTests(name) || from.configuresTests(name) || from.isPlugin(name) || isRecipe(name, list) || from.isTestMain(name) ||
		isInstalled(name) && slices.ContainsFunc(list, func(f feature.Feature) bool { return usesInstalled.MatchString(f.Verify) })
}

// isInstalled says that a file lies where packages are installed.
func isInstalled(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(part string) bool { return slices.Contains(installed(), part) })
}

// isRecipe says that a tool which a verify runs would look into the file.
func isRecipe(name string, list feature.List) bool {
	for _, r := range recipes {
		if slices.Contains(append(r.files[:len(r.files):len(r.files)], r.also...), name) && slices.ContainsFunc(list, func(f feature.Feature) bool { return r.tool.MatchString(f.Verify) }) {
			return true
		}
	}
	return false
}

// isTestMain says that a Go file is run around all tests of its package.
func (w workspace) isTestMain(name string) bool {
	if !strings.HasSuffix(name, "_test.go") {
		return false
	}
	data, err := w.read(name, frozenMax)
	return err != nil || bytes.Contains(data, []byte("TestMain"))
}
