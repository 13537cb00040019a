package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// defaultColumns is assumed where a terminal doesn't tell its width.
const defaultColumns = 80

// fileColumns is how wide lines are that go to no terminal.
const fileColumns = 100

// isTerminal says that a stream is a terminal and returns its file.
func isTerminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// newScreen is a screen on w, which stands before the stream raw.
// TERM=dumb gets lines only; NO_COLOR, if set to anything, no colours
// (https://no-color.org). In a CI job there is nobody to rewrite a line for.
func newScreen(w io.Writer, raw any, env func(string) string) *screen {
	s := &screen{w: w}
	f, ok := isTerminal(raw)
	if !ok || env("TERM") == "dumb" || env("TERM") == "" || inCI(env) {
		return s
	}
	s.live, s.colour = true, env("NO_COLOR") == ""
	s.size = func() int { return columns(f) }
	return s
}

// columns is the width of a terminal now.
func columns(f *os.File) int {
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		return n
	}
	return defaultColumns
}

// streamColumns is how wide lines to a stream may be.
func streamColumns(stream any) int {
	if f, ok := isTerminal(stream); ok {
		return columns(f)
	}
	return fileColumns
}

// lookup makes a getter of an environment of K=V. The last entry of a name wins, as in os/exec.
func lookup(env []string) func(string) string {
	values := make(map[string]string, len(env))
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}
