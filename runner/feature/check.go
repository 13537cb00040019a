package feature

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// checker collects the problems of a list.
type checker struct {
	strict   bool // fields that are not known are problems
	problems []Problem
}

func (c *checker) add(entry, field, text string) {
	c.problems = append(c.problems, Problem{Entry: entry, Field: field, Text: text})
}

// told are the problems for the model, the first ones if they are many.
func (c *checker) told() []Problem {
	if len(c.problems) <= maxProblems {
		return c.problems
	}
	more := Problem{Text: fmt.Sprintf("and %d more problems", len(c.problems)-maxProblems)}
	return append(c.problems[:maxProblems:maxProblems], more)
}

// entry checks one entry. seen holds the ids so far with their numbers.
func (c *checker) entry(i int, raw json.RawMessage, seen map[string]int) Feature {
	name := fmt.Sprintf("entry %d", i+1)
	d, ok := c.decode(name, raw)
	if !ok {
		return Feature{}
	}
	var f Feature
	f.ID = c.id(name, d.ID)
	if f.ID != "" {
		name += " (" + f.ID + ")"
		if before, ok := seen[f.ID]; ok {
			c.add(name, "id", fmt.Sprintf("entry %d has the same id; give each its own", before))
		}
		seen[f.ID] = i + 1
	}
	f.Category = c.category(name, d.Category)
	f.Description = c.text(name, "description", d.Description, maxDescription)
	f.Steps = c.steps(name, d.Steps)
	f.Verify = c.verify(name, d.Verify)
	f.Frozen = c.frozen(name, d.Frozen)
	return f
}

// id is a slug: it becomes part of file names and commit messages.
func (c *checker) id(entry string, id *string) string {
	if id == nil || *id == "" {
		c.add(entry, "id", "is missing; give a short lowercase name like add-task")
		return ""
	}
	if !slug(*id) {
		c.add(entry, "id", fmt.Sprintf("%.60q must be lowercase letters, digits and single dashes, begin with a letter, at most %d characters", *id, maxID))
		return ""
	}
	return *id
}

func slug(s string) bool {
	if len(s) > maxID || s[0] < 'a' || s[0] > 'z' || strings.HasSuffix(s, "-") || strings.Contains(s, "--") {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (c *checker) category(entry string, category *string) string {
	if category == nil {
		c.add(entry, "category", "is missing; it is functional or style")
		return ""
	}
	if *category != "functional" && *category != "style" {
		c.add(entry, "category", fmt.Sprintf("%.60q must be functional or style", *category))
	}
	return *category
}

// text checks a line of prose. Line breaks become blanks.
func (c *checker) text(entry, field string, s *string, max int) string {
	if s == nil || strings.TrimSpace(*s) == "" {
		c.add(entry, field, "is missing or empty")
		return ""
	}
	line := strings.Join(strings.Fields(*s), " ")
	if len(line) > max {
		c.add(entry, field, fmt.Sprintf("has %d bytes; %d are the limit", len(line), max))
	}
	if strings.ContainsFunc(line, unicode.IsControl) {
		c.add(entry, field, "holds control characters; use plain text")
	}
	return line
}

func (c *checker) steps(entry string, steps *[]string) []string {
	if steps == nil || len(*steps) == 0 {
		c.add(entry, "steps", "is missing or empty; list what to do and what must come of it")
		return nil
	}
	if len(*steps) > maxSteps {
		c.add(entry, "steps", fmt.Sprintf("has %d steps; %d are the limit", len(*steps), maxSteps))
		return nil
	}
	var clean []string
	for i := range *steps {
		clean = append(clean, c.text(entry, fmt.Sprintf("steps[%d]", i), &(*steps)[i], maxStep))
	}
	return clean
}

// verify refuses commands that can't fail by their look; every other is run
// once before the work begins and must fail then.
func (c *checker) verify(entry string, verify *string) string {
	if verify == nil || strings.TrimSpace(*verify) == "" {
		c.add(entry, "verify", "is missing or empty; give the command that proves this feature, for example python3 -m pytest -q tests/test_add.py")
		return ""
	}
	command := strings.TrimSpace(*verify)
	switch {
	case len(command) > maxVerify:
		c.add(entry, "verify", fmt.Sprintf("has %d bytes; %d are the limit: put it into a script and freeze that", len(command), maxVerify))
	case strings.ContainsFunc(command, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		c.add(entry, "verify", "holds control characters")
	case trivial(command):
		c.add(entry, "verify", fmt.Sprintf("%.60q proves nothing; run a test that fails while the feature is missing", command))
	}
	return command
}

// trivial says that nothing in the command can fail: it is made of true, :,
// exit 0, echo and printf alone.
func trivial(command string) bool {
	for _, part := range strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(";&|\n", r) }) {
		words := strings.Fields(part)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch path.Base(words[0]) {
		case "true", ":", "echo", "printf":
			if strings.Contains(part, "$(") || strings.Contains(part, "`") {
				return false
			}
		case "exit":
			if len(words) > 1 && words[1] != "0" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// frozen checks paths that the host will copy and restore: they must stay in
// the workspace and away from what is the host's or git's.
func (c *checker) frozen(entry string, paths []string) []string {
	if len(paths) > maxFrozen {
		c.add(entry, "frozen", fmt.Sprintf("has %d files; %d are the limit", len(paths), maxFrozen))
		return nil
	}
	var clean []string
	seen := map[string]bool{}
	for i, p := range paths {
		if why := badPath(p); why != "" {
			c.add(entry, fmt.Sprintf("frozen[%d]", i), fmt.Sprintf("%.60q %s", p, why))
			continue
		}
		p = path.Clean(p)
		if !seen[p] {
			seen[p] = true
			clean = append(clean, p)
		}
	}
	return clean
}

// badPath says what is wrong with a path of the workspace, or "".
func badPath(p string) string {
	clean := path.Clean(p)
	switch {
	case p == "" || clean == ".":
		return "names no file"
	case len(p) > maxPath:
		return fmt.Sprintf("is longer than %d bytes", maxPath)
	case path.IsAbs(p):
		return "must be relative to the workspace, like tests/test_add.py"
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return "leaves the workspace"
	case strings.HasSuffix(p, "/"):
		return "is a folder; name files"
	case strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.ContainsAny(p, `\*?`):
		return "must be a plain file name without patterns"
	case reserved(clean):
		return "can't be frozen: it belongs to the host"
	case slices.Contains([]string{File, "app_spec.txt", "progress.md"}, clean):
		return "can't be frozen: it is the host's already"
	case slices.Contains([]string{".gitignore", ".gitattributes"}, path.Base(clean)):
		return "can't be frozen: it decides what git has, not whether the program works"
	}
	return ""
}

// reserved says that a clean path leads into a repository's or the job's own
// directory. Case is ignored because some file systems do.
func reserved(clean string) bool {
	for _, part := range strings.Split(clean, "/") {
		if strings.EqualFold(part, ".git") || strings.EqualFold(part, ".glovebox") {
			return true
		}
	}
	return false
}
