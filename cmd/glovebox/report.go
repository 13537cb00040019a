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
	reports "github.com/glovebox-run/glovebox/runner/report"
)

func (a *app) reportCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "report",
		Usage:     "writes what came of the job in a project directory",
		ArgsUsage: "DIR",
		Description: `It writes report.html (one page that needs no network), report.json and
junit.xml into DIR/.glovebox/report, and says where. It can be made at any time,
also while the job runs, and needs neither an engine nor a model.`,
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
	dir, err := knownProject(args[0])
	if err != nil {
		return err
	}
	r, err := a.readReport(dir)
	if err != nil {
		return err
	}
	if printed != nil {
		return printed.Write(a.stdout, r)
	}
	page, err := a.saveReport(r, dir, c.String("out"))
	if err != nil {
		return err
	}
	if c.Bool("open") {
		return a.openPage(c, page)
	}
	return nil
}

// readReport is what came of the job in a directory.
func (a *app) readReport(dir string) (*reports.Report, error) {
	job, err := runner.ReadReport(dir, reports.Options{Redact: a.redact.String})
	if err != nil {
		return nil, err
	}
	return &reports.Report{Version: reports.Version, Made: now().UTC(), Glovebox: versionText(), Jobs: []*reports.Job{job}}, nil
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

// saveReport writes the files, says where, and returns the page's path.
func (a *app) saveReport(r *reports.Report, dir, out string) (page string, err error) {
	root, perm, place, err := reportPlace(dir, out)
	if err != nil {
		return "", fail(runner.FailedRun, "give a directory of yours with --out DIR", "can't write the report: %v", err)
	}
	defer root.Close()
	if err := reports.Save(root, r, perm); err != nil {
		return "", fail(runner.FailedRun, "is there room on the disk? --out DIR writes elsewhere", "can't write the report: %v", err)
	}
	job := r.Jobs[0]
	a.print("%s: %s", plain(job.State), plain(job.Headline()))
	for _, form := range reports.Forms() {
		a.print("  %s", plain(filepath.Join(place, form.File)))
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
