package wire_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// What goes back to a service is an object of whole characters, and the very
// bytes that the model wrote where they are one: caches of prompts depend on it.
func TestObject(t *testing.T) {
	for in, want := range map[string]string{
		`{"a" : "\ud83d\uDE00 <\u00e9>", "n":1.0}`:     `{"a" : "\ud83d\uDE00 <\u00e9>", "n":1.0}`,
		`{"a":"\\ud800", "b":"\\\\ud800\n"}`:           `{"a":"\\ud800", "b":"\\\\ud800\n"}`,
		`{"a":"<\ud800>","n":12345678901234567890.10}`: `{"a":"<�>","n":12345678901234567890.10}`,
		`{"a":"\uDC00\uD800"}`:                         `{"a":"��"}`,
		`{"a":"\ud800\ud83d\ude00"}`:                   `{"a":"�😀"}`,
		`{"a":"\ud83d\u0041"}`:                         `{"a":"�A"}`,
		`{"a":"\\\ud800"}`:                             `{"a":"\\�"}`,
		`{"\udfff":{"b":["\udfff"]}}`:                  `{"�":{"b":["�"]}}`,
		"{\"a\":\"\xff\"}":                             `{"a":"�"}`,
		`{"a":`:                                        `{"invalid":"{\"a\":"}`,
		`[1]`:                                          `{"invalid":"[1]"}`,
		``:                                             `{}`,
	} {
		got := wire.Object(in)
		if got != want || !json.Valid([]byte(got)) || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
