package batch

import (
	"path/filepath"
	"strings"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/report"
)

// A Watch looks at a batch again and again, and reads only what has changed.
// It is for one goroutine at a time.
type Watch struct {
	out      string
	statuses memory[Result]
	jobs     memory[*report.Job]
}

// NewWatch is for the batch in out.
func NewWatch(out string) *Watch {
	return &Watch{out: out, statuses: memory[Result]{}, jobs: memory[*report.Job]{}}
}

// Statuses are the items of the batch with where each stands, read from the
// jobs' own state alone. Without a batch the error wraps ErrNoBatch.
func (w *Watch) Statuses() (results []Result, err error) {
	items, err := Read(w.out)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		dir := filepath.Join(w.out, item.Name)
		results = append(results, w.statuses.get(item, dir, func() Result {
			s, err := runner.ReadStatus(dir)
			return judge(item, s, err)
		}))
	}
	return results, nil
}

// Jobs says what came of each job of the batch so far. A job that can't be read
// says so and spoils no other. Without a batch the error wraps ErrNoBatch.
func (w *Watch) Jobs(o report.Options) (jobs []*report.Job, err error) {
	items, err := Read(w.out)
	if err != nil {
		return nil, err
	}
	o.Share = len(items)
	for _, item := range items {
		dir := filepath.Join(w.out, item.Name)
		jobs = append(jobs, w.jobs.get(item, dir, func() *report.Job { return jobOf(dir, item, o) }))
	}
	return jobs, nil
}

// Stamp changes whenever anything of the batch does.
func (w *Watch) Stamp() string {
	items, _ := Read(w.out) // what can't be read has not changed
	var b strings.Builder
	for _, item := range items {
		b.WriteString(item.Name + runner.Stamp(filepath.Join(w.out, item.Name)) + "\n")
	}
	return b.String()
}

// memory is what was read of each item, with its job's stamp then.
type memory[T any] map[Item]struct {
	stamp string
	what  T
}

func (m memory[T]) get(item Item, dir string, read func() T) T {
	stamp := runner.Stamp(dir) // before it is read: what changes meanwhile is read again
	known, ok := m[item]
	if !ok || known.stamp != stamp {
		known.stamp, known.what = stamp, read()
		m[item] = known
	}
	return known.what
}
