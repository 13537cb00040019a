package main

import "testing"

// A diff hides nothing from whoever reads it on a terminal.
func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"+a\tb\n":        "+a\tb\n",
		"\x1b[31mred":    "<U+001B>[31mred",
		"a\u202eb\u200b": "a<U+202E>b<U+200B>",
		"a\xffb\ufffd":   "a<0xFF>b\ufffd",
		"line\r\n":       "line<U+000D>\n",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}
