package main

import (
	"context"
	"fmt"
	"io"

	"github.com/docker/go-units"
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/provider"
)

// build brings together what a job needs, the cheapest first, and runs it.
// Nothing is created in the project directory before everything else is there.
func (a *app) build(ctx context.Context, o order, spec runner.Spec, dir string) error {
	shown := a.screen
	if o.quiet {
		shown = &screen{w: io.Discard}
	}
	p := newProgress(shown, now)
	stop := p.Run()
	defer stop()
	log := a.logger(o.verbose)

	p.Doing("looking up the model")
	modelCtx, release := context.WithCancel(ctx) // the model's connections end with it
	defer release()
	m, info, err := provider.Resolve(modelCtx, o.model, a.env, provider.Options{
		BaseURL: o.baseURL, Price: o.price, Budget: &o.budget, Version: versionText(),
	})
	if err != nil {
		return err
	}
	engine, err := connect(ctx, o.runtime, log)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // its boxes are gone by then
	if err := walls(ctx, engine); err != nil {
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
	options.Model, options.ModelInfo, options.Engine, options.Log = m, info, engine, log
	options.Image = runner.Image{Ref: o.image, ID: img.ID, Path: img.Path}
	return a.runJob(ctx, o, options, p)
}

// options are what a job is told of a command line.
func (a *app) options(o order, spec runner.Spec, dir string) runner.Options {
	options := runner.Options{
		Spec: spec, Dir: dir, ModelName: o.model, Limits: o.limits, Scope: o.scope,
		Budget: o.budget, MaxTokens: o.maxTokens, MaxSessions: o.maxSessions, Features: o.features,
		Redact: a.redact.String, CacheDir: a.cacheDir(), Version: versionText(),
	}
	if !o.yes {
		options.Approve = func(ctx context.Context, list []feature.Feature, note string) error {
			return a.approve(ctx, dir, list, note)
		}
	}
	return options
}

// announce says what is about to be built, by whom, and within which bounds.
func (a *app) announce(s *screen, o order, spec runner.Spec, info model.Info) {
	s.Print(fmt.Sprintf("building %s in %s", plain(spec.Name), plain(o.dir)))
	s.Print("  model   " + plain(modelLine(o.model, info)))
	s.Print(fmt.Sprintf("  limits  %s USD in all; a box %s, %g cpus, %d processes; a command %s",
		o.budget, units.BytesSize(float64(o.limits.Memory)), o.limits.CPUs, o.limits.PIDs, shortDuration(o.limits.Timeout)))
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
