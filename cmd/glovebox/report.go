package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
	reports "github.com/glovebox-run/glovebox/runner/report"
)

func (a *app) reportCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "report",
		Usage:     "writes what came of a job or of a batch",
		ArgsUsage: "DIR",
		Description: `It writes report.html (one page that needs no network), report.json and
junit.xml, and says where: into DIR/.glovebox/report for the project directory of
a job, into DIR itself for the one of a batch. It can be made at any time, also
while jobs run, and needs neither an engine nor a model.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "write the files into this directory instead"},
			&cli.BoolFlag{Name: "open", DisableDefaultText: true, Usage: "show the page in a browser ($BROWSER, else the system's)"},
			&cli.BoolFlag{Name: "html", DisableDefaultText: true, Usage: "print the page, and write no files"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "the same with JSON"},
			&cli.BoolFlag{Name: "junit", DisableDefaultText: true, Usage: "the same with JUnit's XML"},
		},
		Action: a.reportAction,
	})
}

func (a *app) reportAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	printed, err := printedForm(c)
	if err != nil {
		return err
	}
	dir, isBatch, err := knownDir(args[0])
	if err != nil {
		return err
	}
	r, err := a.report(dir, isBatch)
	if err != nil {
		return err
	}
	if printed != nil {
		return printed.Write(a.stdout, r)
	}
	out := c.String("out")
	if out == "" && isBatch {
		out = dir
	}
	page, err := a.saveReport(r, dir, out)
	if err != nil {
		return err
	}
	a.print("%s", plain(r.Title()))
	for _, form := range reports.Forms() {
		a.print("  %s", plain(filepath.Join(filepath.Dir(page), form.File)))
	}
	if c.Bool("open") {
		return a.openPage(c, page)
	}
	return nil
}

// report is what came of the job or the batch in dir so far.
func (a *app) report(dir string, isBatch bool) (*reports.Report, error) {
	o := reports.Options{Redact: a.redact.String}
	if isBatch {
		jobs, err := batch.NewWatch(dir).Jobs(o)
		return reports.New(now(), versionText(), jobs...), err
	}
	job, err := runner.ReadReport(dir, o)
	if err != nil {
		return nil, err
	}
	return reports.New(now(), versionText(), job), nil
}

// reportBatch leaves the report of a batch in its directory at its end. What
// keeps it from doing so is said, and changes nothing in how the batch ended.
func (a *app) reportBatch(out string) (page string) {
	r, err := a.report(out, true)
	if err == nil {
		page, err = a.saveReport(r, out, out)
	}
	if err != nil {
		a.screen.Print(failureText(explain(err)))
	}
	return page
}

// printedForm is the form that goes to stdout, nil if files are to be written.
func printedForm(c *cli.Context) (*reports.Form, error) {
	var form *reports.Form
	for i, name := range []string{"html", "json", "junit"} {
		if !c.Bool(name) {
			continue
		}
		if form != nil || c.Bool("open") || c.IsSet("out") {
			return nil, usage("leave it out, or give --out DIR for the files", "report: --%s prints one form and goes with no other flag", name)
		}
		form = &reports.Forms()[i]
	}
	return form, nil
}

// saveReport writes the files and returns the page's path.
func (a *app) saveReport(r *reports.Report, dir, out string) (page string, err error) {
	root, perm, place, err := reportPlace(dir, out)
	if err != nil {
		return "", fail(runner.FailedRun, "give a directory of yours with --out DIR", "can't write the report: %v", err)
	}
	defer root.Close()
	if err := reports.Save(root, r, perm); err != nil {
		return "", fail(runner.FailedRun, "is there room on the disk? --out DIR writes elsewhere", "can't write the report: %v", err)
	}
	return filepath.Join(place, reports.HTMLFile), nil
}

// reportPlace is where the files go: into the job's state, where they are as
// private as it is, or into a directory that was asked for.
func reportPlace(dir, out string) (root *os.Root, perm os.FileMode, place string, err error) {
	if out == "" {
		root, err = runner.OpenReportDir(dir)
		return root, 0o600, filepath.Join(dir, stateDir, "report"), err
	}
	if place, err = filepath.Abs(out); err != nil {
		return nil, 0, "", err
	}
	if err = os.MkdirAll(place, 0o755); err != nil {
		return nil, 0, "", err
	}
	root, err = os.OpenRoot(place)
	return root, 0o644, place, err
}

// openPage shows a page in the user's browser.
func (a *app) openPage(c *cli.Context, page string) error {
	program := a.env("BROWSER")
	switch {
	case program != "":
	case runtime.GOOS == "darwin":
		program = "open"
	default:
		program = "xdg-open"
	}
	browser := exec.CommandContext(c.Context, program, page)
	if output, err := browser.CombinedOutput(); err != nil {
		why := strings.TrimSpace(fmt.Sprintf("%v %s", err, lastLine(string(output))))
		return fail(runner.FailedRun, "open "+page+" yourself, or name a browser in BROWSER", "can't open the report in a browser: %s", why)
	}
	return nil
}
