package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// Run is the whole program but for signals and the end of the process: it
// reads a command line, does what it says and returns the exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	return newApp(stdin, stdout, stderr, env).run(ctx, args)
}

// app is one run of the program: its streams and its environment.
type app struct {
	stdin   io.Reader
	stdout  *redactWriter // results
	stderr  *redactWriter // everything else; written to through screen alone
	screen  *screen
	rawOut  io.Writer // stdout and stderr themselves, to ask whether they are terminals
	rawErr  io.Writer
	environ []string            // K=V, as it came
	env     func(string) string // and the keys from files
	redact  *redactor
	keys    keyFiles
	onEvent func(ledger.Event) // told every event of a job's ledger; nil outside of tests

	onEndTime time.Duration // for the command of --on-end
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, env []string) *app {
	keys, values := readKeys(env)
	all := slices.Concat(env, values)
	redact := newRedactor(all)
	a := &app{stdin: stdin, rawOut: stdout, rawErr: stderr, environ: env, env: lookup(all), redact: redact, keys: keys, onEndTime: onEndTime}
	if a.onGitHub() {
		stdout, stderr = newUnobeyed(stdout), newUnobeyed(stderr)
	}
	a.stdout, a.stderr = redact.Writer(stdout), redact.Writer(stderr)
	a.screen = newScreen(a.stderr, a.rawErr, a.env)
	return a
}

// run is Run.
func (a *app) run(ctx context.Context, args []string) int {
	code := 0
	if err := a.dispatch(ctx, args); err != nil {
		a.screen.Clear()
		e := explain(err)
		a.screen.Print(failureText(e))
		a.annotateFailure(e)
		code = e.Outcome.ExitCode()
	}
	if err := errors.Join(a.stdout.Flush(), a.stderr.Flush()); err != nil && code == 0 {
		code = runner.FailedRun.ExitCode()
	}
	return code
}

func (a *app) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"glovebox"}
	}
	if len(args) > 1 && args[1] == "help" {
		args = append(append([]string{args[0]}, args[2:]...), "--help")
	}
	c := a.commandLine()
	ordered, err := reorder(c, args)
	if err != nil {
		return err
	}
	return c.RunContext(ctx, ordered)
}

// commandLine declares the commands.
func (a *app) commandLine() *cli.App {
	return &cli.App{
		Name:                  "glovebox",
		Usage:                 "builds software from a spec with a model that it does not trust",
		Flags:                 []cli.Flag{&cli.BoolFlag{Name: "version", DisableDefaultText: true, Usage: "print the version"}},
		Action:                a.version,
		Commands:              a.commands(),
		HideVersion:           true,
		HideHelpCommand:       true,
		Writer:                a.stdout,
		ErrWriter:             a.stderr,
		ExitErrHandler:        func(*cli.Context, error) {},
		OnUsageError:          onUsageError,
		CustomAppHelpTemplate: appHelp,
	}
}

func (a *app) commands() []*cli.Command {
	return []*cli.Command{
		a.runCommand(), a.batchCommand(), a.statusCommand(), a.stopCommand(), a.featuresCommand(), a.logCommand(), a.reportCommand(), a.verifyCommand(), a.handoverCommand(), a.diffCommand(), a.cleanCommand(),
		a.modelsCommand(), a.promptsCommand(), a.imageCommand(), a.doctorCommand(), a.completionCommand(), a.versionCommand(),
	}
}

// onUsageError words what cli itself finds wrong, which is little: reorder
// finds most, and the values are read by us.
func onUsageError(_ *cli.Context, err error, _ bool) error {
	return usage("`glovebox COMMAND --help` lists its flags", "%v", err)
}

// command completes what all commands have in common.
func command(c *cli.Command) *cli.Command {
	c.OnUsageError = onUsageError
	c.HideHelpCommand = true
	c.CustomHelpTemplate = commandHelp
	return c
}

// arguments checks how many arguments there are: one for every name, of which
// the last may repeat if it ends in "...".
func arguments(c *cli.Context, names ...string) ([]string, error) {
	got := c.Args().Slice()
	hint, name := c.Command.HelpName, strings.TrimPrefix(c.Command.HelpName, "glovebox ")
	if c.Command.ArgsUsage != "" {
		hint += " " + c.Command.ArgsUsage
	}
	hint = "usage: " + hint
	switch {
	case len(got) < len(names):
		return nil, usage(hint, "%s: %s is missing", name, names[len(got)])
	case len(got) > len(names):
		return nil, usage(hint, "%s: one argument too many: %q", name, got[len(names)])
	}
	for i, word := range got {
		if word == "" {
			return nil, usage(hint, "%s: %s is empty", name, names[i])
		}
	}
	return got, nil
}

// print writes a line of a result to stdout.
func (a *app) print(format string, args ...any) {
	fmt.Fprintf(a.stdout, format+"\n", args...)
}

// printHanging writes a text behind a prefix to stdout. On a terminal it is
// broken into lines below one another; in a file it stays one line, for grep.
func (a *app) printHanging(prefix, text string) {
	lines := []string{plain(text)}
	if f, ok := isTerminal(a.rawOut); ok {
		lines = wrap(lines[0], max(columns(f)-width(prefix)-1, leastTextWide))
	}
	a.print("%s%s", prefix, strings.Join(lines, "\n"+pad("", width(prefix))))
}

// outColumns is how wide results may be: the terminal's width, or enough for a file.
func (a *app) outColumns() int { return streamColumns(a.rawOut) }

const appHelp = `glovebox {{.Usage}}.

usage: glovebox COMMAND [flags] [arguments]

commands:{{range .VisibleCommands}}
  {{printf "%-11s" .Name}}{{.Usage}}{{end}}

` + "`glovebox COMMAND --help`" + ` explains a command.

exit codes: 0 done, 1 failed, 2 usage, 3 incomplete, 4 budget, 5 model refused,
6 no sandbox, 7 rejected, 8 rate limit, 130 interrupted
`

const commandHelp = `usage: {{.HelpName}}{{if .VisibleFlags}} [flags]{{end}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}

{{.Usage}}.{{if .Description}}

{{.Description}}{{end}}{{if .VisibleFlags}}

flags:{{range .VisibleFlags}}
  {{.}}{{end}}{{end}}
`
