package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/go-units"
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/provider"
	"github.com/glovebox-run/glovebox/sandbox"
)

// build brings together what a job needs, the cheapest first, and runs it.
// Nothing is created in the project directory before everything else is there.
func (a *app) build(ctx context.Context, o order, spec runner.Spec, more extras, dir string) (err error) {
	shown := a.screen
	if o.quiet {
		shown = &screen{w: io.Discard}
	}
	p := newProgress(shown, now)
	stop := p.Run()
	defer stop()
	log := a.logger(o.verbose)

	if err := a.keys.check(o.model, dir); err != nil {
		return err
	}
	recorder, closeRecording, err := a.openRecording(o, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeRecording()) }()
	p.Doing("looking up the model")
	modelCtx, release := context.WithCancel(ctx) // the model's connections end with it
	defer release()
	asked := a.asked(o)
	if recorder != nil {
		asked.Wrap = recorder.Wrap
	}
	m, info, err := provider.Resolve(modelCtx, o.model, a.env, asked)
	if err != nil {
		return err
	}
	if recorder != nil {
		recorder.Model(info)
	}
	if o.model == provider.Auto {
		o.model = info.Provider + "/" + info.ID
		shown.Print("auto chose " + plain(o.model) + ": free, calls tools, the largest window of those")
	}
	engine, err := a.connect(ctx, o.runtime, log)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // its boxes are gone by then
	p.Doing("checking the engine's walls")
	if err := walls(ctx, engine); err != nil {
		return err
	}
	if o.scope, err = scopeOn(ctx, engine, o); err != nil {
		return err
	}
	a.announce(shown, o, spec, info)
	p.Doing("making the image " + o.image + " ready")
	img, err := a.ensureImage(ctx, engine, o.image, shown.lines("  "))
	if err != nil {
		return err
	}
	if err := createProject(dir); err != nil {
		return err
	}
	p.Doing("starting")
	options := a.options(o, spec, dir)
	options.Accept, options.Prompts = more.accept, more.prompts
	options.Model, options.ModelInfo, options.Engine, options.Log = m, info, engine, log
	if o.workspace == runner.WorkspaceAuto && engine.Remote() {
		options.Workspace = runner.WorkspaceVolume
	}
	options.Image = runner.Image{Ref: o.image, ID: img.ID, Path: img.Path}
	return a.runJob(ctx, o, options, p)
}

// asked is how a provider is asked for the order's model.
func (a *app) asked(o order) provider.Options {
	return provider.Options{BaseURL: o.baseURL, Price: o.price, Budget: &o.budget, BlockPaid: o.blockPaid, Fences: o.fences,
		Upstreams: o.upstreams, Effort: o.effort, Version: versionText()}
}

// options are what a job is told of a command line.
func (a *app) options(o order, spec runner.Spec, dir string) runner.Options {
	options := runner.Options{
		Spec: spec, Dir: dir, ModelName: o.model, Limits: o.limits, Scope: o.scope, Workspace: o.workspace, Branch: o.branch, AllowDirty: o.allowDirty,
		Budget: o.budget, KeepBudget: !o.budgetGiven, Wait: o.wait, MaxTokens: o.maxTokens, Tools: o.tools, Features: o.features,
		MaxSessions: o.maxSessions, MaxTurns: o.maxTurns, MaxTime: o.maxTime, MaxCalls: o.maxCalls, MaxJobTokens: o.maxJobTokens,
		AcceptEach: o.acceptEach, AcceptOutput: o.acceptOutput,
		Starts: sandbox.NewStarts(0), Redact: a.redact.String, CacheDir: a.cacheDir(), Version: versionText(),
	}
	if options.Loop = o.loop; o.loop == 0 {
		options.Loop = -1 // as asked for, not as by default
	}
	options.SignedOff, options.Person = o.signedOff, person()
	if !o.yes {
		d := &dialogue{a: a, dir: dir}
		options.Approve = d.approve
		if a.canAsk() {
			options.Dispute = d.dispute
		}
	}
	return options
}

// announce says what is about to be built, by whom, and within which bounds.
func (a *app) announce(s *screen, o order, spec runner.Spec, info model.Info) {
	s.Print(fmt.Sprintf("building %s in %s", plain(spec.Name), plain(o.dir)))
	s.Print("  model   " + plain(modelLine(o.model, info)))
	s.Print(fmt.Sprintf("  limits  %s; a box %s, %g cpus, %d processes; a command %s",
		o.budgetText(), units.BytesSize(float64(o.limits.Memory)), o.limits.CPUs, o.limits.PIDs, shortDuration(o.limits.Timeout)))
	if o.runtime != "" {
		s.Print(fmt.Sprintf("  boxes   runtime %s, a new one for every %s", plain(o.runtime), o.scope))
	}
}

// modelLine is a model and what it costs.
func modelLine(name string, info model.Info) string {
	switch {
	case isScripted(name):
		return name + " (scripted model, no tokens are bought)"
	case info.Price.Free():
		return name + " (free)"
	default:
		million := decimal.NewFromInt(1_000_000)
		return fmt.Sprintf("%s (%s USD in, %s USD out per million tokens; %s)",
			name, info.Price.Prompt.Mul(million), info.Price.Completion.Mul(million), info.PriceSource)
	}
}
