package sandbox

import (
	"context"
	"net/http"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Left is what calls that have ended left running in a box.
type Left struct {
	// Running are the processes, at most 20.
	Running []Process
	// Output is what they have written since their calls ended, the last 64 KiB of it.
	Output []byte
	// Dropped is how many bytes were written before Output.
	Dropped int64
	// Hit are the limits of the box that were hit since its last call ended, or
	// since it was looked into before; each once.
	Hit []Limit
}

// Left asks what still runs in the box, and what it has written lately.
func (b *Box) Left(ctx context.Context) (Left, error) {
	var told wire.LeftOver
	r := request{method: http.MethodGet, path: wire.PathLeft}
	err := b.ask(ctx, fileTime, r, func(res *http.Response) error {
		if err := wire.ReadJSON(res.Body, wire.MaxLeftOver, &told); err != nil {
			return err
		}
		return told.Check()
	})
	if err != nil {
		b.Close() // a refusal too: there is nothing to be refused
		return Left{}, b.lost("look into", err)
	}
	return Left{Running: processes(told.Left), Output: told.Output, Dropped: told.Dropped, Hit: limits(told.Limits)}, nil
}

func processes(told []wire.Process) []Process {
	ps := make([]Process, len(told))
	for i, p := range told {
		ps[i] = Process{PID: p.PID, Command: p.Command}
	}
	return ps
}
