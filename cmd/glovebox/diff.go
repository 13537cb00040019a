package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox"
)

func (a *app) diffCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "diff",
		Usage:     "shows what a job changed, feature by feature",
		ArgsUsage: "DIR",
		Description: `Each commit of the job in DIR is compared with the one before it. git runs in a
box, for the project's own settings could make it run anything. Characters that
are not shown are written out, as <U+001B>.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "patch", DisableDefaultText: true, Usage: "also the changes themselves, 1 MB a commit at most"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "as one JSON array"},
			&cli.StringFlag{Name: "image", DefaultText: "the job's", Usage: "`IMAGE` of the box, with git in it"},
			&cli.StringFlag{Name: "runtime", Usage: "`NAME` of the engine's runtime, if not its default"},
		},
		Action: a.diffAction,
	})
}

func (a *app) diffAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	dir, err := knownProject(args[0])
	if err != nil {
		return err
	}
	steps, err := runner.Steps(dir)
	if err != nil {
		return fail(runner.FailedRun, "", "read the ledger: %v", err)
	}
	if len(steps) > 0 {
		if steps, err = a.diff(c, dir); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		if steps == nil {
			steps = []runner.Step{}
		}
		return a.printJSON(steps, true)
	}
	a.printSteps(args[0], steps)
	return nil
}

// diff compares the commits of the job in dir, in a box of its image.
func (a *app) diff(c *cli.Context, dir string) ([]runner.Step, error) {
	status, err := runner.ReadStatus(dir)
	if err != nil {
		return nil, err
	}
	image := c.String("image")
	if image == "" {
		image = status.Image
	}
	log := a.logger(false)
	engine, err := a.connect(c.Context, c.String("runtime"), log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = engine.Close() }() // its boxes are gone by then
	if err := walls(c.Context, engine); err != nil {
		return nil, err
	}
	img, err := a.ensureImage(c.Context, engine, image, a.screen.lines("  "))
	if err != nil {
		return nil, err
	}
	o := runner.DiffOptions{Dir: dir, Engine: engine, Image: runner.Image{Ref: image, ID: img.ID, Path: img.Path},
		Limits: sandbox.DefaultLimits(), Patch: c.Bool("patch"), CacheDir: a.cacheDir(), Log: log}
	if engine.Remote() {
		o.Workspace = runner.WorkspaceVolume
	}
	return runner.Diff(c.Context, o)
}

// printSteps writes a diff for people.
func (a *app) printSteps(dir string, steps []runner.Step) {
	if len(steps) == 0 {
		a.print("%s: nothing has been committed by this job", plain(dir))
		return
	}
	files, added, removed := map[string]bool{}, 0, 0
	for _, s := range steps {
		for _, f := range s.Files {
			files[f.Path] = true
			added, removed = added+f.Added, removed+f.Removed
		}
	}
	a.print("%s: %s of this job, %s, +%s -%s lines", plain(dir), count(len(steps), "commit"), count(len(files), "file"), thousands(added), thousands(removed))
	for _, s := range steps {
		a.print("\n%s  %.10s  %s", plain(s.Title()), s.Commit, plain(s.Message))
		if s.Missing != "" {
			a.print("  %s", plain(s.Missing))
		}
		for _, f := range s.Files {
			a.print("  %s  %s", pad(f.String(), len("+1234 -1234")), visible(f.Path))
		}
		if s.Patch != "" {
			a.print("\n%s", strings.TrimRight(visible(s.Patch), "\n"))
		}
		if s.Cut {
			a.print("  there is more: it was cut here")
		}
	}
}

// visible writes out what a terminal would obey or not show, so that a diff
// hides nothing: escape characters, marks that reorder, bytes that are no
// UTF-8. Line breaks and tabs stay.
func visible(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&b, "<0x%02X>", text[i])
		case r == '\n', r == '\t', unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}
