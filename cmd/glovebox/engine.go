package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// connect reaches the engine. Without one nothing runs.
func connect(ctx context.Context, runtime string, log hclog.Logger) (*docker.Engine, error) {
	engine, err := docker.New(ctx, docker.Options{Runtime: runtime, Log: log})
	if err != nil {
		return nil, noEngine(ctx, err)
	}
	return engine, nil
}

// noEngine words that no engine answers.
func noEngine(ctx context.Context, err error) error {
	if ctx.Err() != nil || !errors.Is(err, docker.ErrNoEngine) {
		return err
	}
	return &runner.Error{Outcome: runner.NoSandbox, Hint: engineHint, Err: err}
}

// walls makes sure that the engine can build every wall of a box and that this
// program has the agent for it.
func walls(ctx context.Context, engine *docker.Engine) error {
	if err := engine.Check(ctx); err != nil {
		return noEngine(ctx, err)
	}
	facts, err := engine.Facts(ctx)
	if err != nil {
		return noEngine(ctx, err)
	}
	if err := binary.Check(facts.Arch); err != nil {
		return &runner.Error{Outcome: runner.NoSandbox, Hint: "build glovebox with `make build`, which makes bin/glovebox", Err: err}
	}
	return nil
}

// ensureImage makes an image ready, building or pulling it if it is missing.
func (a *app) ensureImage(ctx context.Context, engine *docker.Engine, name string, progress io.Writer) (images.Image, error) {
	img, err := images.Ensure(ctx, engine, name, images.Options{Progress: progress, Environ: a.environ})
	if err == nil {
		return img, nil
	}
	if ctx.Err() != nil {
		return img, ctx.Err()
	}
	var known *images.Error
	if !errors.As(err, &known) {
		return img, fmt.Errorf("image %s: %w", name, err)
	}
	if known.Detail != "" { // the end of what a failed build printed, also with --quiet
		fmt.Fprintln(a.screen.lines("  "), known.Detail)
	}
	return img, &runner.Error{Outcome: explain(err).Outcome, Reason: known.Reason, Hint: known.Hint}
}
