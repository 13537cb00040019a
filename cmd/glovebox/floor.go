package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/provider"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// floor is what all jobs of a batch stand on: the engines with their walls
// checked, the images, the models, the queue of starts, the purse.
type floor struct {
	log        hclog.Logger
	starts     *sandbox.Starts
	purse      *batch.Purse
	pace       func(context.Context) error
	processors int
	memory     int64 // bytes

	mu      sync.Mutex
	engines map[string]*docker.Engine // by runtime
	images  map[string]images.Image   // by runtime and name
	models  map[string]resolved
	ctx     context.Context // of the models' connections
	release context.CancelFunc
}

// resolved is a model as a provider has it.
type resolved struct {
	name string // the one chosen by auto
	m    model.Model
	info model.Info
}

// openFloor makes sure that an engine with all walls is there before any job is
// begun.
func (a *app) openFloor(ctx context.Context, o batchOrder, verbose bool) (*floor, error) {
	f := &floor{log: a.logger(verbose), starts: sandbox.NewStarts(0), pace: pace(o.perMinute),
		engines: map[string]*docker.Engine{}, images: map[string]images.Image{}, models: map[string]resolved{}}
	f.ctx, f.release = context.WithCancel(ctx)
	engine, err := a.engineFor(ctx, f, o.tasks[0].order.runtime)
	if err != nil {
		f.close()
		return nil, err
	}
	facts, err := engine.Facts(ctx)
	if err != nil {
		f.close()
		return nil, noEngine(ctx, err)
	}
	if err := a.checkRoom(o, facts); err != nil {
		f.close()
		return nil, err
	}
	f.processors, f.memory = min(machine(), facts.CPUs), facts.Memory
	return f, nil
}

func (f *floor) close() {
	f.release()
	for _, e := range f.engines {
		_ = e.Close() // its boxes are gone by then
	}
}

// engineFor is the engine with a runtime, checked once.
func (a *app) engineFor(ctx context.Context, f *floor, name string) (*docker.Engine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.engines[name]; ok {
		return e, nil
	}
	e, err := a.connect(ctx, name, f.log)
	if err != nil {
		return nil, err
	}
	if err := walls(ctx, e); err != nil {
		_ = e.Close() // it was only looked at
		return nil, err
	}
	f.engines[name] = e
	return e, nil
}

// imageFor is an image that is ready, built or pulled once.
func (a *app) imageFor(ctx context.Context, f *floor, e *docker.Engine, o order) (images.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := o.runtime + " " + o.image
	if img, ok := f.images[key]; ok {
		return img, nil
	}
	img, err := a.ensureImage(ctx, e, o.image, io.Discard)
	if err == nil {
		f.images[key] = img
	}
	return img, err
}

// modelFor is a model, looked up once for all jobs that ask the same way.
func (a *app) modelFor(f *floor, o order) (resolved, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := modelKey(o)
	if r, ok := f.models[key]; ok {
		return r, nil
	}
	m, info, err := provider.Resolve(f.ctx, o.model, a.env, a.asked(o))
	if err != nil {
		return resolved{}, err
	}
	r := resolved{name: o.model, m: m, info: info}
	if o.model == provider.Auto {
		r.name = info.Provider + "/" + info.ID
	}
	f.models[key] = r
	return r, nil
}

// modelKey is the same for all jobs that ask for the same model in the same way.
func modelKey(o order) string {
	return fmt.Sprint(o.model, "\n", o.baseURL, "\n", o.price, "\n", o.effort, "\n", strings.Join(o.upstreams, ","), "\n", o.blockPaid, o.budget.IsZero())
}

// buildTask is one job of a batch, as `run` would build it.
func (a *app) buildTask(ctx context.Context, f *floor, t task, shown *table) (runner.Status, error) {
	o := t.order
	dir, state, err := checkProject(o.dir, a.env("HOME"))
	if err == nil {
		err = recoverLoan(dir, state)
	}
	if err == nil {
		err = a.keys.check(o.model, dir)
	}
	if err != nil {
		return runner.Status{}, explain(err)
	}
	o.keepBudget(dir, state)
	options, err := a.batchOptions(ctx, f, o, t, dir)
	if err != nil {
		return runner.Status{}, explain(err)
	}
	options.Observe = func(e ledger.Event) {
		if a.onEvent != nil {
			a.onEvent(e)
		}
		shown.event(t.Name, e)
	}
	return runner.Run(ctx, options)
}

func (a *app) batchOptions(ctx context.Context, f *floor, o order, t task, dir string) (options runner.Options, err error) {
	r, err := a.modelFor(f, o)
	if err != nil {
		return options, err
	}
	engine, err := a.engineFor(ctx, f, o.runtime)
	if err != nil {
		return options, err
	}
	if o.scope, err = scopeOn(ctx, engine, o); err != nil {
		return options, err
	}
	img, err := a.imageFor(ctx, f, engine, o)
	if err != nil {
		return options, err
	}
	if err := createProject(dir); err != nil {
		return options, err
	}
	o.model, o.yes = r.name, true
	options = a.options(o, t.spec, dir)
	options.Accept, options.Prompts = t.more.accept, t.more.prompts
	options.Model, options.ModelInfo, options.Engine, options.Starts = r.m, r.info, engine, f.starts
	options.Log, options.Pace = f.log.With("job", filepath.Base(dir)), f.pace
	if f.purse != nil {
		options.Purse = f.purse
	}
	if o.workspace == runner.WorkspaceAuto && engine.Remote() {
		options.Workspace = runner.WorkspaceVolume
	}
	options.Image = runner.Image{Ref: o.image, ID: img.ID, Path: img.Path}
	return options, nil
}
