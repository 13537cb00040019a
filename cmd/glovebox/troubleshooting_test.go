package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// said is a failure as the source words it: a name or number is "…".
type said struct{ message, hint string }

// Each message of ours can be found in docs/troubleshooting.md with what to do.
// The table at its end is made of the source: run this test with
// GLOVEBOX_UPDATE=1 to make it anew.
func TestEveryMessageIsInTroubleshooting(t *testing.T) {
	const file, mark = "../../docs/troubleshooting.md", "\n## All messages\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	written, _, found := strings.Cut(string(page), mark)
	if !found {
		t.Fatalf("%s has no %q", file, mark)
	}
	messages := messagesOf(t, "../../cmd/glovebox", "../../runner", "../../runner/batch", "../../runner/model/provider", "../../images")
	if len(messages) < 150 {
		t.Fatalf("only %d messages are found", len(messages))
	}
	var table strings.Builder
	table.WriteString(mark + "\nBy their first words; … stands for a name, a number, or what somebody else said.\n\n| message | what to do |\n|---|---|\n")
	for _, m := range messages {
		fmt.Fprintf(&table, "| %s | %s |\n", cell(m.message), cell(m.hint))
	}
	want := written + table.String()
	if os.Getenv("GLOVEBOX_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, m := range messages {
		if !strings.Contains(string(page), "\n| "+cell(m.message)+" |") {
			t.Errorf("not in %s: %s", file, m.message)
		}
	}
	if want != string(page) && !t.Failed() {
		t.Errorf("the table of %s is not the source's any more; GLOVEBOX_UPDATE=1 makes it anew", file)
	}
}

// cell is a text in a table of Markdown.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "_", `\_`, "~", `\~`).Replace(s)
}

// messagesOf collects the failures that the packages in dirs word, by their messages.
func messagesOf(t *testing.T, dirs ...string) []said {
	t.Helper()
	all := map[string]said{}
	for _, dir := range dirs {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		var parsed []*ast.File
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
		w := wording{constants: map[string]ast.Expr{}}
		for _, f := range parsed {
			for _, d := range f.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					w.declare(g)
				}
			}
		}
		for _, f := range parsed {
			for _, d := range f.Decls {
				for _, m := range w.in(d) {
					if len(strings.Trim(m.message, "… :,;%s")) >= 4 && m.hint >= all[m.message].hint {
						all[m.message] = m
					}
				}
			}
		}
	}
	var list []said
	for _, m := range all {
		list = append(list, m)
	}
	key := func(m said) string { return strings.ToLower(strings.TrimLeft(m.message, "… :`-")) }
	slices.SortFunc(list, func(a, b said) int { return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.message, b.message)) })
	return list
}

// wording reads texts out of a package's source.
type wording struct{ constants map[string]ast.Expr }

// declare notes the texts that constants stand for.
func (w wording) declare(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		g, ok := n.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			return true
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			for i := range v.Values {
				w.constants[v.Names[i].Name] = v.Values[i]
			}
		}
		return true
	})
}

// in are the failures of a declaration: calls of what words them, errors that
// are composed, and the table of a provider's faults.
func (w wording) in(d ast.Decl) (list []said) {
	w.constants = maps.Clone(w.constants)
	w.declare(d) // its own constants go before those of the package
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			list = append(list, w.call(n)...)
		case *ast.CompositeLit:
			var m said
			for _, e := range n.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				switch name, _ := kv.Key.(*ast.Ident); {
				case name == nil:
				case name.Name == "Reason", name.Name == "Message":
					m.message = w.text(kv.Value)
				case name.Name == "Hint":
					m.hint = w.text(kv.Value)
				}
			}
			list = append(list, m)
		case *ast.ReturnStmt:
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "explainFault" && len(n.Results) == 3 {
				list = append(list, said{w.text(n.Results[1]), w.text(n.Results[2])})
			}
		}
		return true
	})
	return list
}

func (w wording) call(c *ast.CallExpr) []said {
	name := ""
	switch f := c.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	switch {
	case name == "usage" && len(c.Args) >= 2:
		return []said{{w.text(c.Args[1]), w.text(c.Args[0])}}
	case name == "fail" && len(c.Args) >= 3:
		return []said{{w.text(c.Args[2]), w.text(c.Args[1])}}
	case (name == "unknown" || name == "option") && len(c.Args) >= 1:
		return []said{{w.text(c.Args[0]), ""}}
	}
	return nil
}

var verb = regexp.MustCompile(`%[-+ #0]*[0-9.]*[a-z]`)

// text is what an expression says, as far as the source tells.
func (w wording) text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return strings.ReplaceAll(verb.ReplaceAllString(s, "…"), "%%", "%")
		}
	case *ast.BinaryExpr:
		return w.text(e.X) + w.text(e.Y)
	case *ast.Ident:
		if c, ok := w.constants[e.Name]; ok {
			return w.text(c)
		}
	case *ast.CallExpr:
		if s, ok := e.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Sprintf" {
			return w.text(e.Args[0])
		}
	}
	return "…"
}
