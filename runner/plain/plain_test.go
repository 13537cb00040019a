package plain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/glovebox-run/glovebox/runner/plain"
)

// What a model writes reaches a person's terminal: it must stay one harmless line.
func TestLine(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		max            int
	}{
		{"plain", "hello", "hello", 80},
		{"blanks and breaks", "  a\r\n\tb\n\nc ", "a b c", 80},
		{"colour", "\x1b[31;1mred\x1b[0m", "red", 80},
		{"title", "\x1b]0;owned\x07x\x1b]8;;http://e\x1b\\y", "xy", 80},
		{"stray escape", "a\x1b", "a�", 80},
		{"escape without end", "\x1b[31\x01m", "�[31�m", 80},
		{"clear and bell", "\x1bca\x07b", "a�b", 80},
		{"C1", "a\u009b31mb", "a�31mb", 80},
		{"bidi", "a\u202eb\u200bc", "a�b�c", 80},
		{"invalid UTF-8", "a\xffb", "a�b", 80},
		{"exactly", "12345", "12345", 5},
		{"cut", "123456", "1234…", 5},
		{"cut at a blank", "1234 6", "1234…", 5},
		{"trailing blanks are no cut", "12345   \n", "12345", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plain.Line(c.in, c.max); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Output of a command keeps its lines and tabs and loses what moves a cursor.
func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"kept", "a\tb\nc é\n", "a\tb\nc é\n"},
		{"line ends", "a\r\nb\r\n", "a\nb\n"},
		{"colour", "\x1b[32mok\x1b[0m\n", "ok\n"},
		{"progress bar", "10%\r20%\n", "10%�20%\n"},
		{"zero and invalid", "a\x00b\xc3\n", "a�b�\n"},
		{"binary", "a\x00\xff\x01\xfeb", "a�b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plain.Text(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// No input whatever gets a control character through, breaks the bound or
// yields invalid UTF-8.
func TestLineNeverHarms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.SampledFrom([]byte("\x1b[]mP\\;0a\x07\x00\r\n \xff\xe2\x80\xae\x9b"))).Draw(t, "in")
		max := rapid.IntRange(1, 20).Draw(t, "max")
		line := plain.Line(string(in), max)
		if strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x202e }) {
			t.Fatalf("%q keeps a control character", line)
		}
		if utf8.RuneCountInString(line) > max || !utf8.ValidString(line) {
			t.Fatalf("%q is longer than %d or invalid", line, max)
		}
		if text := plain.Text(string(in)); strings.ContainsAny(text, "\x1b\x00\x07\r") || !utf8.ValidString(text) {
			t.Fatalf("%q keeps a control character", text)
		}
	})
}
