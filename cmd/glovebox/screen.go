package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// What a terminal is told. They are used only where standard error is one.
const (
	wrapOff    = "\x1b[?7l" // a line that is too long is cut, not wrapped
	wrapOn     = "\x1b[?7h"
	clearRest  = "\x1b[K" // to the end of the line
	clearBelow = "\x1b[J" // to the end of the screen
	cursorUp   = "\x1b[%dA"
)

// roomForKeys is left free at the end of the live line for what a terminal
// echoes there: ^C.
const roomForKeys = 3

// colour of a word on the screen.
type colour string

const (
	noColour colour = ""
	green    colour = "32"
	red      colour = "31"
	yellow   colour = "33"
	dim      colour = "2"
)

// screen is standard error while something is under way: permanent lines, and
// on a terminal one live line below them that is rewritten in place. It is
// safe for concurrent use. Without a terminal nothing but lines is written.
type screen struct {
	mu     sync.Mutex
	w      io.Writer
	live   bool       // a terminal that can rewrite a line
	colour bool       // and show colours
	size   func() int // columns of the terminal, asked again for every line drawn

	line  string // what the live line should say
	drawn string // what it says, "" if there is none
	asked bool   // a question stands on the last line and waits for its answer
}

// paint colours a word, if the screen has colours.
func (s *screen) paint(c colour, word string) string {
	if !s.colour || c == noColour {
		return word
	}
	return "\x1b[" + string(c) + "m" + word + "\x1b[0m"
}

// columns is how wide the screen is.
func (s *screen) columns() int {
	if s.size != nil {
		return s.size()
	}
	return fileColumns
}

// Print writes a permanent line. The text must be plain, but for paint.
func (s *screen) Print(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked { // what comes now doesn't wait for an answer
		line = "\n" + line
		s.asked = false
	}
	s.write(line + "\n")
}

// Live sets the live line. Where there is none it does nothing.
func (s *screen) Live(line string) {
	if !s.live {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = line
	if !s.asked {
		s.write("")
	}
}

// Clear takes the live line away.
func (s *screen) Clear() { s.Live("") }

// write replaces the live line by permanent text and draws it again below, in
// one system call, so that nothing flickers.
func (s *screen) write(permanent string) {
	var b strings.Builder
	columns := 0
	if s.live {
		columns = s.size()
	}
	next := cut(s.line, columns-roomForKeys)
	if permanent == "" && next == s.drawn {
		return
	}
	if s.drawn != "" {
		// A terminal that became narrower has broken the line into several.
		if above := (width(s.drawn) - 1) / max(columns, 1); above > 0 {
			fmt.Fprintf(&b, cursorUp, above)
		}
		b.WriteString("\r")
		if permanent != "" || width(s.drawn) >= columns {
			b.WriteString(clearBelow)
		}
	}
	b.WriteString(permanent)
	if next != "" {
		b.WriteString(wrapOff + next + wrapOn)
	}
	if s.drawn != "" || next != "" {
		b.WriteString(clearRest)
	}
	s.drawn = next
	_, _ = io.WriteString(s.w, b.String()) // there is nobody else to tell
}

// lines is a writer that prints whole lines above the live line, for what
// others print: the log, the progress of an image. Each line is made plain.
func (s *screen) lines(indent string) io.Writer { return &lineWriter{s: s, indent: indent} }

// maxLine bounds a line that others print, in columns.
const maxLine = 2000

type lineWriter struct {
	s      *screen
	indent string
	mu     sync.Mutex
	part   []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part = append(w.part, p...)
	for {
		line, rest, whole := bytes.Cut(w.part, []byte("\n"))
		if !whole {
			if len(w.part) > 4*maxLine {
				w.part = w.part[:4*maxLine]
			}
			return len(p), nil
		}
		w.s.Print(w.indent + cut(plain(string(line)), maxLine))
		w.part = rest
	}
}

// Ask writes a question, after which the person's answer ends the line. Until
// Answered nothing is drawn over it.
func (s *screen) Ask(question string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = ""
	s.write(question)
	s.asked = true
}

// Answered says that the person's answer has ended the line.
func (s *screen) Answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = false
}
