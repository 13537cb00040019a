package runner

import (
	"fmt"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
)

func TestLoopDetector(t *testing.T) {
	t.Parallel()
	same := func(int) (tool.Name, string, string, bool) { return tool.Bash, "ls", "a", false }
	for name, c := range map[string]struct {
		next       func(i int) (tool.Name, string, string, bool)
		nudge, end int // at which call, from 1; 0 is never
	}{
		"same command": {same, 4, 8},
		"same read":    {func(int) (tool.Name, string, string, bool) { return tool.Read, "x", "y", false }, 3, 6},
		"only digits differ": {func(i int) (tool.Name, string, string, bool) {
			return tool.Bash, "t", fmt.Sprintf("took %d.%d s", i, i), false
		}, 4, 8},
		"polling":         {func(i int) (tool.Name, string, string, bool) { return tool.Bash, "t", strings.Repeat("x", i), false }, 0, 0},
		"progress":        {func(i int) (tool.Name, string, string, bool) { return tool.Bash, "t", "red", i%3 == 0 }, 0, 0},
		"a, b in turn":    {func(i int) (tool.Name, string, string, bool) { return tool.Bash, string(rune('a' + i%2)), "", false }, 6, 10},
		"a, b, c in turn": {func(i int) (tool.Name, string, string, bool) { return tool.Bash, string(rune('a' + i%3)), "", false }, 9, 15},
	} {
		l := loop{patience: 1}
		nudge, end := 0, 0
		for i := 1; i <= 30 && end == 0; i++ {
			switch state, _, _ := l.add(c.next(i)); state {
			case loopNudge:
				if nudge != 0 {
					t.Errorf("%s: nudged again at %d", name, i)
				}
				nudge = i
			case loopEnd:
				end = i
			}
		}
		if nudge != c.nudge || end != c.end {
			t.Errorf("%s: nudged at %d, ended at %d; want %d and %d", name, nudge, end, c.nudge, c.end)
		}
	}
}

// One flag multiplies every threshold; 0 finds no loop.
func TestLoopPatience(t *testing.T) {
	t.Parallel()
	for patience, want := range map[int][2]int{0: {0, 0}, 1: {4, 8}, 2: {8, 16}, 5: {20, 40}} {
		l := loop{patience: patience}
		got := [2]int{}
		for i := 1; i <= 100 && got[1] == 0; i++ {
			switch state, _, _ := l.add(tool.Bash, "ls", "a", false); state {
			case loopNudge:
				got[0] = i
			case loopEnd:
				got[1] = i
			}
		}
		if got != want {
			t.Errorf("patience %d: nudged and ended at %v, want %v", patience, got, want)
		}
	}
}

// Each streak has its own nudge, and its own count to the end.
func TestLoopStreaks(t *testing.T) {
	t.Parallel()
	l := loop{patience: 1}
	nudges := 0
	repeat := func(times int, args, result string) {
		for range times {
			switch state, _, _ := l.add(tool.Bash, args, result, false); state {
			case loopNudge:
				nudges++
			case loopEnd:
				t.Fatalf("ended after %d nudges", nudges)
			}
		}
	}
	for i := range 4 {
		repeat(7, "make", "red") // one less than the end
		repeat(1, "make", "red: "+strings.Repeat("x", i+1))
	}
	if nudges != 4 {
		t.Errorf("%d nudges for 4 streaks", nudges)
	}
	repeat(7, "make", "exit 1")
	if _, _, _ = l.add(tool.Write, "a", "wrote a", true); l.nudged || len(l.seen) != 0 || l.patience != 1 {
		t.Error("a change of the workspace does not begin anew")
	}
	repeat(7, "make", "exit 1")
}

func TestLoopEndsTheSession(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred boxes; make test runs it")
	}
	t.Parallel()
	nudged := false
	w := newWorld(t, func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		nudged = nudged || strings.Contains(lastSaid(r), "The same call gave the same result 4 times.")
		return says(bash("cat tests/hello.sh"))
	})
	w.ends(Incomplete)
	ended := 0
	for _, e := range w.events {
		if e.Kind == ledger.SessionEnd && e.Feature == "hello" && e.Ended.Ending == endLoop {
			ended++
		}
	}
	if !nudged || ended != codingAttempts+1 { // the last one is its second chance
		t.Errorf("nudged: %v; %d sessions ended as a loop\n%s", nudged, ended, w.history())
	}
}
