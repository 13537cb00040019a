package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox"
)

// The smallest limits that a box starts with and can do anything in.
const (
	minMemory  = 32 << 20
	minDisk    = 16 << 20
	minPIDs    = 32   // the agent and a little more
	minCPUs    = 0.01 // Docker's own
	minTimeout = time.Second
	maxTimeout = 24 * time.Hour
	maxRun     = 365 * 24 * time.Hour
)

// parseBytes reads a size with a unit, for example 512m or 2g (powers of 1024).
func parseBytes(flag, value string, least int64) (int64, error) {
	const hint = "a number with a unit, for example 512m or 2g"
	n, err := units.RAMInBytes(value)
	if err != nil || n < 0 {
		return 0, usage(hint, "--%s %q is not a size", flag, value)
	}
	if n < least {
		return 0, usage("no box works with less than "+units.BytesSize(float64(least)), "--%s %s is too little", flag, value)
	}
	return n, nil
}

// parseCPUs reads a number of processors, for example 1.5.
func parseCPUs(value string) (float64, error) {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(n) || n < minCPUs || n > 4096 {
		return 0, usage("a number of processors, for example 2 or 1.5", "--cpus %q is not one", value)
	}
	return n, nil
}

// parseCount reads a whole number within bounds.
func parseCount(flag, value string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < least || n > most {
		return 0, usage("a whole number from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10), "--%s %q is not one", flag, value)
	}
	return n, nil
}

// parseDuration reads a time with a unit, for example 90s or 2m.
func parseDuration(flag, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < minTimeout || d > maxTimeout {
		return 0, usage("a time with a unit from 1s to 24h, for example 90s or 2m", "--%s %q is not one", flag, value)
	}
	return d, nil
}

// parseMaxTime reads how long a run may take, for example 8h; 0 is no limit.
func parseMaxTime(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d != 0 && d < minTimeout || d < 0 || d > maxRun {
		return 0, usage("a time with a unit, for example 90m or 8h; 0 is no limit", "--max-time %q is not one", value)
	}
	return d, nil
}

// parseMoney reads an amount of USD, exactly.
func parseMoney(flag, value string) (decimal.Decimal, error) {
	const hint = "an amount of USD, for example 5 or 0.50; 0 allows free models only"
	// No exponents and no long numbers: nobody means 1e9 dollars.
	if len(value) > 16 || strings.ContainsAny(value, "eE+-") {
		return decimal.Zero, usage(hint, "--%s %q is not an amount", flag, value)
	}
	d, err := decimal.NewFromString(strings.TrimPrefix(value, "$"))
	if err != nil {
		return decimal.Zero, usage(hint, "--%s %q is not an amount", flag, value)
	}
	return d, nil
}

// parseLimits reads the flags that bound a box.
func parseLimits(get func(string) string) (sandbox.Limits, error) {
	var l sandbox.Limits
	var err error
	if l.Memory, err = parseBytes("memory", get("memory"), minMemory); err != nil {
		return l, err
	}
	if l.CPUs, err = parseCPUs(get("cpus")); err != nil {
		return l, err
	}
	if l.PIDs, err = parseCount("pids", get("pids"), minPIDs, 1<<22); err != nil {
		return l, err
	}
	if l.Disk, err = parseBytes("disk", get("disk"), minDisk); err != nil {
		return l, err
	}
	l.Timeout, err = parseDuration("timeout", get("timeout"))
	return l, err
}

// parseScope reads how long a box lasts.
func parseScope(value string) (sandbox.Scope, error) {
	switch s := sandbox.Scope(value); s {
	case sandbox.ScopeCall, sandbox.ScopeSession:
		return s, nil
	default:
		return "", usage("call: a new box for every call; session: one for a whole session", "--scope %q is neither call nor session", value)
	}
}

// parseWorkspace reads where the project lies for boxes.
func parseWorkspace(value string) (runner.WorkspaceMode, error) {
	switch m := runner.WorkspaceMode(value); m {
	case runner.WorkspaceAuto, runner.WorkspaceBind, runner.WorkspaceVolume:
		return m, nil
	default:
		return "", usage("bind: boxes work in the directory itself; volume: in a copy with the engine; auto: as the engine can", "--workspace %q is not auto, bind or volume", value)
	}
}

// parseTools reads how the model calls tools.
func parseTools(value string) (runner.ToolMode, error) {
	switch m := runner.ToolMode(value); m {
	case runner.ToolsAuto, runner.ToolsNative, runner.ToolsText:
		return m, nil
	default:
		return "", usage("native: by itself; text: in words; auto: as the model can", "--tools %q is not auto, native or text", value)
	}
}
