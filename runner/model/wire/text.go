package wire

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// keyLike is what keys of the known providers look like, also when a server
// quotes one half hidden.
var keyLike = regexp.MustCompile(`\bsk-[A-Za-z0-9_*.-]{6,}`)

// shortestKey is a length below which a key is no secret, and removing it
// would only take letters out of words.
const shortestKey = 6

// Clean makes text of a server fit for people: without keys, on one line,
// without control characters, at most 500 bytes.
func Clean(s, key string) string {
	if len(key) >= shortestKey {
		s = strings.ReplaceAll(s, key, "[key]")
	}
	s = keyLike.ReplaceAllString(s, "[key]")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return First(strings.Join(strings.Fields(s), " "), 500)
}

// First is at most the first n bytes of s, on a whole character.
func First(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Present says that a field is there and not null.
func Present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// PerDay is a wait that is no limit per minute any more.
const PerDay = 10 * time.Minute

// LongestWait bounds how long a server can ask to wait.
const LongestWait = 48 * time.Hour

// RetryAfter reads the header of that name, in seconds or as a date; 0 if it is neither.
func RetryAfter(value string, now time.Time) time.Duration {
	if s, err := strconv.ParseFloat(value, 64); err == nil && s > 0 {
		return time.Duration(min(s, LongestWait.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), LongestWait)
	}
	return 0
}

// Object is arguments as a JSON object. What a model wrote that is none would
// poison the conversation: services answer 400 to it for ever after. So it is
// quoted in an object. Half a character does the same, which JSON can spell and
// UTF-8 can't: it is replaced. Everything else stays byte for byte as it came,
// for services cache what they know.
func Object(arguments string) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(arguments), &fields) == nil && fields != nil {
		if utf8.ValidString(arguments) && !halves(arguments) {
			return arguments
		}
		return wholeCharacters(arguments)
	}
	if arguments == "" {
		return "{}"
	}
	b, err := json.Marshal(map[string]string{"invalid": First(arguments, 200)})
	if err != nil {
		return "{}"
	}
	return string(b)
}

// escape is an escape of JSON: a pair of surrogates, which is one character, a
// surrogate by itself (the group), or the beginning of any other escape.
var escape = regexp.MustCompile(`(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)`)

// halves says that there is a surrogate without the other in JSON.
func halves(text string) bool {
	for _, m := range escape.FindAllStringSubmatchIndex(text, -1) {
		if m[2] >= 0 {
			return true
		}
	}
	return false
}

// wholeCharacters is a JSON object with U+FFFD in place of what is no
// character. Numbers stay as they are written.
func wholeCharacters(object string) string {
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(object))
	decoder.UseNumber()
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if decoder.Decode(&fields) != nil || encoder.Encode(fields) != nil {
		return "{}" // it was decoded before
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// FunctionName is a name that services let pass in a conversation: a model may
// have called something that no function can be named, or nothing.
func FunctionName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	if name == "" {
		return "unnamed"
	}
	return name[:min(len(name), 64)]
}
