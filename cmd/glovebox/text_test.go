package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile is what a model or a box may say to take over a terminal or to hide
// something: colours, titles, a cleared screen, other directions, no width.
const hostile = "a\x1b[2J\x1b]0;pwned\x07b\r\n\tc\x9b31m\u202edrow\u202c\u200b\x00\xff\u2028end"

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"  two   words \n":   "two words",
		"a\nb\r\nc":          "a b c",
		"ünï 語 😀":            "ünï 語 😀",
		"\x1b[31mred\x1b[0m": "red",
		hostile:              "ab c\ufffd31m\ufffddrow\ufffd\ufffd\ufffd\ufffd end",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		got := plain(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("%q: got %q", s, got)
		}
		for _, columns := range []int{0, 1, 3, 10, 80} {
			if c := cut(got, columns); width(c) > columns {
				t.Errorf("%q cut to %d is %q", got, columns, c)
			}
			for _, line := range wrap(got, columns+2) {
				if width(line) > columns+2 {
					t.Errorf("%q wrapped to %d has %q", got, columns+2, line)
				}
			}
		}
	})
}

func TestCut(t *testing.T) {
	for _, x := range []struct {
		in      string
		columns int
		want    string
	}{
		{"short", 5, "short"}, {"longer", 5, "lo..."}, {"語語語", 5, "語..."}, {"語語語", 6, "語語語"},
		{"abc", 2, ".."}, {"abc", 0, ""}, {"ab cd", 6, "ab cd"}, {"ab cdefg", 6, "ab..."},
	} {
		if got := cut(x.in, x.columns); got != x.want {
			t.Errorf("%q to %d: got %q, want %q", x.in, x.columns, got, x.want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := wrap("one two three abcdefghijkl", 8)
	if want := []string{"one two", "three", "abcdefgh", "ijkl"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := wrap(" ", 8); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestLastLine(t *testing.T) {
	for in, want := range map[string]string{"": "", "one\n\n": "one", "one\n two\x07 \n \n": "two\ufffd"} {
		if got := lastLine(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
