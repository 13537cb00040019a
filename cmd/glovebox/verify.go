package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

func (a *app) verifyCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "verify",
		Usage:     "proves the features of a job once more; asks no model",
		ArgsUsage: "DIR",
		Description: `Every feature's command is run in a new box, on a fresh clone of the project's
last commit, and then the acceptance test of the job, if it has one. Nothing in
the project changes. Exit code 0: all is proved; 3: what is not is named.`,
		Flags: append(pickFlags(runFlags(), "runtime", "memory", "cpus", "pids", "disk", "timeout", "quiet", "verbose"),
			&cli.StringFlag{Name: "image", DefaultText: "the job's", Usage: "`IMAGE` of the boxes"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "as one JSON object"}),
		Action: a.verifyAction,
	})
}

// pickFlags are the flags with these names.
func pickFlags(all []cli.Flag, names ...string) (some []cli.Flag) {
	for _, name := range names {
		if f := findFlag(all, name); f != nil {
			some = append(some, f)
		}
	}
	return some
}

func (a *app) verifyAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	limits, err := parseLimits(c.String)
	if err != nil {
		return err
	}
	dir, err := knownProject(args[0])
	if err != nil {
		return err
	}
	s, err := runner.ReadStatus(dir)
	switch {
	case errors.Is(err, runner.ErrNoJob):
		return usage("give the directory that was --project-dir of a run", "no job was begun in %s", args[0])
	case err != nil:
		return err
	}
	image := s.Image
	if c.IsSet("image") {
		image = c.String("image")
	}
	if image == "" {
		image = images.Default
	}
	options := runner.Options{Dir: dir, Limits: limits, Redact: a.redact.String, CacheDir: a.cacheDir(), Version: versionText()}
	proof, err := a.verify(c.Context, options, image, c.String("runtime"), c.Bool("quiet"), c.Bool("verbose"))
	if proof == nil {
		return err
	}
	if c.Bool("json") {
		return errors.Join(a.printJSON(proof, true), err)
	}
	a.showProof(proof)
	return err
}

// verify brings together what a proof needs, and makes it.
func (a *app) verify(ctx context.Context, o runner.Options, image, runtime string, quiet, verbose bool) (*ledger.ProofInfo, error) {
	shown := a.screen
	if quiet {
		shown = &screen{w: io.Discard}
	}
	p := newProgress(shown, now)
	stop := p.Run()
	defer stop()
	log := a.logger(verbose)
	engine, err := a.connect(ctx, runtime, log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = engine.Close() }() // its boxes are gone by then
	p.Doing("checking the engine's walls")
	if err := walls(ctx, engine); err != nil {
		return nil, err
	}
	p.Doing("making the image " + image + " ready")
	img, err := a.ensureImage(ctx, engine, image, shown.lines("  "))
	if err != nil {
		return nil, err
	}
	o.Engine, o.Log = engine, log
	if engine.Remote() {
		o.Workspace = runner.WorkspaceVolume
	}
	o.Image = runner.Image{Ref: image, ID: img.ID, Path: img.Path}
	o.Observe = p.Observe
	defer a.announceEnding(ctx)()
	return runner.Verify(ctx, o)
}

// showProof writes a proof as a table: feature, result, time; then what red
// commands printed.
func (a *app) showProof(p *ledger.ProofInfo) {
	rows := p.Features
	if p.Acceptance != nil {
		rows = append(rows[:len(rows):len(rows)], *p.Acceptance)
	}
	ids, results := len("feature"), len("result")
	for _, r := range rows {
		ids, results = max(ids, width(plain(r.ID))), max(results, width(proofWord(p, r)))
	}
	row := func(id, result, time string) {
		a.print("%s  %s  %s", pad(id, ids), pad(result, results), time)
	}
	row("feature", "result", "time")
	for _, r := range rows {
		row(plain(r.ID), proofWord(p, r), fmt.Sprintf("%.2f s", r.Took.Seconds()))
	}
	for _, r := range rows {
		a.showPrinted(r)
	}
	a.print("\n%s", plain(proofText(p)))
}

// showPrinted writes the end of what a red command printed.
func (a *app) showPrinted(r ledger.ProofResult) {
	const most = 10
	lines := strings.Split(strings.TrimSpace(r.Output), "\n")
	if r.Passed || lines[0] == "" {
		return
	}
	a.print("\n%s:", plain(r.ID))
	for _, line := range lines[max(0, len(lines)-most):] {
		a.print("%s", cut("  "+plain(line), a.outColumns()))
	}
}

// proofWord is a result in a word or two.
func proofWord(p *ledger.ProofInfo, r ledger.ProofResult) string {
	switch {
	case p.Reason != "":
		return "not tried"
	case r.Flaky:
		return "flaky"
	case r.Passed:
		return "proved"
	default:
		return "red: " + plain(r.How)
	}
}

// proofText says what was proved, and where.
func proofText(p *ledger.ProofInfo) string {
	if p.Reason != "" {
		return "nothing was proved: " + p.Reason
	}
	passed := 0
	for _, r := range p.Features {
		if r.Passed {
			passed++
		}
	}
	text := fmt.Sprintf("%d of %s proved %s", passed, count(len(p.Features), "feature"), p.Where())
	if a := p.Acceptance; a != nil && a.Passed {
		text += ", the acceptance test passes"
	} else if a != nil {
		text += ", the acceptance test " + a.How
	}
	if p.Dirty {
		text += "; the workspace has changes that are in no commit, and so in no proof"
	}
	return text
}
