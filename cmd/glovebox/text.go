package main

import (
	"strings"
	"time"
	"unicode"

	safe "github.com/glovebox-run/glovebox/runner/plain"
)

// maxText bounds a text before it is laid out, in runes.
const maxText = 8000

// plain makes one harmless line of a text that a model, a box or a provider wrote.
func plain(s string) string { return safe.Line(s, maxText) }

// lastLine is the last line of s that is not blank, made plain.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return plain(lines[len(lines)-1])
}

// cut shortens a plain text to a width in columns; a cut is marked by "...".
func cut(s string, columns int) string {
	if columns <= 0 {
		return ""
	}
	if width(s) <= columns {
		return s
	}
	const mark = "..."
	if columns <= len(mark) {
		return mark[:columns]
	}
	room := columns - len(mark)
	for i, r := range s {
		if room -= runeWidth(r); room < 0 {
			return strings.TrimRight(s[:i], " ") + mark
		}
	}
	return s
}

// pad fills a plain text with blanks up to a width in columns.
func pad(s string, columns int) string {
	if n := columns - width(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// width is how many columns of a terminal a plain text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is 0 for marks that sit on the letter before, 2 for the wide
// letters of East Asia and emoji (Unicode's annex 11, in coarse ranges: too
// wide a guess only cuts a line a little earlier), else 1.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f,
		r >= 0x2e80 && r <= 0xa4cf,
		r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f,
		r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1faff,
		r >= 0x20000 && r <= 0x3fffd:
		return 2
	default:
		return 1
	}
}

// wrap breaks a plain text into lines of at most the given width, at blanks
// where there are any.
func wrap(s string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		for width(word) > columns { // a word that fits no line
			head := cutHard(word, columns)
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, head), word[len(head):]
		}
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= columns:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// cutHard is the longest beginning of s that is at most columns wide, at least one letter.
func cutHard(s string, columns int) string {
	for i, r := range s {
		if columns -= runeWidth(r); columns < 0 && i > 0 {
			return s[:i]
		}
	}
	return s
}

// shortDuration is a limit without the zeros of time.Duration: 2m, not 2m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
