package prompts

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"
)

// promptMax is the longest prompt of a directory in bytes.
const promptMax = 64 << 10

// Set is the prompts of a job: the built-in ones, with those of a directory in
// the place of some. A nil Set is the built-in ones.
type Set struct {
	texts map[string]string // by name
}

// Render is [Render] with the prompts of s.
func (s *Set) Render(name string, data any) (string, error) {
	if s == nil || s.texts[name] == "" {
		return Render(name, data)
	}
	text, err := execute(name+".md", s.texts[name], data)
	if err != nil {
		return "", fmt.Errorf("render prompt %s: %w", name, err)
	}
	return text, nil
}

// Names are the prompts that can be replaced, without ".md".
func Names() []string { return slices.Sorted(maps.Keys(variables())) }

// Load reads the prompts of a directory, which may have some of them or all,
// and nothing else. Each is checked whole: a variable that there is none of,
// and one that is missing without which a session can't work, are errors, and
// so is a name that no prompt has.
func Load(dir string) (*Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Set{texts: map[string]string{}}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".md")
		if !slices.Contains(Names(), name) || name == e.Name() {
			return nil, fmt.Errorf("%q is no prompt; they are %s.md", e.Name(), strings.Join(Names(), ".md, "))
		}
		text, err := readPrompt(filepath.Join(dir, e.Name()))
		if err == nil {
			err = check(name, text)
		}
		if err != nil && !strings.HasPrefix(err.Error(), e.Name()) { // with the line
			err = fmt.Errorf("%s: %w", e.Name(), err)
		}
		if err != nil {
			return nil, err
		}
		s.texts[name] = text
	}
	if len(s.texts) == 0 {
		return nil, errors.New("there is no prompt in it")
	}
	return s, nil
}

func readPrompt(file string) (string, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("it is no regular file")
	case info.Size() > promptMax:
		return "", fmt.Errorf("it is larger than %d KB", promptMax>>10)
	}
	text, err := os.ReadFile(file)
	switch {
	case err != nil:
		return "", err
	case !utf8.Valid(text):
		return "", errors.New("it is not UTF-8 text")
	case strings.TrimSpace(string(text)) == "":
		return "", errors.New("it is empty; remove it to have the built-in one")
	}
	return string(text), nil
}

// Export writes all prompts into a directory, which is made if need be. If one
// of the files is there already, nothing is written: an error of [fs.ErrExist].
func Export(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range Names() {
		if _, err := os.Lstat(filepath.Join(dir, name+".md")); err == nil {
			return &fs.PathError{Op: "write", Path: filepath.Join(dir, name+".md"), Err: fs.ErrExist}
		}
	}
	for _, name := range Names() {
		text, err := files.ReadFile(name + ".md")
		if err != nil {
			return err
		}
		if err := writeNew(filepath.Join(dir, name+".md"), text); err != nil {
			return err
		}
	}
	return nil
}

func writeNew(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// variable is one that a prompt may use.
type variable struct {
	sample   any
	required bool // without it a session can't work
}

// variables are what each prompt gets, with a sample of each.
func variables() map[string]map[string]variable {
	of := func(sample any) variable { return variable{sample: sample} }
	needs := func(sample any) variable { return variable{sample, true} }
	feature := needs(map[string]any{"ID": "add", "Category": "functional", "Description": "Add", "Steps": []string{"step"},
		"Verify": "make test", "Frozen": []string{"test"}, "Passes": false, "Blocked": false, "Revised": false})
	list := of([]any{map[string]any{"ID": "add", "State": "todo", "Description": "Add"}})
	return map[string]map[string]variable{
		"system": {"Installed": of("sh"), "Missing": of("go"), "OutputKB": of(16), "Text": needs(true), "Timeout": of("2m0s"), "Memory": of("2 GB"),
			"CPUs": of(2.0), "PIDs": of(2048), "Disk": of("4 GB"), "MaxTokens": of(8192), "MaxLines": of(600)},
		"initializer": {"Spec": needs("spec"), "Count": needs("3 features"), "Remark": needs("a remark"), "SignedOff": needs(true), "Old": needs(2)},
		"coding": {"Spec": needs("spec"), "List": list, "Feature": feature,
			"Last": of(map[string]any{"Ending": "turns", "Note": "note"}), "Red": needs("red"), "Broke": of("by x"), "Accept": of("passes"),
			"Init": of("exited 1"), "Notes": of("note"), "Commits": of("abc"), "Tree": of("a")},
		"revision":   {"Spec": needs("spec"), "Feature": feature, "Why": needs("the test is wrong"), "Red": of("red"), "Files": needs([]string{"tests/a.py"})},
		"acceptance": {"Spec": needs("spec"), "List": list, "Accept": needs("fails"), "Init": of("exited 1"), "Notes": of("note"), "Commits": of("abc"), "Tree": of("a")},
		"gitignore":  {},
	}
}

// check tells faults of a prompt before anything is sent: it looks at every
// variable, and fills the prompt in with samples of all and of nothing.
func check(name, text string) error {
	vars := variables()[name]
	t, err := template.New(name + ".md").Parse(text)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	used := map[string]bool{}
	for _, part := range t.Templates() {
		if part.Tree == nil {
			continue
		}
		if err := checkNode(part.Tree, part.Root, known(vars), used); err != nil {
			return err
		}
	}
	full, bare := map[string]any{}, map[string]any{}
	for v, is := range vars {
		if is.required && !used[v] {
			return fmt.Errorf("it does not use {{.%s}}, which a session can't do without", v)
		}
		full[v], bare[v] = is.sample, nil
		if is.required {
			bare[v] = is.sample
		}
	}
	for _, data := range []map[string]any{full, bare} {
		if _, err := execute(name+".md", text, data); err != nil {
			return errors.New(strings.TrimPrefix(err.Error(), "template: "))
		}
	}
	return nil
}

// known are all names that a prompt with these variables may use, also those
// within one of them.
func known(vars map[string]variable) map[string]bool {
	names := map[string]bool{}
	var add func(sample any)
	add = func(sample any) {
		switch sample := sample.(type) {
		case map[string]any:
			for name, within := range sample {
				names[name] = true
				add(within)
			}
		case []any:
			for _, within := range sample {
				add(within)
			}
		}
	}
	for name, v := range vars {
		names[name] = true
		add(v.sample)
	}
	return names
}

// checkNode looks at the variables below a node, and notes them in used.
func checkNode(tree *parse.Tree, node parse.Node, known, used map[string]bool) error {
	var idents []string
	var below []parse.Node
	switch n := node.(type) {
	case *parse.FieldNode:
		idents = n.Ident
	case *parse.VariableNode:
		idents = n.Ident[1:]
	case *parse.ChainNode:
		idents, below = n.Field, []parse.Node{n.Node}
	case *parse.ListNode:
		if n != nil {
			below = n.Nodes
		}
	case *parse.ActionNode:
		below = []parse.Node{n.Pipe}
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				below = append(below, c)
			}
		}
	case *parse.CommandNode:
		below = n.Args
	case *parse.IfNode:
		below = []parse.Node{n.Pipe, n.List, n.ElseList}
	case *parse.RangeNode:
		below = []parse.Node{n.Pipe, n.List, n.ElseList}
	case *parse.WithNode:
		below = []parse.Node{n.Pipe, n.List, n.ElseList}
	case *parse.TemplateNode:
		below = []parse.Node{n.Pipe}
	}
	for _, name := range idents {
		if used[name] = true; !known[name] {
			where, _ := tree.ErrorContext(node)
			return fmt.Errorf("%s: there is no variable {{.%s}}; it has %s", where, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	for _, n := range below {
		if err := checkNode(tree, n, known, used); err != nil {
			return err
		}
	}
	return nil
}
