package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner"
)

// A watch says what has changed, each thing once, and ends with what it watches.
func TestWatchSaysChangesOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &out, nil)
	stands := []stand{{lines: []string{"a 1/3", "b waiting"}, runs: true}, {lines: []string{"a 2/3", "b waiting"}}}
	looks := 0
	if err := a.watch(context.Background(), func() (stand, error) { looks++; return stands[looks-1], nil }, false); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		said = append(said, line[len("15:04:05  "):])
	}
	if got := strings.Join(said, "; "); got != "a 1/3; b waiting; a 2/3" {
		t.Errorf("%q", got)
	}
}

// Who no longer wants to watch is told that what runs goes on.
func TestWatchIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	a := newApp(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}, nil)
	err := a.watch(ctx, func() (stand, error) { cancel(); return stand{runs: true}, nil }, false)
	var e *runner.Error
	if !errors.As(err, &e) || e.Outcome != runner.Interrupted || !strings.Contains(e.Hint, "goes on") {
		t.Errorf("%v", err)
	}
}
