package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// Scripts branch on the exit code and people on the hint: both are fixed for
// every failure that is known, however deep it is wrapped.
func TestExplain(t *testing.T) {
	fault := func(f model.Fault) error { return &model.Error{Fault: f, Status: 418, Message: "words"} }
	for _, x := range []struct {
		err  error
		want runner.Outcome
		hint string
	}{
		{fault(model.FaultMissingKey), runner.Usage, "export"},
		{fault(model.FaultUnknownName), runner.Usage, "--model"},
		{fault(model.FaultNoPrice), runner.ModelRefused, "--price"},
		{fault(model.FaultPaid), runner.ModelRefused, "--budget"},
		{fault(model.FaultWrongModel), runner.ModelRefused, "another model"},
		{fault(model.FaultNotAllowed), runner.ModelRefused, "--allow-models"},
		{fault(model.FaultOption), runner.Usage, "the flag"},
		{fault(model.FaultBudget), runner.OverBudget, "--budget"},
		{fault(model.FaultRateLimit), runner.RateLimit, "wait"},
		{fault(model.FaultDailyLimit), runner.RateLimit, "UTC; with --wait"},
		{fault(model.FaultKey), runner.FailedRun, "key"},
		{fault(model.FaultCredits), runner.FailedRun, "credits"},
		{fault(model.FaultNotFound), runner.FailedRun, "name"},
		{fault(model.FaultServer), runner.FailedRun, "later"},
		{fault(model.FaultUnreachable), runner.FailedRun, "network"},
		{fault(model.FaultRequest), runner.FailedRun, "tools"},
		{&sandbox.WallError{Wall: "memory limit", Why: "none"}, runner.NoSandbox, "doctor"},
		{noEngine(context.Background(), docker.ErrNoEngine), runner.NoSandbox, "make setup"},
		{images.ErrNotFound, runner.Usage, "image list"},
		{images.ErrNoRegistry, runner.FailedRun, "image list"},
		{context.Canceled, runner.Interrupted, "goes on"},
		{errors.New("something"), runner.FailedRun, "--verbose"},
		{&runner.Error{Outcome: runner.Incomplete, Reason: "limit"}, runner.Incomplete, "--verbose"},
		{&runner.Error{Outcome: runner.Rejected, Hint: "own hint"}, runner.Rejected, "own hint"},
		{&runner.Error{Outcome: runner.FailedRun, Err: fault(model.FaultKey)}, runner.FailedRun, "key"},
	} {
		for _, err := range []error{x.err, fmt.Errorf("wrapped: %w", x.err), errors.Join(x.err, errors.New("and more"))} {
			if got := explain(err); got.Outcome != x.want || !strings.Contains(got.Hint, x.hint) {
				t.Errorf("%v: got %s, hint %q", err, got.Outcome, got.Hint)
			}
		}
	}
}

// A provider's words alone ("No auth credentials found") don't say who speaks.
func TestExplainNamesWhatHappened(t *testing.T) {
	err := &runner.Error{Outcome: runner.FailedRun, Err: &model.Error{Fault: model.FaultKey, Status: 401, Message: "No auth"}}
	if got, want := explain(err).Error(), "the provider refuses the key (HTTP 401): No auth"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whatever a failure says, it is two harmless lines of bounded length.
func TestFailureText(t *testing.T) {
	got := failureText(&runner.Error{Reason: hostile + strings.Repeat("x", 1<<20), Hint: hostile}) + "\n"
	if !failureForm.MatchString(got) || strings.ContainsAny(got, "\x1b\u009b\x00\r") || len(got) > 2000 {
		t.Errorf("got %q", got)
	}
}
