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
	"io"
	"io/fs"
)

// The placeholder file keeps the pattern from matching nothing on a fresh clone.
//
//go:embed agent_*
var embedded embed.FS

// Agent is the agent for one architecture.
type Agent struct {
	// Program is a static Linux executable of Size bytes. It is read where it
	// lies: a copy of it would be a sixth of what glovebox needs of memory.
	Program io.ReaderAt
	Size    int64
	// Build is the SHA-256 of the program in hex; the handshake compares it with what runs in the box.
	Build string
}

// For returns the agent for goarch as Go names it: amd64 or arm64. One that
// was not built is an error that says how to build it.
func For(goarch string) (Agent, error) {
	program, size, err := open(goarch)
	if err != nil {
		return Agent{}, err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(program, 0, size)); err != nil {
		return Agent{}, fmt.Errorf("read the agent for linux/%s: %w", goarch, err)
	}
	return Agent{Program: program, Size: size, Build: hex.EncodeToString(hash.Sum(nil))}, nil
}

// Check is For for those who only want to know whether there is one.
func Check(goarch string) error {
	_, _, err := open(goarch)
	return err
}

func open(goarch string) (program io.ReaderAt, size int64, err error) {
	if goarch != "amd64" && goarch != "arm64" {
		return nil, 0, fmt.Errorf("there is no agent for linux/%s: amd64 and arm64 are supported", goarch)
	}
	f, err := embedded.Open("agent_linux_" + goarch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("the agent for linux/%s is not part of this build: run `make build`, which builds it first", goarch)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the agent for linux/%s: %w", goarch, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("read the agent for linux/%s: %w", goarch, err)
	}
	return f.(io.ReaderAt), info.Size(), nil // package embed promises it of its files
}
