package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// ErrNoJob says that a directory holds no job of ours.
var ErrNoJob = errors.New("no job here")

// ReadStatus says where the job in dir stands. It takes no lock and changes
// nothing, so it can be asked while the job runs. Without a job the error
// wraps ErrNoJob.
func ReadStatus(dir string) (Status, error) {
	root, err := openForReading(dir)
	if err != nil {
		return Status{}, err
	}
	defer root.Close()
	record, err := readJob(root)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{}, fmt.Errorf("%s: %w", dir, ErrNoJob)
	}
	if err != nil {
		return Status{}, err
	}
	events, err := ReadLedger(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Status{}, err
	}
	list, err := loadFeatures(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Status{}, err
	}
	_, lentErr := root.Lstat(lentFile)
	s := statusOf(dir, record, list, ledger.Sums(events))
	s.Running, s.Lent = locked(root), lentErr == nil
	return s, nil
}

// ReadLedger returns the events of the job in dir.
func ReadLedger(dir string) ([]ledger.Event, error) {
	root, err := openForReading(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readLedger(root)
}

// openForReading opens the state of the job in dir, which must be a real
// directory there.
func openForReading(dir string) (*os.Root, error) {
	project, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer project.Close()
	info, err := project.Lstat(stateDir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoJob)
	}
	if err != nil {
		return nil, err
	}
	return project.OpenRoot(stateDir)
}

// statusOf puts together what the state's files say.
func statusOf(dir string, record jobRecord, list feature.State, t ledger.Totals) Status {
	s := Status{
		ID: record.ID, Dir: dir, Spec: record.Spec, SpecHash: record.SpecHash,
		Features: list.Features, Note: list.Note, Red: list.Red, Flaky: list.Flaky, Proof: t.Proof, Approved: list.Approved != "",
		ApprovedHow: list.Approved, ApprovedBy: list.By, ApprovedHash: list.AcceptedHash, ListHash: list.Hash,
		Sessions: t.Sessions, Turns: t.Turns, Calls: t.Calls, Boxes: t.Boxes, Commits: t.Commits,
		Seconds: t.Worked.Seconds(), Prompt: t.Prompt, Output: t.Completion, Cached: t.Cached,
		Spent: t.Spent(), Unsettled: t.Unsettled(), Lost: t.Lost, Reported: t.Reported, Computed: t.Computed, Deviates: t.Deviates, PutBack: t.PutBack,
	}
	if !t.LastEvent.IsZero() {
		s.LastEvent = t.LastEvent.Format("2006-01-02 15:04:05Z07:00")
	}
	if t.Job != nil {
		s.Model, s.Image = t.Job.Model, t.Job.Image
		s.Budget, _ = decimal.NewFromString(t.Job.Budget) // written by us from a decimal; zero if not
	}
	if t.Branch != nil {
		s.Branch, s.From = t.Branch.Name, t.Branch.From
	}
	if t.End != nil {
		s.Outcome, s.Reason, s.Hint = Outcome(t.End.Outcome), t.End.Reason, t.End.Hint
	}
	return s
}

// Budget is the cap in USD of the job in dir, over all its processes; begun is
// false where no job was begun.
func Budget(dir string) (usd decimal.Decimal, begun bool, err error) {
	events, err := ReadLedger(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoJob) {
		return usd, false, nil
	}
	if err != nil {
		return usd, false, err
	}
	return capOf(ledger.Sums(events))
}

// Recover gives a directory back that a killed process left lent, if there is
// one and no process works on it. It needs neither an engine nor a model.
func Recover(dir string) error {
	root, err := openForReading(dir)
	if errors.Is(err, ErrNoJob) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := readLoan(root); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := takeLock(root)
	if err != nil {
		return nil // whoever holds the lock gives it back
	}
	defer lock.Close()
	project, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer project.Close()
	return giveBack(project, root)
}

// indexMax bounds what is read of a project's git index: about 500,000 files.
const indexMax = 64 << 20

// StateIsTracked says whether git tracks the state of the job in dir: then it
// came with the project, and nothing that it says can be trusted. The index is
// only searched for the state's name, which finds it in every version but the
// fourth, where names are cut: an index of that version, or one that can't be
// read, counts as tracking it.
func StateIsTracked(dir string) (bool, error) {
	project, err := os.OpenRoot(dir)
	if err != nil {
		return true, err
	}
	defer project.Close()
	index, err := workspace{root: project}.read(".git/index", indexMax)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	fourth := len(index) > 8 && index[7] >= 4
	return fourth || bytes.Contains(index, []byte(stateDir+"/")), nil
}
