package batch

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/model"
)

// Purse is the cap over all jobs of a batch. What they have spent is read from
// their ledgers, which is all there is: nothing can disagree with them.
type Purse struct {
	limit  decimal.Decimal
	mu     sync.Mutex // of this process, because the file's lock is the process's
	lock   *os.File
	meters []*runner.Meter
}

var _ model.Purse = (*Purse)(nil)

// OpenPurse is the purse of the batch in root, with a cap of limit USD, for the
// jobs in these project directories.
func OpenPurse(root *os.Root, limit decimal.Decimal, dirs []string) (*Purse, error) {
	f, err := atomicfile.Open(root, purseFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the batch's purse: %w", err)
	}
	p := &Purse{limit: limit, lock: f}
	for _, dir := range dirs {
		p.meters = append(p.meters, runner.NewMeter(dir))
	}
	return p, nil
}

// Open implements [model.Purse].
func (p *Purse) Open() (left decimal.Decimal, shut func(), err error) {
	p.mu.Lock()
	if err := syscall.Flock(int(p.lock.Fd()), syscall.LOCK_EX); err != nil {
		p.mu.Unlock()
		return left, nil, fmt.Errorf("lock the batch's purse: %w", err)
	}
	shut = func() {
		_ = syscall.Flock(int(p.lock.Fd()), syscall.LOCK_UN) // the end of the process would do it
		p.mu.Unlock()
	}
	spent, err := p.spent()
	if err != nil {
		shut()
		return left, nil, err
	}
	return p.limit.Sub(spent), shut, nil
}

// spent is the sum over all ledgers, with what is reserved now.
func (p *Purse) spent() (sum decimal.Decimal, err error) {
	for _, m := range p.meters {
		t, err := m.Totals()
		if err != nil {
			return sum, err
		}
		sum = sum.Add(t.Spent())
	}
	return sum, nil
}

// Close ends the purse; what is reserved stays so.
func (p *Purse) Close() error { return p.lock.Close() }
