package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"github.com/urfave/cli/v2"
	"golang.org/x/time/rate"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
)

func (a *app) batchCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "batch",
		Usage:     "builds many specs; the same command goes on where it stopped",
		ArgsUsage: "SPECS...",
		Description: `SPECS are text files, patterns, directories of .txt and .md files, or one
manifest (batch.yaml) that sets things for each. Each is built in a directory of
its own below --out, in the order given. One job's failure is its own.

Flags of ` + "`glovebox run`" + ` hold for every spec; a manifest sets them for one, or
for all that the command line leaves open. Done jobs are not repeated.`,
		Flags:  batchFlags(),
		Action: a.batchAction,
	})
}

// batchFlags are those of a batch, and those of `run` that hold for a spec.
func batchFlags() []cli.Flag {
	text := func(name, value, about string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, DefaultText: value, Usage: about}
	}
	flags := []cli.Flag{
		text("out", "", "`DIR` for the projects, one below it for each spec"),
		text("parallel", "0", "`N` jobs at a time; 0: as many as the machine holds"),
		text("total-budget", "", "`USD` for all jobs together at most"),
		text("until", "", "`HH:MM` at which running jobs are interrupted"),
		text("stop-after-failures", "0", "`N` failed jobs, then begin no more; 0: no limit"),
		&cli.BoolFlag{Name: "retry-failed", DisableDefaultText: true, Usage: "work again on jobs that have ended and are not done"},
		text("rpm", "0", "`N` requests a minute, of all jobs; 0: no limit"),
		text("serve", "", "`ADDRESS` of a live page, for example 127.0.0.1:8080"),
		&cli.BoolFlag{Name: "check", DisableDefaultText: true, Usage: "check everything, show the plan, and send nothing"},
	}
	for _, f := range runFlags() {
		switch f.Names()[0] {
		case "project-dir", "record", "dry-run":
		default:
			flags = append(flags, f)
		}
	}
	return flags
}

// batchOrder is what a command line of `batch` asks for.
type batchOrder struct {
	out         string
	parallel    int
	total       *decimal.Decimal
	until       time.Time
	stopAfter   int
	perMinute   int
	retryFailed bool
	check       bool
	serve       string // address, "" is none
	tasks       []task
}

// dirs are the projects' directories.
func (o batchOrder) dirs() []string {
	dirs := make([]string, len(o.tasks))
	for i, t := range o.tasks {
		dirs[i] = t.order.dir
	}
	return dirs
}

// batchAction checks everything of every spec before anything is begun.
func (a *app) batchAction(c *cli.Context) error {
	o, err := a.readBatch(c)
	if err != nil {
		return err
	}
	line := commandLine{c}
	words := c.Args().Slice()
	if len(words) == 0 {
		return usage("usage: glovebox batch SPECS...", "batch: SPECS is missing")
	}
	var faults []error
	if o.tasks, faults = a.readTasks(words, o.out, line); len(faults) > 0 {
		return a.batchFaults(faults)
	}
	if o.check {
		return a.checkBatch(c.Context, o, mayBegin(c, o))
	}
	if err := mayBegin(c, o); err != nil {
		return err
	}
	if err := checkOnEnd(c.String("on-end"), o.dirs()...); err != nil {
		return err
	}
	results, err := a.runBatch(c.Context, o, batchShow{json: c.Bool("json"), quiet: c.Bool("quiet"), verbose: c.Bool("verbose")})
	a.onEnd(c.Context, c.String("on-end"), "batch", ciJobs(results), err)
	return err
}

// mayBegin makes sure that every list will be accepted by somebody.
func mayBegin(c *cli.Context, o batchOrder) error {
	if !c.Bool("yes") && slices.ContainsFunc(o.tasks, func(t task) bool { return t.order.signedOff == nil }) {
		return usage("nobody watches a batch: give --yes to accept planned features unseen, or approve: FILE for each spec", "batch: --yes is missing")
	}
	return nil
}

func (a *app) readBatch(c *cli.Context) (o batchOrder, err error) {
	if o.out = c.String("out"); o.out == "" {
		return o, usage("for example --out night", "batch: --out is missing")
	}
	if o.out, err = filepath.Abs(o.out); err != nil {
		return o, usage("give an absolute path", "--out: %v", err)
	}
	for _, n := range []struct {
		flag string
		most int64
		to   *int
	}{{"parallel", 1000, &o.parallel}, {"stop-after-failures", maxSpecs, &o.stopAfter}, {"rpm", 1_000_000, &o.perMinute}} {
		value, err := parseCount(n.flag, c.String(n.flag), 0, n.most)
		if err != nil {
			return o, err
		}
		*n.to = int(value)
	}
	if text := c.String("total-budget"); text != "" {
		total, err := parseMoney("total-budget", text)
		if err != nil {
			return o, err
		}
		o.total = &total
	}
	if text := c.String("until"); text != "" {
		if o.until, err = parseUntil(text, time.Now()); err != nil {
			return o, err
		}
	}
	if o.serve, err = parseServe(c.String("serve")); err != nil {
		return o, err
	}
	o.retryFailed, o.check = c.Bool("retry-failed"), c.Bool("check")
	return o, nil
}

// parseUntil is the next time that a clock shows HH:MM.
func parseUntil(text string, now time.Time) (time.Time, error) {
	t, err := time.ParseInLocation("15:04", text, now.Location())
	if err != nil {
		return t, usage("an hour and minute of this machine's clock, for example 07:00", "--until %q is not one", text)
	}
	until := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
	if !until.After(now) {
		until = until.AddDate(0, 0, 1)
	}
	return until, nil
}

// batchFaults says all that is wrong with the specs, up to a number that can be read.
func (a *app) batchFaults(faults []error) error {
	const shown = 10
	last := len(faults) - 1
	for i, err := range faults[:last] {
		if i == shown {
			a.screen.Print(fmt.Sprintf("glovebox: and %d more like these", last-shown))
			break
		}
		a.screen.Print(failureText(explain(err)))
	}
	return faults[last]
}

// runBatch builds everything.
func (a *app) runBatch(ctx context.Context, o batchOrder, show batchShow) ([]batch.Result, error) {
	items := make([]batch.Item, len(o.tasks))
	byName := map[string]task{}
	for i, t := range o.tasks {
		items[i], byName[t.Name] = t.Item, t
	}
	f, err := a.openFloor(ctx, o, show.verbose)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, usage("name another directory", "--out %s: %v", o.out, cause(err))
	}
	root, err := batch.Open(o.out, items)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	leave, err := batch.Enter(root)
	if err != nil {
		return nil, err
	}
	defer leave()
	if o.total != nil {
		purse, err := batch.OpenPurse(root, *o.total, o.dirs())
		if err != nil {
			return nil, err
		}
		defer purse.Close()
		f.purse = purse
	}
	outliveReaders()
	endPage, err := a.serveBatch(o.out, o.serve)
	if err != nil {
		return nil, err
	}
	defer endPage()
	endSection := a.section(show.quiet, "progress")
	table := a.newTable(show, o)
	defer table.end()
	defer a.announceEnding(ctx)()
	results := batch.Run(ctx, items, batch.Options{
		Out: o.out, Parallel: o.jobsAtATime(f), Until: o.until, StopAfter: o.stopAfter, RetryFailed: o.retryFailed,
		Observe: table.changed,
		Job: func(ctx context.Context, item batch.Item) (runner.Status, error) {
			return a.buildTask(ctx, f, byName[item.Name], table)
		},
	})
	table.end()
	endSection()
	page := a.reportBatch(o.out)
	if !show.json {
		a.showBatch(o.out, results)
		if page != "" {
			a.print("report    %s", plain(page))
		}
	}
	a.tellGitHub(ciJobs(results))
	return results, batchOutcome(ctx, results)
}

// jobsAtATime is how many jobs the machine holds: by its processors, and by what
// a box of the largest job may take of its memory.
func (o batchOrder) jobsAtATime(f *floor) int {
	if o.parallel > 0 {
		return o.parallel
	}
	largest := int64(1)
	for _, t := range o.tasks {
		largest = max(largest, t.order.limits.Memory)
	}
	byMemory := int(f.memory / largest)
	return min(len(o.tasks), max(1, min(f.processors, byMemory)))
}

// batchOutcome is how a batch ended: done if all of it is.
func batchOutcome(ctx context.Context, results []batch.Result) error {
	done, broke := 0, false
	for _, r := range results {
		if r.Done() {
			done++
		}
		broke = broke || r.Outcome == runner.OverBudget
	}
	e := &runner.Error{Outcome: runner.Incomplete, Reason: fmt.Sprintf("%d of %d jobs are done", done, len(results)),
		Hint: "the same command goes on with what was interrupted; --retry-failed works again on what failed"}
	switch {
	case done == len(results):
		return nil
	case ctx.Err() != nil:
		e.Outcome = runner.Interrupted
	case broke:
		e.Outcome = runner.OverBudget
		e.Hint = "the same command with a higher --total-budget or --budget, and --retry-failed, goes on from here"
	}
	return e
}

// pace is the limit of requests a minute over all jobs, nil if there is none.
func pace(perMinute int) func(context.Context) error {
	if perMinute == 0 {
		return nil
	}
	limiter := rate.NewLimiter(rate.Limit(float64(perMinute)/60), 1)
	return func(ctx context.Context) error {
		err := limiter.Wait(ctx)
		if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return context.DeadlineExceeded
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
}

// machine is what this process may use, where the engine does not say it.
func machine() int { return max(1, runtime.NumCPU()) }
