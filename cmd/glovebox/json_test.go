package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Events are JSON for programs, but people look at them too: nothing in them
// may reach a terminal as it is, and none of it may get lost.
func TestPrintJSON(t *testing.T) {
	text := "a\x1b[2J\u009b31m\u202e\u2028\U000e0041 語 😀 end"
	for _, indented := range []bool{false, true} {
		var out bytes.Buffer
		a := newApp(strings.NewReader(""), &out, discard{}, nil)
		if err := a.printJSON(map[string]string{"text": text}, indented); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(out.String(), invisible) {
			t.Errorf("got %q", out.String())
		}
		var back map[string]string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["text"] != text {
			t.Errorf("got %q, %v", back["text"], err)
		}
	}
}
