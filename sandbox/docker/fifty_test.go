package docker

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Many boxes wanted at once: each comes up and works, or says why not, and
// when all are closed nothing is left. A machine that starts eight a second
// takes its time, so none is given less than a start may take.
func TestFiftyBoxesAtOnce(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	openBox(t, e, s).Close() // the agent's volume is there
	leaves := leavesNothing(t, e)
	most := 15
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		most = 50
	}
	var (
		mu     sync.Mutex
		took   []time.Duration
		failed []error
		all    sync.WaitGroup
	)
	for range most {
		all.Go(func() {
			begun := time.Now()
			b, err := sandbox.Open(t.Context(), e, s)
			if err == nil {
				var r sandbox.Result
				if r, err = b.Run(t.Context(), shell("echo works")); err == nil && r.Output() != "works\n" {
					t.Errorf("a box says %q", r.Output())
				}
				if closed := b.Close(); closed != nil {
					t.Error(closed)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
				return
			}
			took = append(took, time.Since(begun))
		})
	}
	all.Wait()
	if len(took) == 0 {
		t.Fatalf("no box came up: %v", failed)
	}
	slices.Sort(took)
	t.Logf("%d of %d boxes worked, half of them within %s, the last within %s", len(took), most, took[len(took)/2], took[len(took)-1])
	for _, err := range failed {
		t.Errorf("a box failed: %v", err)
	}
	leaves()
}
