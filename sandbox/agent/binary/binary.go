// Package binary holds the agents that glovebox puts into boxes: one static
// Linux program for each architecture, embedded. `make build` makes them; a
// fresh clone has none and still compiles.
package binary

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
)

// The placeholder file keeps the pattern from matching nothing on a fresh clone.
//
//go:embed agent_*
var embedded embed.FS

// Agent is the agent for one architecture.
type Agent struct {
	// Bytes is the program, a static Linux executable.
	Bytes []byte
	// Build is the SHA-256 of Bytes in hex; the handshake compares it with what runs in the box.
	Build string
}

// For returns the agent for goarch as Go names it: amd64 or arm64. One that
// was not built is an error that says how to build it.
func For(goarch string) (Agent, error) {
	if goarch != "amd64" && goarch != "arm64" {
		return Agent{}, fmt.Errorf("there is no agent for linux/%s: amd64 and arm64 are supported", goarch)
	}
	program, err := embedded.ReadFile("agent_linux_" + goarch)
	if errors.Is(err, fs.ErrNotExist) {
		return Agent{}, fmt.Errorf("the agent for linux/%s is not part of this build: run `make build`, which builds it first", goarch)
	}
	if err != nil {
		return Agent{}, fmt.Errorf("read the agent for linux/%s: %w", goarch, err)
	}
	sum := sha256.Sum256(program)
	return Agent{Bytes: program, Build: hex.EncodeToString(sum[:])}, nil
}
