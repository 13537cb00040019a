package tool

import (
	"context"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/runner/plain"
	"github.com/glovebox-run/glovebox/sandbox"
)

// left names what a script has left running, and says how to look after it.
func (env *Env) left(box string, r sandbox.Result) string {
	if len(r.Left) == 0 || r.TimedOut {
		return ""
	}
	what := "Its box is kept for this session; later calls reach its servers on localhost."
	if env.Scope == sandbox.ScopeSession {
		what = "It runs on in this session's box."
	}
	return fmt.Sprintf(`[Still running: %s. %s bash with box="%s" and no command shows its output, with command="stop" ends it.]`,
		processes(r.Left), what, box)
}

// processes names some, and counts the others.
func processes(ps []sandbox.Process) string {
	const named = 5
	var names []string
	for _, p := range ps[:min(len(ps), named)] {
		names = append(names, fmt.Sprintf("%s (pid %d)", plain.Line(p.Command, 60), p.PID))
	}
	if more := len(ps) - named; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// KeptBox is the part of a sandbox.Box that can be looked at after its call.
type KeptBox interface {
	ID() string
	Left(ctx context.Context) (sandbox.Left, error)
}

// Look says what runs in a box that was kept, and what it has written since
// the call that started it. The error is the box's, as for [Run].
func Look(ctx context.Context, b KeptBox, env *Env) (Result, error) {
	left, err := b.Left(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("look into a kept box: %w", err)
	}
	hits := Hits(sandbox.Result{Hit: left.Hit}, env.Limits)
	first := "box " + b.ID()
	for _, hit := range hits {
		first += " · " + hit.Words
	}
	if len(left.Running) > 0 {
		first += " · running: " + processes(left.Running)
	} else {
		first += " · nothing runs in it any more"
	}
	n := env.numbers()
	output, dropped := left.Output, left.Dropped
	if most := n.Head + n.Tail; len(output) > most {
		dropped += int64(len(output) - most)
		output = output[len(output)-most:]
	}
	text := strings.TrimRight(boundLines(plain.Text(string(output)), n.Line), "\n")
	switch {
	case text == "":
		first += " · no output since its call"
	case dropped > 0:
		text = fmt.Sprintf("[%s before this]\n%s", size(dropped), text)
	}
	return Result{Text: strings.TrimRight(first+"\n"+text, "\n"), OK: true, Left: len(left.Running) > 0, Hits: hits}, nil
}
