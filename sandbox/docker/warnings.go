package docker

import (
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// noSwapLimit is what an engine says of a kernel that does not count swap
// (moby, daemon/daemon_unix.go). Where there is no swap, nothing is missing.
const noSwapLimit = "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."

// checkWarnings reads what an engine said when it made a container. Engines
// drop a limit and tell it by a warning only, so every warning that is not
// known to be harmless is a missing wall.
func checkWarnings(warnings []string, f Facts) error {
	for _, w := range warnings {
		if w == noSwapLimit && !f.Swap {
			continue
		}
		return &sandbox.WallError{Wall: "a limit of the box", Why: "the engine warned: " + wire.Printable(w, 300)}
	}
	return nil
}
