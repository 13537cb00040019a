package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// damaged is a state that is not what this program wrote. A torn last line of
// the ledger is none: that is what a crash leaves.
func damaged(err error) *Error {
	return &Error{Outcome: FailedRun, Reason: "the job's state in " + stateDir + " can't be used", Err: err,
		Hint: "the program and its history are safe; put the file back from a backup, or move " + stateDir + " away to begin a new job (what was spent is then forgotten)"}
}

// loadFeatures reads the list; a missing one is fs.ErrNotExist.
func loadFeatures(root *os.Root) (feature.State, error) {
	list, err := feature.Load(root, featuresFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return list, damaged(err)
	}
	return list, err
}

// readLedger reads all events; a missing ledger is fs.ErrNotExist.
func readLedger(root *os.Root) ([]ledger.Event, error) {
	events, err := ledger.Read(root, ledgerFile)
	var damage *ledger.DamageError
	if errors.As(err, &damage) {
		return events, damaged(err)
	}
	return events, err
}

// missing is a file that is not there although something else says that it was.
func missing(file, witness string) *Error {
	return damaged(fmt.Errorf("%s is missing, but %s", file, witness))
}
