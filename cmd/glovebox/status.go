package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
)

func (a *app) statusCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "status",
		Usage:     "shows where a job or a batch stands",
		ArgsUsage: "DIR",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "as one JSON object; with --watch one for each change"},
			&cli.BoolFlag{Name: "watch", DisableDefaultText: true, Usage: "look again every 2 s, until nothing works on it"},
		},
		Action: a.statusAction,
	})
}

func (a *app) statusAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	dir, isBatch, err := knownDir(args[0])
	if err != nil {
		return err
	}
	look := func() (stand, error) { return a.jobStand(dir, args[0]) }
	if isBatch {
		watch := batch.NewWatch(dir)
		look = func() (stand, error) { return a.batchStand(watch, dir, args[0]) }
	}
	if c.Bool("watch") {
		return a.watch(c.Context, look, c.Bool("json"))
	}
	s, err := look()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return a.printJSON(s.json, true)
	}
	a.print("%s", s.text)
	return nil
}

// stand is where a job or a batch stands.
type stand struct {
	text  string   // all of it, for people
	lines []string // what is worth a line of a log when it changes
	json  any
	runs  bool // a process works on it
}

func (a *app) jobStand(dir, shown string) (stand, error) {
	s, err := runner.ReadStatus(dir)
	if err != nil {
		return stand{}, err
	}
	var b strings.Builder
	r := report{w: &b, columns: a.outColumns(), dir: shown, readme: hasReadme(dir)}
	r.write(s)
	if s.Reason != "" {
		r.field("ended", s.Reason)
	}
	if s.Hint != "" {
		r.field("hint", s.Hint)
	}
	r.nextSteps(s)
	line := fmt.Sprintf("%s; %s, %s, %s", headline(s), count(s.Sessions, "session"), count(s.Turns, "turn"), costText(s))
	return stand{text: strings.TrimSuffix(b.String(), "\n"), lines: []string{line}, json: s, runs: s.Running}, nil
}

// batchStatus is what `status --json` prints of a batch.
type batchStatus struct {
	Dir     string         `json:"dir"`
	Running bool           `json:"running"` // a process works on it
	Sum     batchSum       `json:"sum"`
	Jobs    []batch.Result `json:"jobs"`
}

func (a *app) batchStand(w *batch.Watch, dir, shown string) (stand, error) {
	running := batch.Works(dir) // asked first: what ends meanwhile has its ending below
	results, err := w.Statuses()
	if err != nil {
		return stand{}, err
	}
	sum, columns := sumOf(results), a.outColumns()
	running = running || sum.Running > 0
	lines := batchLines(results, columns)
	text := strings.Join(append(slices.Clip(lines), "", "look      glovebox status "+plain(shown)+"/NAME", "report    glovebox report "+plain(shown)), "\n")
	return stand{text: text, lines: append(lines[1:], lines[0]), runs: running,
		json: batchStatus{Dir: dir, Running: running, Sum: sum, Jobs: results}}, nil
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
