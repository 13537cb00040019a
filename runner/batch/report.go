package batch

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/plain"
	"github.com/glovebox-run/glovebox/runner/report"
)

// The longest texts of ours in bytes; a file's name may stand in them.
const (
	nameMax   = 300
	reasonMax = 600
)

// jobOf is what came of the job of item in dir.
func jobOf(dir string, item Item, o report.Options) *report.Job {
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
