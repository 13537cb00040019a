//go:build linux

package agent

import (
	"path/filepath"
	"strings"

	"github.com/glovebox-run/glovebox/sandbox"
)

// places are where workspace and home lie: in a box at their own names, in
// tests somewhere else.
type places struct {
	workspace, home string
}

// path is where a path of the host's lies here: relative ones are relative to
// the workspace.
func (w places) path(p string) string {
	if !filepath.IsAbs(p) {
		return filepath.Join(w.workspace, p)
	}
	if moved, ok := move(p, sandbox.Workspace, w.workspace); ok {
		return moved
	}
	if moved, ok := move(p, sandbox.Home, w.home); ok {
		return moved
	}
	return filepath.Clean(p)
}

// environment is env with the places in its values put where they are.
func (w places) environment(env []string) []string {
	if w.workspace == sandbox.Workspace && w.home == sandbox.Home {
		return env
	}
	moved := make([]string, len(env))
	for i, entry := range env {
		moved[i] = entry
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			continue
		}
		if v, ok := move(value, sandbox.Workspace, w.workspace); ok {
			moved[i] = name + "=" + v
		} else if v, ok := move(value, sandbox.Home, w.home); ok {
			moved[i] = name + "=" + v
		}
	}
	return moved
}

// move puts p below to if it lies below from.
func move(p, from, to string) (string, bool) {
	if p == from {
		return to, true
	}
	if rest, ok := strings.CutPrefix(p, from+"/"); ok {
		return to + "/" + rest, true
	}
	return "", false
}
