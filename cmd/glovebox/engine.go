package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// connect reaches the engine. Without one nothing runs.
func (a *app) connect(ctx context.Context, runtime string, log hclog.Logger) (*docker.Engine, error) {
	engine, err := docker.New(ctx, docker.Options{Runtime: runtime, Log: log, CacheDir: a.cacheDir()})
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
	facts, err := engine.Facts(ctx)
	if err != nil {
		return noEngine(ctx, err)
	}
	// The agent is what looks at most walls.
	if err := binary.Check(facts.Arch); facts.OS == "linux" && err != nil {
		return noAgent(err)
	}
	if err := engine.Check(ctx); err != nil {
		return noEngine(ctx, err)
	}
	return nil
}

// noAgent words that this program has no agent for the engine's machine.
func noAgent(err error) error {
	return &runner.Error{Outcome: runner.NoSandbox, Hint: "build glovebox with `make build`, which makes bin/glovebox", Err: err}
}

// scopeOn is the scope of a job on an engine that has been checked. A fresh box
// for every call needs boxes that share a network, or a server that one call
// has started could not be reached by the next.
func scopeOn(ctx context.Context, engine *docker.Engine, o order) (sandbox.Scope, error) {
	shares, err := engine.SharesNetwork(ctx)
	switch {
	case err != nil:
		return "", noEngine(ctx, err)
	case shares || o.scope == sandbox.ScopeSession:
		return o.scope, nil
	case o.scopeGiven:
		return "", usage("leave --scope out, or give --scope session", "--scope call: boxes of this runtime bring a kernel each and can't share a network")
	}
	return sandbox.ScopeSession, nil
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
