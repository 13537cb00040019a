package main

import (
	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

func (a *app) featuresCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "features",
		Usage:     "shows the feature list of a job, or edits it",
		ArgsUsage: "DIR [edit]",
		Description: `edit opens the list in VISUAL or EDITOR, while no process works on the job. The
change is recorded with who made it. A feature whose verify or frozen files
changed passes no more, and the next run must see its verify fail on the state
before the work. Files that are frozen already stay as they are.`,
		Action: a.featuresAction,
	})
}

func (a *app) featuresAction(c *cli.Context) error {
	names := []string{"DIR"}
	if c.Args().Len() > 1 {
		names = append(names, "edit")
	}
	args, err := arguments(c, names...)
	if err != nil {
		return err
	}
	if len(args) == 2 && args[1] != "edit" {
		return usage("usage: glovebox features DIR [edit]", "features: %q is not edit", args[1])
	}
	dir, err := knownProject(args[0])
	if err != nil {
		return err
	}
	if len(args) == 2 {
		return a.editFeatures(c, args[0], dir)
	}
	s, err := runner.ReadStatus(dir)
	if err != nil {
		return err
	}
	if len(s.Features) == 0 {
		return usage("`glovebox run` plans them", "no features are planned in %s yet", args[0])
	}
	r := report{w: a.stdout, columns: a.outColumns()}
	for i, f := range s.Features {
		if i > 0 {
			a.print("")
		}
		red := s.Red[f.ID]
		if f.Passes {
			red = "" // what its test said before it was built
		}
		for _, line := range unfolded(f, red, "", r.columns) {
			a.print("%s", line)
		}
		a.print("      %s%s", pad("state", 8), stateText(f))
	}
	a.print("")
	if s.Note != "" {
		r.field("uncovered", "in the planner's words: "+s.Note)
	}
	r.field("list", listText(s))
	return nil
}

// stateText is where a feature stands, in words.
func stateText(f feature.Feature) string {
	text := "not built yet"
	switch {
	case f.Passes:
		text = "passes"
	case f.Blocked:
		text = "blocked"
	}
	if f.Revised {
		text += "; its test was revised after a dispute"
	}
	return text
}

// editFeatures lets a person change an accepted list.
func (a *app) editFeatures(c *cli.Context, shown, dir string) error {
	var draft []byte
	changed, err := runner.EditList(dir, person(), a.redact.String, func(list []feature.Feature, problems []string) ([]byte, error) {
		if len(problems) > 0 {
			a.screen.Print("The list was not taken:")
			a.printProblems(problems)
			if again, err := a.ask(c.Context, "Edit it again? [y]es / [n]o, leave the list as it was "); err != nil || !again {
				return nil, err
			}
		} else {
			draft = feature.Public(list)
		}
		var edited []byte
		var err error
		edited, draft, err = a.editList(c.Context, dir, list, draft)
		return edited, err
	})
	if err != nil || !changed {
		return err
	}
	a.print("The list is changed, which is recorded. The next run sees changed proofs fail before it builds:")
	a.print("glovebox features %s", plain(shown))
	return nil
}
