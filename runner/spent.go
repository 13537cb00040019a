package runner

import (
	"errors"
	"io/fs"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// Meter adds up a job while processes work on it, this one or others.
type Meter struct {
	dir string
	sum ledger.Sum
}

// NewMeter is for the job of a project directory, which need not be there yet.
func NewMeter(dir string) *Meter { return &Meter{dir: dir} }

// Totals are the sums over the job's ledger as it is on disk now.
func (m *Meter) Totals() (ledger.Totals, error) {
	root, err := openForReading(m.dir)
	switch {
	case errors.Is(err, ErrNoJob), errors.Is(err, fs.ErrNotExist):
		return ledger.Totals{}, nil
	case err != nil:
		return ledger.Totals{}, err
	}
	defer root.Close()
	return m.sum.Update(root, ledgerFile)
}
