package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Without a terminal there are lines and nothing else.
func TestScreenWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	s := &screen{w: &out}
	s.Live("working")
	s.Print("one " + s.paint(green, "passed"))
	s.Clear()
	if got := out.String(); got != "one passed\n" {
		t.Errorf("got %q", got)
	}
}

// terminal is as much of a terminal as the screen uses: the lines on it.
type terminal struct {
	columns int
	rows    []string
	row     int
	column  int
	writes  int
}

func (t *terminal) Write(p []byte) (int, error) {
	t.writes++
	for s := string(p); s != ""; {
		n := t.obey(s)
		s = s[n:]
	}
	return len(p), nil
}

// obey takes one letter or one escape sequence and returns its length.
func (t *terminal) obey(s string) int {
	for len(t.rows) <= t.row {
		t.rows = append(t.rows, "")
	}
	for _, ignored := range []string{wrapOff, wrapOn} {
		if strings.HasPrefix(s, ignored) {
			return len(ignored)
		}
	}
	var up int
	switch {
	case strings.HasPrefix(s, clearRest):
		t.rows[t.row] = t.rows[t.row][:min(t.column, len(t.rows[t.row]))]
		return len(clearRest)
	case strings.HasPrefix(s, clearBelow):
		t.rows = append(t.rows[:t.row:t.row], t.rows[t.row][:min(t.column, len(t.rows[t.row]))])
		return len(clearBelow)
	case strings.HasPrefix(s, "\x1b["):
		if n, _ := fmt.Sscanf(s, "\x1b[%dA", &up); n == 1 {
			t.row -= up
			return strings.Index(s, "A") + 1
		}
		panic(fmt.Sprintf("unknown sequence in %q", s))
	case s[0] == '\r':
		t.column = 0
	case s[0] == '\n':
		t.row, t.column = t.row+1, 0
		if t.row == len(t.rows) {
			t.rows = append(t.rows, "")
		}
	default:
		line := t.rows[t.row] + strings.Repeat(" ", max(0, t.column-len(t.rows[t.row])))
		t.rows[t.row] = line[:t.column] + s[:1] + line[min(len(line), t.column+1):]
		t.column++
	}
	return 1
}

// narrow makes the terminal narrower; like most of them it breaks long lines anew.
func (t *terminal) narrow(columns int) {
	var rows []string
	for _, row := range t.rows {
		for len(row) > columns {
			rows, row = append(rows, row[:columns]), row[columns:]
		}
		rows = append(rows, row)
	}
	t.rows, t.columns, t.row = rows, columns, len(rows)-1
	t.column = len(rows[t.row])
}

func (t *terminal) text() string { return strings.TrimRight(strings.Join(t.rows, "\n"), "\n ") }

// On a terminal there is at most one live line, always the last one, in the
// terminal's width, and each change is one write: nothing flickers.
func TestScreenOnTerminal(t *testing.T) {
	term := &terminal{columns: 20}
	s := &screen{w: term, live: true, size: func() int { return term.columns }}
	s.Live("working")
	s.Print("first")
	s.Live("working on something long")
	if got, want := term.text(), "first\nworking on som..."; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	writes := term.writes
	s.Live("working on something longer")
	if term.writes != writes {
		t.Error("the same picture was drawn again")
	}
	s.Print("second")
	s.Live("x")
	if got, want := term.text(), "first\nsecond\nx"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Clear()
	s.Print("third")
	if got, want := term.text(), "first\nsecond\nthird"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if term.writes != 7 {
		t.Errorf("%d writes", term.writes)
	}
}

// A live line that a narrower terminal has broken into two leaves nothing behind.
func TestScreenOnTerminalThatBecomesNarrower(t *testing.T) {
	term := &terminal{columns: 40}
	s := &screen{w: term, live: true, size: func() int { return term.columns }}
	s.Print("first")
	s.Live("thirty letters are on this line")
	term.narrow(16)
	s.Live("short")
	if got, want := term.text(), "first\nshort"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Nothing is drawn over a question until it is answered.
func TestScreenAsks(t *testing.T) {
	term := &terminal{columns: 40}
	s := &screen{w: term, live: true, size: func() int { return term.columns }}
	s.Live("working")
	s.Ask("really? ")
	s.Live("still working")
	if got, want := term.text(), "really?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := term.Write([]byte("y\n")); err != nil { // as the terminal echoes it
		t.Fatal(err)
	}
	s.Answered()
	s.Live("working")
	if got, want := term.text(), "really? y\nworking"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What others print comes in pieces and may be hostile; only whole, plain lines appear.
func TestScreenLines(t *testing.T) {
	var out bytes.Buffer
	w := (&screen{w: &out}).lines("  ")
	for _, part := range []string{"build", "ing\x1b[2J\nd", "one\n", strings.Repeat("x", 1<<20)} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if got, want := out.String(), "  building\n  done\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
