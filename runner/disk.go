package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// watchDisk sets up the quota on the project and $HOME before anything is
// started, and ends a job that would begin beyond it. One that goes on may find
// the disk as full as its own sessions made it: they have to clean up.
func (j *job) watchDisk(ctx context.Context) (err error) {
	home := filepath.Join(j.o.Dir, stateDir, homeDir)
	if err := j.state.root.Mkdir(homeDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if j.meter, err = sandbox.NewDirMeter(j.o.Dir, []string{stateDir}, home); err != nil {
		return err
	}
	j.disk = sandbox.NewDisk(j.o.Limits, j.meter)
	full, err := j.disk.Start(ctx)
	if err == nil && full != nil {
		err = j.fullAtStart(full)
	}
	if err != nil {
		return errors.Join(err, j.meter.Close())
	}
	return nil
}

// fullAtStart says how a job ends, or goes on, that finds the disk full.
func (j *job) fullAtStart(f *sandbox.Full) error {
	if f.Limit == sandbox.LimitFloor {
		reason := fmt.Sprintf("the file system of the project has only %s left; below %s nothing is started", tool.Size(f.Free), tool.Size(f.Most))
		if f.Most == 0 {
			reason = fmt.Sprintf("the file system of the project has room for only %d more files", f.FreeFiles)
		}
		return &Error{Outcome: FailedRun, Reason: reason, Hint: "free some room there; the same command goes on"}
	}
	holds := tool.Holds(f)
	if j.session > 0 && !f.Hopeless { // its own sessions wrote that
		return j.note(holds + ": the next sessions must delete something before they can add to it (--disk changes the limit)")
	}
	return &Error{Outcome: Usage, Reason: holds, Hint: "give a larger --disk, or remove what isn't needed: " + tool.Largest(f)}
}

// hopeless ends a job whose boxes have filled the disk so far beyond its limit
// that another call could only make it worse; nil if there is hope.
func hopeless(f *sandbox.Full) error {
	if f == nil || !f.Hopeless {
		return nil
	}
	if f.Limit == sandbox.LimitFloor {
		return &Error{Outcome: FailedRun, Reason: fmt.Sprintf("the file system of the project has only %s left (%d files)", tool.Size(f.Free), f.FreeFiles),
			Hint: "free some room there; the same command goes on"}
	}
	return &Error{Outcome: Incomplete, Reason: tool.Holds(f), Hint: "give a larger --disk, or remove what isn't needed: " + tool.Largest(f)}
}

// refuseFull refuses a tree that git could not take up because the disk is full.
func refuseFull(r sandbox.Result) error {
	if r.Full == nil {
		return nil
	}
	if err := hopeless(r.Full); err != nil {
		return err
	}
	return refuse("%s", tool.FullText(r.Full, "Git was ended"))
}

// limitInfo is what the ledger keeps of limits that were hit.
func limitInfo(hits []tool.HitLimit) []ledger.LimitInfo {
	var infos []ledger.LimitInfo
	for _, h := range hits {
		infos = append(infos, ledger.LimitInfo{Name: string(h.Name), Value: h.Value, Words: h.Words})
	}
	return infos
}
