package main

import (
	"strings"
	"text/template"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox"
)

func (a *app) completionCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "completion",
		Usage:     "prints a script that completes commands and flags in a shell",
		ArgsUsage: "bash | zsh | fish",
		Description: `bash: source <(glovebox completion bash), in ~/.bashrc
zsh:  source <(glovebox completion zsh), in ~/.zshrc after compinit
fish: glovebox completion fish > ~/.config/fish/completions/glovebox.fish`,
		Action: a.completionAction,
	})
}

func (a *app) completionAction(c *cli.Context) error {
	args, err := arguments(c, "SHELL")
	if err != nil {
		return err
	}
	script, ok := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[args[0]]
	if !ok {
		return usage("bash, zsh or fish", "completion: there is no script for %q", args[0])
	}
	shell, err := template.New(args[0]).Parse(script)
	if err != nil {
		return err // a test reads all of them
	}
	return shell.Execute(a.stdout, levelsOf("", a.commands()))
}

// completed is a place on a command line and what can follow there.
type completed struct {
	Path     string // of the command, "" for the program
	Commands []named
	Flags    []completedFlag
}

type named struct{ Name, About string }

type completedFlag struct {
	Name, About string
	Takes       bool     // a value
	Values      []string // the only ones, none if it may be anything
}

// levelsOf are all places below path, that one first.
func levelsOf(path string, commands []*cli.Command) []completed {
	here := completed{Path: path}
	var all []completed
	for _, c := range commands {
		here.Commands = append(here.Commands, named{c.Name, plainUsage(c.Usage)})
		below := levelsOf(strings.TrimSpace(path+" "+c.Name), c.Subcommands)
		below[0].Flags = flagsOf(c)
		if c.Name == "completion" {
			below[0].Commands = []named{{"bash", ""}, {"zsh", ""}, {"fish", ""}}
		}
		all = append(all, below...)
	}
	return append([]completed{here}, all...)
}

func flagsOf(c *cli.Command) []completedFlag {
	flags := []completedFlag{{Name: "help", About: "explains the command"}}
	for _, f := range c.Flags {
		_, isBool := f.(*cli.BoolFlag)
		about := f.(cli.DocGenerationFlag).GetUsage()
		flags = append(flags, completedFlag{Name: f.Names()[0], About: plainUsage(about), Takes: !isBool, Values: valuesOf(f.Names()[0])})
	}
	return flags
}

// valuesOf are the words that a flag takes.
func valuesOf(flag string) []string {
	switch flag {
	case "scope":
		return []string{string(sandbox.ScopeCall), string(sandbox.ScopeSession)}
	case "workspace":
		return []string{string(runner.WorkspaceAuto), string(runner.WorkspaceBind), string(runner.WorkspaceVolume)}
	case "tools":
		return []string{string(runner.ToolsAuto), string(runner.ToolsNative), string(runner.ToolsText)}
	case "image":
		return images.Names()
	}
	return nil
}

// plainUsage is a text of help that no shell takes for anything else.
func plainUsage(s string) string {
	return strings.NewReplacer("`", "", "'", "", ":", ",", "[", "(", "]", ")").Replace(s)
}

// The scripts hold the commands and flags of this version; no shell has to run
// the program at each key.
const (
	bashCompletion = `# glovebox, for bash; made by: glovebox completion bash
_glovebox() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} level= word i words=
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${level:+$level }${COMP_WORDS[i]}"
    case $word in{{range .}}{{if .Path}}
      "{{.Path}}") level=$word ;;{{end}}{{end}}
    esac
  done
  case $level/$prev in{{range .}}{{$path := .Path}}{{range .Flags}}{{if .Values}}
    "{{$path}}/--{{.Name}}") COMPREPLY=($(compgen -W "{{range .Values}}{{.}} {{end}}" -- "$cur")); return ;;{{else if .Takes}}
    "{{$path}}/--{{.Name}}") COMPREPLY=(); return ;;{{end}}{{end}}{{end}}
  esac
  case $level in{{range .}}
    "{{.Path}}")
      case $cur in
        -*) words="{{range .Flags}}--{{.Name}} {{end}}" ;;
        *) words="{{range .Commands}}{{.Name}} {{end}}" ;;
      esac ;;{{end}}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _glovebox glovebox
`
	zshCompletion = `#compdef glovebox
# glovebox, for zsh; made by: glovebox completion zsh
_glovebox() {
  local level= word i
  local -a offered
  for ((i = 2; i < CURRENT; i++)); do
    word="${level:+$level }${words[i]}"
    case $word in{{range .}}{{if .Path}}
      "{{.Path}}") level=$word ;;{{end}}{{end}}
    esac
  done
  case "$level/${words[CURRENT-1]}" in{{range .}}{{$path := .Path}}{{range .Flags}}{{if .Values}}
    "{{$path}}/--{{.Name}}") compadd -- {{range .Values}}{{.}} {{end}}; return ;;{{else if .Takes}}
    "{{$path}}/--{{.Name}}") _files; return ;;{{end}}{{end}}{{end}}
  esac
  case $level in{{range .}}
    "{{.Path}}")
      if [[ $PREFIX == -* ]]; then
        offered=({{range .Flags}}'--{{.Name}}:{{.About}}' {{end}})
      else
        offered=({{range .Commands}}'{{.Name}}:{{.About}}' {{end}})
      fi ;;{{end}}
  esac
  if (( ${#offered} )); then _describe glovebox offered; else _files; fi
}
compdef _glovebox glovebox
`
	fishCompletion = `# glovebox, for fish; made by: glovebox completion fish
function __glovebox_level
  set -l level
  for word in (commandline -opc)[2..-1]
    switch (string join ' ' -- $level $word){{range .}}{{if .Path}}
      case '{{.Path}}'
        set level $level $word{{end}}{{end}}
    end
  end
  test (string join ' ' -- $level) = "$argv[1]"
end{{range .}}{{$path := .Path}}{{range .Commands}}
complete -c glovebox -f -n '__glovebox_level "{{$path}}"' -a {{.Name}} -d '{{.About}}'{{end}}{{range .Flags}}
complete -c glovebox -n '__glovebox_level "{{$path}}"' -l {{.Name}}{{if .Takes}} -r{{end}}{{if .Values}} -f -a '{{range .Values}}{{.}} {{end}}'{{end}} -d '{{.About}}'{{end}}{{end}}
`
)
