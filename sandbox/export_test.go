package sandbox

import "runtime"

// AwaitQueue returns when so many starts wait for their turn.
func AwaitQueue(s *Starts, tickets int) {
	for {
		s.mu.Lock()
		waiting := 0
		for _, l := range s.turns {
			waiting += len(l.tickets)
		}
		s.mu.Unlock()
		if waiting >= tickets {
			return
		}
		runtime.Gosched()
	}
}
