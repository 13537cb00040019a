package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner"
)

func (a *app) promptsCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "prompts",
		Usage:     "writes what the model is told, to be changed",
		ArgsUsage: "COMMAND",
		Subcommands: []*cli.Command{
			command(&cli.Command{
				Name:        "export",
				Usage:       "writes the built-in prompts into a directory",
				ArgsUsage:   "DIR",
				Description: "Change them, remove those that stay as they are, and give the directory to\n`glovebox run --prompts DIR`. Files that are there are never overwritten.",
				Action:      a.promptsExportAction,
			}),
		},
	})
}

func (a *app) promptsExportAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	err = prompts.Export(args[0])
	var at *fs.PathError
	switch {
	case errors.Is(err, fs.ErrExist) && errors.As(err, &at):
		return usage("name another directory, or move it away", "%s is there already; nothing was written", at.Path)
	case err != nil:
		return usage("name a directory that can be written", "write the prompts to %s: %v", args[0], cause(err))
	}
	for _, name := range prompts.Names() {
		a.print("%s/%s.md", plain(args[0]), name)
	}
	return nil
}

// extras are files of the user's that a job gets besides the specification.
type extras struct {
	accept  *runner.Acceptance // nil: none is given
	prompts *prompts.Set       // nil: the built-in ones
}

func readExtras(o order, project string) (more extras, err error) {
	if o.accept != "" {
		if more.accept, err = readAcceptance(o.accept, project); err != nil {
			return more, err
		}
	}
	if o.prompts == "" {
		return more, nil
	}
	const hint = "`glovebox prompts export DIR` writes the built-in ones; docs/proof.md says what they may use"
	if info, err := os.Stat(o.prompts); err != nil || !info.IsDir() {
		return more, usage(hint, "--prompts %s is no directory", o.prompts)
	}
	if liesIn(o.prompts, project) {
		return more, usage("keep them somewhere else", "--prompts %s lies in the project directory, where the model could change them", o.prompts)
	}
	if more.prompts, err = prompts.Load(o.prompts); err != nil {
		return more, usage(hint, "--prompts %s: %v", o.prompts, err)
	}
	return more, nil
}
