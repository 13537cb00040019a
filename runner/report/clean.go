package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/plain"
)

// The longest texts in bytes. The ledger has bounded most of them already.
const (
	lineMax   = 300
	textMax   = 4 << 10 // of one call's result, of one reply
	argsMax   = 9 << 10 // of its arguments: a little more than the ledger has, for a part of JSON is none
	outputMax = 6 << 10 // of a verification
	specMax   = 64 << 10
)

// cleaner makes texts of others harmless.
type cleaner struct {
	redact func(string) string
}

// line is s as one line.
func (c cleaner) line(s string) string { return plain.Line(c.redacted(s), lineMax) }

// text is s with its lines, cut in its middle to about max bytes.
func (c cleaner) text(s string, max int) string { return visible(cutMiddle(c.redacted(s), max)) }

func (c cleaner) redacted(s string) string {
	if c.redact == nil {
		return s
	}
	return c.redact(s)
}

// visible replaces what can't be seen or changes the order of what is seen:
// control and format characters, bidi marks, invalid UTF-8.
func visible(s string) string {
	s = plain.Text(s)
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return utf8.RuneError
	}, s)
}

// cutMiddle leaves head and tail of s, and says how much lay between.
func cutMiddle(s string, max int) string {
	if len(s) <= max {
		return s
	}
	head, tail := s[:max/3], s[len(s)-max*2/3:]
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	head = strings.ToValidUTF8(head, "")
	return fmt.Sprintf("%s\n[… %d bytes left out …]\n%s", head, len(s)-len(head)-len(tail), tail)
}

func (c cleaner) lines(list []string, most int) []string {
	out := []string{}
	for i, s := range list {
		if i == most {
			return append(out, fmt.Sprintf("… and %d more", len(list)-most))
		}
		out = append(out, c.line(s))
	}
	return out
}

func (c cleaner) limits(list []ledger.LimitInfo) []string {
	var out []string
	for _, l := range list {
		out = append(out, c.line(l.Words))
	}
	return out
}
