package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
)

func (a *app) statusCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "status",
		Usage:     "shows where the job in a project directory stands",
		ArgsUsage: "DIR",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "as one JSON object"}},
		Action:    a.statusAction,
	})
}

func (a *app) statusAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	dir, err := knownProject(args[0])
	if err != nil {
		return err
	}
	s, err := runner.ReadStatus(dir)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return a.printJSON(s, true)
	}
	r := report{w: a.stdout, columns: a.outColumns(), dir: args[0], readme: hasReadme(dir)}
	r.write(s)
	if s.Reason != "" {
		r.field("ended", s.Reason)
	}
	if s.Hint != "" {
		r.field("hint", s.Hint)
	}
	r.nextSteps(s)
	return nil
}

// knownDir is the absolute path of a directory in which a job or a batch was begun.
func knownDir(dir string) (abs string, isBatch bool, err error) {
	if abs, err = filepath.Abs(dir); err == nil {
		if _, err := batch.Read(abs); !errors.Is(err, batch.ErrNoBatch) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return abs, true, err
		}
	}
	abs, err = knownProject(dir)
	return abs, false, err
}

// knownProject is the absolute path of a directory in which a job was begun.
func knownProject(dir string) (string, error) {
	const hint = "give the directory that was --project-dir of a run"
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", usage(hint, "%s: %v", dir, err)
	}
	info, err := os.Lstat(abs)
	switch {
	case err != nil:
		return "", usage(hint, "%s: %v", dir, cause(err))
	case !info.IsDir():
		return "", usage(hint, "%s is not a directory", dir)
	}
	if info, err := os.Lstat(filepath.Join(abs, stateDir)); err != nil || !info.IsDir() {
		return "", usage(hint, "no job was begun in %s", dir)
	}
	return abs, nil
}

// hasReadme says that a project has a README.md. It is not read.
func hasReadme(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, "README.md"))
	return err == nil && info.Mode().IsRegular()
}
