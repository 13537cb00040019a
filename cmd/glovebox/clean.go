package main

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

func (a *app) cleanCommand() *cli.Command {
	return command(&cli.Command{
		Name:  "clean",
		Usage: "removes leftover containers and volumes of glovebox, no others",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "images", DisableDefaultText: true, Usage: "remove the images that glovebox built, too"},
			&cli.StringFlag{Name: "older-than", DefaultText: "", Usage: "with --images: only those made at least `AGE` ago, as 30d"},
			&cli.StringFlag{Name: "states", DefaultText: "", Usage: "instead: what killed runs left in the state of `DIR`"},
			&cli.BoolFlag{Name: "force", DisableDefaultText: true, Usage: "remove even the boxes of processes that run now"},
		},
		Action: a.cleanAction,
	})
}

func (a *app) cleanAction(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.IsSet("states") {
		return a.cleanStates(c)
	}
	age, err := parseAge(c)
	if err != nil {
		return err
	}
	engine, err := a.connect(c.Context, "", a.logger(false))
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // everything it said has been read
	report, err := engine.Clean(c.Context, docker.CleanOptions{Images: c.Bool("images"), OlderThan: age, Force: c.Bool("force")})
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

// parseAge reads --older-than: days, as 30d, or a time as for other flags.
func parseAge(c *cli.Context) (time.Duration, error) {
	text := c.String("older-than")
	if text == "" && !c.IsSet("older-than") {
		return 0, nil
	}
	if !c.Bool("images") {
		return 0, usage("give both: clean --images --older-than 30d", "clean: --older-than is about images")
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, usage("a number of days, for example 30d, or hours, 12h", "--older-than %q is not an age", text)
	}
	return age, nil
}

// cleanStates removes copies for proofs from the state of a job, or of all jobs
// of a batch. No engine is needed for it.
func (a *app) cleanStates(c *cli.Context) error {
	if c.Bool("images") || c.Bool("force") || c.IsSet("older-than") {
		return usage("give it alone", "clean: --states goes with no other flag")
	}
	out := c.String("states")
	dirs := []string{out}
	if _, err := knownProject(out); err != nil {
		states, globbed := filepath.Glob(filepath.Join(escapeGlob(out), "*", stateDir))
		if globbed != nil || len(states) == 0 {
			return err
		}
		dirs = nil
		for _, state := range states {
			dirs = append(dirs, filepath.Dir(state))
		}
	}
	nothing := true
	var errs []error
	for _, dir := range dirs {
		removed, err := runner.Tidy(dir)
		switch {
		case errors.Is(err, runner.ErrBusy):
			a.print("kept     %s: a process works on it", plain(dir))
		case err != nil:
			errs = append(errs, err)
		}
		for _, name := range removed {
			a.print("removed  %s", plain(filepath.Join(dir, stateDir, name)))
		}
		nothing = nothing && err == nil && len(removed) == 0
	}
	if nothing {
		a.print("nothing to remove")
	}
	return errors.Join(errs...)
}
