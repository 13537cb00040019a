package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder puts the flags of a command line before its arguments, because cli
// stops looking for flags at the first argument. It is the only place that
// reads a command line: an unknown command, an unknown flag and a flag without
// its value are found here, so that nothing that looks like a flag is ever
// taken for an argument in silence. What follows "--" is never a flag.
func reorder(app *cli.App, args []string) ([]string, error) {
	out, rest := args[:1:1], args[1:]
	level := level{path: app.Name, flags: app.Flags, commands: app.Commands}
	for len(level.commands) > 0 {
		if len(rest) == 0 {
			return nil, usage("commands: "+level.names()+"; `"+level.path+" --help` explains them", "%sa command is missing", level.prefix())
		}
		if strings.HasPrefix(rest[0], "-") {
			if err := level.rootFlag(rest[0]); err != nil {
				return nil, err
			}
			return append(out, rest[0]), nil
		}
		next, err := level.down(rest[0])
		if err != nil {
			return nil, err
		}
		out, rest, level = append(out, rest[0]), rest[1:], next
	}
	ordered, err := level.split(rest)
	if err != nil {
		return nil, err
	}
	return append(out, ordered...), nil
}

// level is a command on the way down a command line: the program, then a
// subcommand, then one of that.
type level struct {
	path     string // as typed: glovebox image
	name     string // of the command in messages, "" for the program
	flags    []cli.Flag
	commands []*cli.Command
}

// prefix begins a message about a command.
func (l level) prefix() string {
	if l.name == "" {
		return ""
	}
	return l.name + ": "
}

func (l level) names() string {
	return strings.Join(l.commandNames(), ", ")
}

func (l level) commandNames() []string {
	var names []string
	for _, c := range l.commands {
		names = append(names, c.Name)
	}
	return names
}

// down is the level of a command of this one.
func (l level) down(word string) (level, error) {
	for _, c := range l.commands {
		if c.HasName(word) {
			return level{path: l.path + " " + c.Name, name: strings.TrimSpace(l.name + " " + c.Name), flags: c.Flags, commands: c.Subcommands}, nil
		}
	}
	hint := "commands: " + l.names()
	if near := nearest(word, l.commandNames()); near != "" {
		hint = "did you mean `" + l.path + " " + near + "`?"
	}
	return level{}, usage(hint, "%sthere is no command %q", l.prefix(), word)
}

// rootFlag checks a flag that stands where a command should.
func (l level) rootFlag(word string) error {
	if isHelp(word) {
		return nil
	}
	if f := findFlag(l.flags, flagName(word)); f != nil {
		return nil
	}
	return usage("a command comes first, then its flags; commands: "+l.names(), "%sunknown flag %s", l.prefix(), word)
}

// split puts what follows a command into the order: flags, "--", arguments.
func (l level) split(words []string) ([]string, error) {
	var flags, arguments []string
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			arguments = append(arguments, words[i+1:]...)
			break
		}
		if word == "-" || !strings.HasPrefix(word, "-") {
			arguments = append(arguments, word)
			continue
		}
		if isHelp(word) {
			return []string{"--help"}, nil
		}
		flag := findFlag(l.flags, flagName(word))
		if flag == nil {
			return nil, l.unknownFlag(word)
		}
		flags = append(flags, word)
		if _, isBool := flag.(*cli.BoolFlag); isBool || strings.Contains(word, "=") {
			continue
		}
		if i+1 == len(words) || l.looksLikeFlag(words[i+1]) {
			return nil, usage("write "+word+" VALUE or "+word+"=VALUE", "%s%s needs a value", l.prefix(), word)
		}
		i++
		flags = append(flags, words[i])
	}
	return append(append(flags, "--"), arguments...), nil
}

// looksLikeFlag says that a word is one of the flags, not a value like -1.
func (l level) looksLikeFlag(word string) bool {
	return strings.HasPrefix(word, "-") && (word == "--" || findFlag(l.flags, flagName(word)) != nil)
}

func (l level) unknownFlag(word string) error {
	var known []string
	for _, f := range l.flags {
		for _, n := range f.Names() {
			if len(n) > 1 {
				known = append(known, n)
			}
		}
	}
	hint := "`" + l.path + " --help` lists its flags; an argument that begins with - goes after --"
	if near := nearest(flagName(word), known); near != "" {
		hint = "did you mean --" + near + "?"
	}
	return usage(hint, "%sunknown flag %s", l.prefix(), word)
}

func isHelp(word string) bool { return word == "--help" || word == "-help" || word == "-h" }

// flagName is the name in -name, --name and --name=value.
func flagName(word string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	return name
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

// nearest is the candidate that a word was probably meant to be: one that it
// begins, or the one with the fewest typing errors if these are few: one in a
// short word, two (a swap of letters counts as two) or a third of it in others.
func nearest(word string, candidates []string) string {
	best, fewest := "", 2
	if len(word) > 3 {
		fewest = 1 + max(2, len(word)/3)
	}
	for _, c := range candidates {
		if len(word) >= 2 && strings.HasPrefix(c, word) {
			return c
		}
		if d := typos(word, c); d < fewest {
			best, fewest = c, d
		}
	}
	return best
}

// typos counts the letters to be added, removed or changed to make b of a
// (Levenshtein's distance).
func typos(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
