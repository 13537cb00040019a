//go:build linux

// Command glovebox-agent is process 1 of every box; see package agent. It is
// built static and embedded into glovebox, and nobody starts it by hand.
package main

import (
	"os"

	"github.com/glovebox-run/glovebox/sandbox/agent"
)

func main() {
	os.Exit(agent.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
