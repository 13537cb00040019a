package batch

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/plain"
	"github.com/glovebox-run/glovebox/runner/report"
)

// Jobs says what came of each job of the batch in out so far, from their own
// state alone. A job that can't be read says so and spoils no other. Without a
// batch the error wraps ErrNoBatch.
func Jobs(out string, o report.Options) ([]*report.Job, error) {
	items, err := Read(out)
	if err != nil {
		return nil, err
	}
	o.Share = len(items)
	jobs := make([]*report.Job, len(items))
	for i, item := range items {
		jobs[i] = jobOf(out, item, o)
	}
	return jobs, nil
}

// The longest texts of ours in bytes; a file's name may stand in them.
const (
	nameMax   = 300
	reasonMax = 600
)

func jobOf(out string, item Item, o report.Options) *report.Job {
	dir := filepath.Join(out, item.Name)
	job, err := runner.ReadReport(dir, o)
	if err != nil {
		job = report.Waiting(report.State{Dir: dir, Spec: filepath.Base(item.Spec), SpecHash: item.SpecHash})
	}
	job.Name = plain.Line(item.Name, nameMax)
	switch {
	case errors.Is(err, runner.ErrNoJob) || errors.Is(err, fs.ErrNotExist):
	case err != nil:
		job.State, job.Reason, job.Hint = string(runner.FailedRun), plain.Line(err.Error(), reasonMax), "look at "+dir
	case item.SpecHash != job.Spec.SHA256:
		job.State, job.Reason, job.Hint = string(runner.Usage), otherSpec(job.Spec.Name), otherSpecHint
	}
	return job
}
