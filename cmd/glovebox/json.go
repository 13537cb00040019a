package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// printJSON writes v to stdout: one line, or indented for an object that
// people look at too.
func (a *app) printJSON(v any, indented bool) error {
	var text []byte
	var err error
	if indented {
		text, err = json.MarshalIndent(v, "", "  ")
	} else {
		text, err = json.Marshal(v)
	}
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	if a.onGitHub() { // which would obey it; it stands in a string, and means the same
		text = bytes.ReplaceAll(text, []byte("##["), []byte(`##\u005b`))
	}
	_, err = a.stdout.Write([]byte(escapeInvisible(string(text)) + "\n"))
	return err
}

// escapeInvisible escapes in a JSON text what a terminal could obey and
// encoding/json leaves as it is: the control characters above ASCII, and what
// reorders or hides text. The text means the same: outside of strings JSON has
// no such characters.
func escapeInvisible(text string) string {
	if strings.IndexFunc(text, invisible) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !invisible(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func invisible(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
