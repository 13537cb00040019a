package runner

import (
	"errors"
	"fmt"
	"io/fs"
)

// Foresee finds what would keep a process from working on the job in dir,
// as far as the job's own state tells: it is another job's, or another process
// works on it. It takes no lock and changes nothing. Where no job was begun
// nothing is in the way. features is 0 if none were asked for.
func Foresee(dir string, spec Spec, features int) error {
	root, err := openForReading(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoJob) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	record, err := readJob(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := record.fits(spec, features); err != nil {
		return err
	}
	if locked(root) {
		return inUse("")
	}
	return nil
}

// fits says whether a command line is for the job that was begun.
func (r jobRecord) fits(spec Spec, features int) error {
	if r.SpecHash != SpecHash(spec.Text) {
		return &Error{Outcome: Usage,
			Reason: fmt.Sprintf("this directory holds a job for another specification (%s)", r.Spec),
			Hint:   "give the same specification to go on, or another --project-dir to begin"}
	}
	if features != 0 && features != r.Features {
		return &Error{Outcome: Usage,
			Reason: fmt.Sprintf("this job was begun with %d features, not %d", r.Features, features),
			Hint:   "leave --features out to go on, or give another --project-dir to begin"}
	}
	return nil
}

// inUse is how a process ends that finds another one at work.
func inUse(pid string) error {
	return &Error{Outcome: FailedRun, Err: ErrBusy,
		Reason: "another process" + pid + " works on this job",
		Hint:   "wait for it, or look at it with `glovebox status DIR`"}
}
