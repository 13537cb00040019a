// Package plain makes text of models and boxes harmless for a terminal.
package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is s as one line of at most max runes that does nothing to a terminal
// but show characters: escape sequences are removed, line breaks and other
// blanks become one space, what is invisible or reorders text (control
// characters, bidi marks, invalid UTF-8) becomes "�". A longer line ends in "…".
func Line(s string, max int) string {
	var b strings.Builder
	n, blank := 0, false
	for len(s) > 0 {
		if skip := escape(s); skip > 0 {
			s = s[skip:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if unicode.IsSpace(r) {
			blank = n > 0
			continue
		}
		if blank {
			b.WriteByte(' ')
			n, blank = n+1, false
		}
		if n > max {
			break // clip needs to see one rune too many, no more
		}
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		n++
	}
	return clip(b.String(), max)
}

// clip cuts s to max runes and marks that it did.
func clip(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return string([]rune(s)[:max-1]) + "…"
}

// Text is s with its lines kept: escape sequences are removed, "\r\n" becomes
// "\n"; other control characters but tab and invalid UTF-8 become "�", one for
// a run of them, so that binary data does not swell.
func Text(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if clean(s) {
		return s
	}
	var b strings.Builder
	last := rune(0)
	for len(s) > 0 {
		if skip := escape(s); skip > 0 {
			s = s[skip:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			r = utf8.RuneError
		}
		if r != utf8.RuneError || last != utf8.RuneError {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// clean says that Text has nothing to do, which is the usual case.
func clean(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return false
		}
	}
	return true
}

// longestEscape bounds the search for the end of an escape sequence; what is
// longer is text that begins with a stray escape character.
const longestEscape = 256

// escape is the length of the terminal escape sequence that s begins with, 0
// if it begins with none (ECMA-48: CSI "ESC [ … final", OSC and its like
// "ESC ] … BEL or ESC \", and two-character ones).
func escape(s string) int {
	if len(s) < 2 || s[0] != 0x1b {
		return 0
	}
	end := min(len(s), longestEscape)
	switch s[1] {
	case '[':
		for i := 2; i < end; i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x7e {
				return 0
			}
		}
	case ']', 'P', 'X', '^', '_':
		for i := 2; i < end; i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == '\\' && s[i-1] == 0x1b {
				return i + 1
			}
		}
	default:
		if s[1] >= 0x20 && s[1] <= 0x7e {
			return 2
		}
	}
	return 0
}
