package main

import (
	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/sandbox/docker"
)

func (a *app) cleanCommand() *cli.Command {
	return command(&cli.Command{
		Name:  "clean",
		Usage: "removes leftover containers and volumes of glovebox, no others",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "images", DisableDefaultText: true, Usage: "remove the images that glovebox built, too"},
			&cli.BoolFlag{Name: "force", DisableDefaultText: true, Usage: "remove even the boxes of processes that run now"},
		},
		Action: a.cleanAction,
	})
}

func (a *app) cleanAction(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	engine, err := a.connect(c.Context, "", a.logger(false))
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // everything it said has been read
	report, err := engine.Clean(c.Context, docker.CleanOptions{Images: c.Bool("images"), Force: c.Bool("force")})
	for _, gone := range []struct {
		kind  string
		names []string
	}{{"container", report.Containers}, {"volume", report.Volumes}, {"image", report.Images}} {
		for _, name := range gone.names {
			a.print("removed  %s %s", pad(gone.kind, 9), plain(name))
		}
	}
	for _, k := range report.Kept {
		a.print("kept     %s %s: %s", pad(k.Kind, 9), plain(k.Name), plain(k.Why))
	}
	if err == nil && len(report.Containers)+len(report.Volumes)+len(report.Images)+len(report.Kept) == 0 {
		a.print("nothing to remove")
	}
	return err
}
