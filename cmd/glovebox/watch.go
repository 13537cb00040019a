package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/glovebox-run/glovebox/runner"
)

// watchEvery is how often a watch looks again.
const watchEvery = 2 * time.Second

// watch shows where something stands, again and again, until nothing works on
// it: on a terminal redrawn in place, elsewhere what has changed, with its time.
func (a *app) watch(ctx context.Context, look func() (stand, error), asJSON bool) error {
	show := a.watchLines()
	f, live := isTerminal(a.rawOut)
	switch {
	case asJSON:
		show = a.watchJSON()
	case live && a.env("TERM") != "dumb" && a.env("TERM") != "":
		show = a.watchTerminal(f)
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := look()
		if err != nil {
			return err
		}
		if err := show(s); err != nil {
			return err
		}
		if err := a.stdout.Flush(); err != nil {
			return err
		}
		if !s.runs {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fail(runner.Interrupted, "what runs goes on; glovebox stop DIR ends it", "no longer watched")
		}
	}
}

// watchLines writes each line that was not there the last time.
func (a *app) watchLines() func(stand) error {
	var before []string
	return func(s stand) error {
		for i, line := range s.lines {
			if i >= len(before) || before[i] != line {
				a.print("%s  %s", now().Format(time.TimeOnly), strings.TrimSpace(line))
			}
		}
		before = s.lines
		return nil
	}
}

// watchJSON writes an object whenever something has changed.
func (a *app) watchJSON() func(stand) error {
	before := ""
	return func(s stand) error {
		if text := fmt.Sprint(s.lines, s.runs); text == before {
			return nil
		} else {
			before = text
		}
		return a.printJSON(s.json, false)
	}
}

// watchTerminal draws all of it in place of what was drawn before.
func (a *app) watchTerminal(f *os.File) func(stand) error {
	drawn := 0
	return func(s stand) error {
		lines := strings.Split(s.text, "\n")
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err == nil && rows > 2 && len(lines) >= rows && s.runs { // what has left the screen can't be drawn again
			lines = append(lines[:rows-2], fmt.Sprintf("... and %d more lines: glovebox status without --watch", len(lines)-rows+2))
		}
		var b strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&b, cursorUp+"\r"+clearBelow, drawn)
		}
		for _, line := range lines {
			b.WriteString(cut(line, max(columns-1, 20)) + "\n")
		}
		drawn = len(lines)
		_, err = a.stdout.Write([]byte(b.String()))
		return err
	}
}
