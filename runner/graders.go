package runner

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// testPart is a directory in which tests and what they need lie.
var testPart = regexp.MustCompile(`(?i)^(?:tests?|test[_-].*|.*[_-]tests?|specs?|__tests__|testdata|e2e)$`)

// testName is a file that is a test by its name.
var testName = regexp.MustCompile(`(?i)^(?:(?:tests?|check|verify|spec|smoke|e2e|accept)(?:[_.-].*)?|.*[_.-](?:tests?|spec|check)\.[a-z]+)$`)

// words are what a command may name files with.
var words = regexp.MustCompile(`[^\s;&|()<>"'=$` + "`" + `]+`)

// testDir is the outermost directory of tests that a file lies in, "" if none.
func testDir(name string) string {
	parts := strings.Split(path.Dir(name), "/")
	if i := slices.IndexFunc(parts, testPart.MatchString); i >= 0 {
		return strings.Join(parts[:i+1], "/")
	}
	return ""
}

func looksLikeTest(name string) bool {
	return testDir(name) != "" || testName.MatchString(path.Base(name))
}

// isTestCache says that a file is a cache of Python's or pytest's, which no proof reads.
func isTestCache(name string) bool {
	return strings.Contains("/"+name, "/.pytest_cache/") || strings.Contains("/"+name, "/__pycache__/") && strings.HasSuffix(name, ".pyc")
}

// namesFile says that a command names a file, or a directory above it.
func namesFile(command, name string) bool {
	return slices.ContainsFunc(words.FindAllString(command, -1), func(word string) bool {
		word, _, _ = strings.Cut(word, "::") // a test in a file, for pytest
		word = path.Clean(strings.TrimSuffix(word, "..."))
		if matches, err := path.Match(word, name); err == nil && matches {
			return true
		}
		return word == name || word != "." && strings.HasPrefix(name, word+"/")
	})
}

// namedTests are the files that look like tests and that a feature's verify, or
// a script that it freezes, names. Of a feature that has no test of its own
// they are all that there are: its verify finds them by itself.
func (w workspace) namedTests(f feature.Feature, files []string) (tests []string) {
	commands := []string{f.Verify}
	for _, name := range f.Frozen {
		if isShell(name) {
			if script, err := w.read(name, frozenMax); err == nil {
				commands = append(commands, string(script))
			}
		}
	}
	for _, name := range files {
		if looksLikeTest(name) && slices.ContainsFunc(commands, func(c string) bool { return namesFile(c, name) }) {
			tests = append(tests, name)
		}
	}
	if len(tests) > 0 || len(f.Frozen) > 0 {
		return tests
	}
	return slices.DeleteFunc(slices.Clone(files), func(name string) bool { return !looksLikeTest(name) })
}

func isShell(name string) bool { return slices.Contains([]string{".sh", ".bash"}, path.Ext(name)) }

// guards are all files that must be frozen with a list, for it to be what
// judges: those that it names, the tests that its verify commands name, and
// everything that lies in the same directories of tests.
func (w workspace) guards(list feature.List, files []string) (names []string) {
	files = slices.DeleteFunc(slices.Clone(files), isTestCache)
	for _, f := range list {
		names = append(names, f.Frozen...)
		names = append(names, w.namedTests(f, files)...)
	}
	dirs := testDirs(names)
	for _, name := range files {
		if slices.Contains(dirs, testDir(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// linkedGraders refuses links among the tests: they can't be frozen.
func linkedGraders(planned []treeEntry, graders []string) (problems []string) {
	for _, e := range planned {
		if e.mode == modeLink && slices.Contains(testDirs(graders), testDir(e.path)) {
			problems = append(problems, fmt.Sprintf("- %.200s is a link, and %s/ is frozen, where only plain files can be: remove it, or put the tests into another directory", e.path, testDir(e.path)))
		}
	}
	return problems
}

// replaced are files of a plan that take the place of Python's own modules.
func replaced(files []string, list feature.List) (problems []string) {
	for _, name := range files {
		named := slices.ContainsFunc(list, func(f feature.Feature) bool { return slices.Contains(f.Frozen, name) })
		if module := replacesModule(name); module != "" && !named {
			problems = append(problems, fmt.Sprintf("- Python would take %s for its own module %s when the tests run: give it another name, or name it in frozen", name, module))
		}
	}
	return problems
}

// testDirs are the directories of tests that files lie in.
func testDirs(names []string) (dirs []string) {
	for _, name := range names {
		if dir := testDir(name); dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// intrudes says why a new file may not be where it is, "" if it may: code beside
// the frozen graders is run together with them.
func intrudes(name string, graders []string) string {
	if dir := testDir(name); slices.Contains(testDirs(graders), dir) && !isTestCache(name) {
		return dir + "/ has the tests that were accepted: remove it, or put it elsewhere, tests of your own into a directory of another name"
	}
	if module := replacesModule(name); module != "" {
		return "Python would take it for its own module " + module + " when the tests run: give it another name"
	}
	base := path.Base(name)
	beside := func(g string) bool { return path.Dir(g) == path.Dir(name) && strings.HasSuffix(g, "_test.go") }
	if strings.HasSuffix(base, "_test.go") && slices.ContainsFunc(graders, beside) {
		return "is run together with the tests that were accepted: remove it, or put it into a directory of its own"
	}
	around := func(g string) bool { return path.Dir(name) == "." || strings.HasPrefix(g, path.Dir(name)+"/") }
	if strings.HasPrefix(base, "__init__.") && slices.ContainsFunc(graders, around) {
		return "Python would run it before the tests below it: remove it"
	}
	return ""
}
