package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/report"
)

// reportDir is where the reports of a job lie in its state.
const reportDir = "report"

// ReadReport says what came of the job in dir so far, from its state alone: it
// takes no lock and changes nothing, so it can be asked while the job runs.
// Without a job the error wraps ErrNoJob.
func ReadReport(dir string, o report.Options) (*report.Job, error) {
	root, err := openForReading(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	record, err := readJob(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoJob)
	}
	if err != nil {
		return nil, err
	}
	// Asked before the ledger is read: a job that ends meanwhile has its ending there.
	running := locked(root)
	b := report.NewBuilder(o)
	if err := eachEvent(root, b.Add); err != nil {
		return nil, err
	}
	list, err := loadFeatures(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	spec, err := atomicfile.Read(root, specFile, specMax)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return b.Job(report.State{ID: record.ID, Dir: dir, Spec: record.Spec, SpecHash: record.SpecHash, SpecText: string(spec),
		List: list, Running: running}), nil
}

// eachEvent reads the ledger without keeping it. A job that was never started has none.
func eachEvent(root *os.Root, add func(ledger.Event)) error {
	f, err := atomicfile.Open(root, ledgerFile, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	defer f.Close()
	for r := ledger.NewReader(f, ledgerFile); ; {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		add(e)
	}
}

// OpenReportDir opens the directory for the reports of the job in dir, and
// makes it if there is none. The caller closes it.
func OpenReportDir(dir string) (*os.Root, error) {
	root, err := openForReading(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := root.Mkdir(reportDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := root.Lstat(reportDir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s/%s is not a directory", stateDir, reportDir)
	}
	return root.OpenRoot(reportDir)
}
