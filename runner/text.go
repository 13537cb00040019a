package runner

import (
	"strings"
	"unicode/utf8"
)

// clip bounds a text to n bytes on a character's boundary.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	cut := n
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// clipEnds bounds a text to about n bytes, a third from its head and the rest
// from its tail: what matters of a test run stands at its end.
func clipEnds(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	head, tail := s[:n/3], s[len(s)-2*n/3:]
	return strings.ToValidUTF8(head, "") + "\n[…]\n" + strings.ToValidUTF8(tail, "")
}

// lastLine is the last line of a text that says anything.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// clip and clipEnds of a job bound what goes to the ledger. Keys are removed
// first: half a key at the edge of a cut text would not be recognised.
func (j *job) clip(s string, n int) string { return clip(j.redact(s), n) }

func (j *job) clipEnds(s string, n int) string { return clipEnds(j.redact(s), n) }

func (j *job) redact(s string) string {
	if j.o.Redact == nil {
		return s
	}
	return j.o.Redact(s)
}
