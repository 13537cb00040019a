package runner

import (
	"context"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// readsAhead are the reads that calls begin with, as many as may run at once.
// They change nothing, so their order decides nothing. In one box for all they
// are quick one after the other.
func (s *session) readsAhead(calls []model.Call) (reads []tool.Use) {
	if s.env.Scope == sandbox.ScopeSession {
		return nil
	}
	for _, call := range calls[:min(len(calls), readsAtOnce, s.job.callsLeft())] {
		use, err := s.understand(call)
		if err != nil || use.Name != tool.Read {
			break
		}
		reads = append(reads, use)
	}
	return reads
}

// reading is one of several reads at the same time.
type reading struct {
	number int
	box    *sandbox.Box
	result tool.Result
	took   time.Duration
	err    error
}

// readTogether does reads at the same time, each in a box of its own, and
// records and answers them in their order.
func (s *session) readTogether(ctx context.Context, calls []model.Call, reads []tool.Use) (texts []string, end *ending, err error) {
	s.faulty = 0
	timed, release := s.job.timed(ctx)
	defer release()
	done, err := s.startReads(timed, calls, reads)
	for _, r := range done {
		s.pool.Give(r.box)
	}
	if err != nil {
		return nil, nil, err
	}
	for i, r := range done {
		result, err := s.survive(timed, r.result, r.err)
		if err != nil {
			return nil, nil, err
		}
		info := ledger.ResultInfo{Box: r.box.ID(), Text: result.Text, OK: result.OK, Took: r.took, Limits: limitInfo(result.Hits)}
		if err := s.callEnd(r.number, info); err != nil {
			return nil, nil, err
		}
		text, over := s.circling(calls[i], reads[i], result)
		if end == nil {
			end = over
		}
		texts = append(texts, text)
	}
	return texts, end, nil
}

// startReads runs the reads and waits for all that it could start.
func (s *session) startReads(ctx context.Context, calls []model.Call, reads []tool.Use) (done []*reading, err error) {
	var all sync.WaitGroup
	defer all.Wait()
	if err := s.job.openUp(); err != nil {
		return nil, err
	}
	for i, use := range reads {
		r := &reading{}
		if r.number, err = s.callStart(calls[i], use); err != nil {
			return done, err
		}
		start := time.Now()
		if r.box, err = s.pool.Take(ctx); err != nil {
			return done, startError(ctx, err)
		}
		done = append(done, r)
		env := s.env // an Env is not for several at once
		all.Go(func() {
			if r.err = s.job.volumes.enterSession(ctx, r.box, s.boxSpec()); r.err == nil {
				r.result, r.err = tool.Run(ctx, r.box, use, &env)
			}
			r.took = time.Since(start)
		})
	}
	return done, nil
}
