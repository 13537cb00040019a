package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

func (a *app) runCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "run",
		Usage:     "builds a spec; the same command goes on with what was begun",
		ArgsUsage: "SPEC",
		Description: `SPEC is a text file that says what to build. Everything the model does happens
in throwaway containers that see the project directory and nothing else. Its
tests must fail before and pass after; what the model says counts for nothing.

Keys are read from OPENROUTER_API_KEY, ANTHROPIC_API_KEY, OPENAI_API_KEY or, for
custom/ models, GLOVEBOX_API_KEY, or from a file outside of the project that the
same name with _FILE at its end names. scripted/todo needs no key: a script
stands in for a model.

GLOVEBOX_MODEL is the default of --model. GLOVEBOX_ALLOW_MODELS (patterns with
commas between) and GLOVEBOX_BLOCK_PAID=1 hold whatever the flags say.`,
		Flags:  runFlags(),
		Action: a.runAction,
	})
}

// runAction checks all that can be checked for nothing, in the order in which
// a person would mend it, before an engine or a provider is asked anything.
func (a *app) runAction(c *cli.Context) error {
	o, err := a.readOrder(c)
	if err != nil {
		return err
	}
	if o.dryRun {
		return a.dryRun(c.Context, o)
	}
	if err := checkOnEnd(o.onEnd, o.dir); err != nil {
		return err
	}
	err = a.runOrder(c.Context, o)
	a.onEnd(c.Context, o.onEnd, "run", a.jobIn(o.dir), err)
	return err
}

// jobIn is the job that a run was about, none if it began none.
func (a *app) jobIn(dir string) []ciJob {
	s, err := runner.ReadStatus(dir)
	if err != nil {
		return nil
	}
	return []ciJob{{name: filepath.Base(dir), status: s, end: s.Outcome, reason: s.Reason}}
}

// runOrder is runAction for flags that are right.
func (a *app) runOrder(ctx context.Context, o order) error {
	spec, err := readSpec(o.spec)
	if err != nil {
		return err
	}
	dir, state, err := checkProject(o.dir, a.env("HOME"))
	if err != nil {
		return err
	}
	if o.signedOff, err = readSignedOff(o.approve, dir); err != nil {
		return err
	}
	if err := recoverLoan(dir, state); err != nil {
		return err
	}
	more, err := readExtras(o, dir)
	if err != nil {
		return err
	}
	if done, err := a.doneAlready(o, spec, more.accept, dir, state); done || err != nil {
		a.tellCI(a.jobIn(o.dir), o)
		return err
	}
	if err := a.mayMixOwners(ctx, o, dir, state); err != nil {
		return err
	}
	if err := a.mayApprove(o, dir, state); err != nil {
		return err
	}
	o.keepBudget(dir, state)
	if state == projectForeign && !o.yes {
		if err := a.askForeign(ctx, o.dir); err != nil {
			return err
		}
	}
	return a.build(ctx, o, spec, more, dir)
}

// recoverLoan gives a directory back that a killed process left lent, whatever
// else may be wrong with this command.
func recoverLoan(dir string, state projectState) error {
	if state != projectKnown {
		return nil
	}
	return runner.Recover(dir)
}

// doneAlready says that a job has ended well and shows it. Nothing is started
// for that, and no key or engine is needed.
func (a *app) doneAlready(o order, spec runner.Spec, accept *runner.Acceptance, dir string, state projectState) (bool, error) {
	if !a.isDone(o, spec, accept, dir, state) {
		return false, nil
	}
	if o.json {
		return true, nil
	}
	s, err := runner.ReadStatus(dir)
	if err != nil {
		return false, err
	}
	a.print("This job is done already; nothing was started.")
	a.showReport(o.dir, s)
	return true, nil
}

// isDone says that a job has ended well and nothing else is wanted of it.
func (a *app) isDone(o order, spec runner.Spec, accept *runner.Acceptance, dir string, state projectState) bool {
	if state != projectKnown {
		return false
	}
	s, err := runner.ReadStatus(dir)
	if brought, _ := runner.StateIsTracked(dir); brought {
		return false // a state that came with the project proves nothing
	}
	if s.Proof != nil && !s.Proof.Passed() || accept != nil && !runner.HasAcceptance(dir, accept) {
		return false // `verify` has found what does not work any more, or there is another test to be passed
	}
	if o.signedOff != nil && feature.Hash(o.signedOff) != s.ApprovedHash || s.Passing() < len(s.Features) {
		return false // another list, or one that was edited since
	}
	// Whatever is wrong is the runner's to find and to say.
	return err == nil && s.Outcome == runner.Done && !s.Running && s.SpecHash == runner.SpecHash(spec.Text)
}

// mayApprove makes sure that somebody can accept the list before anything is spent.
func (a *app) mayApprove(o order, dir string, state projectState) error {
	if o.yes || a.canAsk() {
		return nil
	}
	if state == projectForeign {
		return usage("look at it, then give --yes, or another directory", "project directory %s is not empty and no job was begun there", o.dir)
	}
	if state == projectKnown {
		if s, err := runner.ReadStatus(dir); err == nil && s.Approved {
			return nil
		}
	}
	if o.signedOff != nil {
		return nil
	}
	return usage("give --yes to accept the planned features unseen, --approve FILE, or run it on a terminal", "there is no terminal to ask whether the planned features are right")
}

// mayMixOwners asks before a directory becomes a project in which files belong
// to several users: what boxes make belongs to one.
func (a *app) mayMixOwners(ctx context.Context, o order, dir string, state projectState) error {
	if state != projectForeign || o.yes {
		return nil
	}
	n, example, err := runner.Owners(ctx, dir)
	if err != nil {
		return usage("can you read all of it?", "look who owns the files in %s: %v", o.dir, err)
	}
	if n == 0 {
		return nil
	}
	what := fmt.Sprintf("in %s belong to another user than the directory: %s, for example %q", o.dir, count(n, "file"), example)
	if !a.canAsk() {
		return usage("chown -R them to one user, or give --yes to build there as it is", "%s", what)
	}
	a.screen.Print(plain(what) + ". Boxes work as the directory's owner and may not be able to change them.")
	return a.wanted(ctx, o.dir)
}

// askForeign asks before a directory with unknown files becomes a project.
func (a *app) askForeign(ctx context.Context, dir string) error {
	a.screen.Print(dir + " is not empty and no job was begun there. What the model builds may change the files in it.")
	return a.wanted(ctx, dir)
}

// wanted asks whether to build in a directory; no is an error.
func (a *app) wanted(ctx context.Context, dir string) error {
	yes, err := a.ask(ctx, "Build there? [y]es / [n]o ")
	if err != nil {
		return err
	}
	if !yes {
		return usage("give another --project-dir", "nothing was started: %s was not wanted", dir)
	}
	return nil
}

// runJob runs the job, shows its progress and its end.
func (a *app) runJob(ctx context.Context, o order, options runner.Options, p *progress) error {
	outliveReaders()
	stop := p.Run()
	defer stop()
	defer a.announceEnding(ctx)()
	options.Observe = a.observer(o, p)
	endSection := a.section(o.quiet, "progress")
	status, err := runner.Run(ctx, options)
	stop()
	endSection()
	if !o.json && (err == nil || status.ID != "") {
		if !o.quiet {
			a.screen.Print("") // between the progress and the result
		}
		a.showReport(o.dir, status)
	}
	a.tellCI([]ciJob{{name: filepath.Base(o.dir), status: status, end: status.Outcome, reason: status.Reason}}, o)
	var e *runner.Error
	if errors.As(err, &e) && e.Outcome == runner.Done {
		return nil
	}
	return err
}

// announceEnding says that the job ends when ctx is cancelled, for that may
// take a moment. The returned function stops that.
func (a *app) announceEnding(ctx context.Context) (stop func()) {
	said := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(said)
		a.screen.Print("glovebox: ending cleanly; once more to stop at once")
	})
	return func() {
		if !cancel() {
			<-said
		}
	}
}

// showReport writes the summary of a job to stdout.
func (a *app) showReport(dir string, s runner.Status) {
	r := report{w: a.stdout, columns: a.outColumns(), dir: dir, readme: hasReadme(s.Dir)}
	r.write(s)
	r.nextSteps(s)
}

// now is the clock of the progress.
func now() time.Time { return time.Now() }
