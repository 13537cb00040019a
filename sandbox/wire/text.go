package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable bounds s to n bytes and replaces what a terminal would act on:
// control characters, broken UTF-8 and the marks that turn the direction of
// writing. It is for text of a box that a person sees as a name, not as output.
func Printable(s string, n int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '\n' || r == '\t' || r == 0:
			r = ' '
		case !unicode.IsPrint(r):
			r = '\uFFFD'
		}
		if b.Len()+utf8.RuneLen(r) > n {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
