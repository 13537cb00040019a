package feature

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a list that a model writes. They are generous for honest lists and
// keep a prompt that shows the list from growing without end.
const (
	maxFile        = 1 << 20 // bytes
	maxFeatures    = 100
	maxID          = 40
	maxDescription = 500
	maxSteps       = 20
	maxStep        = 1000
	maxVerify      = 2 << 10
	maxFrozen      = 20
	maxPath        = 200
	maxProblems    = 30 // told at once; more would only bury the first ones
)

// Problem is one fault of a list that a model wrote.
type Problem struct {
	Entry string // "entry 2 (add)", or "" for the whole file
	Field string // "verify", or "" for the whole entry
	Text  string // what is wrong and what to do
}

// String is the problem as one line for the model.
func (p Problem) String() string {
	var b strings.Builder
	for _, part := range []string{p.Entry, p.Field} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	return b.String() + p.Text
}

// AnyNumber lets a list have as many features as it likes, from 1 to 100.
const AnyNumber = 0

// Parse reads a [File] that a model wrote. want is how many features it must
// have, or [AnyNumber]. All faults are found at once; without problems the list is good. What
// the model says about passes and blocked is ignored.
func Parse(data []byte, want int) (List, []Problem) {
	return parse(data, want, checker{})
}

// ParseStrict reads a list that a person wrote. In it a field that is not
// known is a fault, too: ignored, a misspelt "frozen" would be lost without a
// word. A model's more fields cost no turn.
func ParseStrict(data []byte) (List, []Problem) {
	return parse(data, AnyNumber, checker{strict: true})
}

func parse(data []byte, want int, c checker) (List, []Problem) {
	entries, err := split(data)
	if err != nil {
		return nil, []Problem{{Text: err.Error()}}
	}
	switch {
	case want == AnyNumber && (len(entries) < 1 || len(entries) > maxFeatures):
		c.add("", "", fmt.Sprintf("the list has %d features; it may have 1 to %d", len(entries), maxFeatures))
	case want != AnyNumber && len(entries) != want:
		c.add("", "", fmt.Sprintf("the list has %d features; it must have exactly %d", len(entries), want))
	}
	var list List
	seen := map[string]int{}
	for i, raw := range entries {
		f := c.entry(i, raw, seen)
		list = append(list, f)
	}
	if len(c.problems) > 0 {
		return nil, c.told()
	}
	return list, nil
}

// split finds the entries: the file is an array, or an object that holds one as "features".
func split(data []byte) ([]json.RawMessage, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors and models begin with a byte order mark
	switch {
	case len(data) > maxFile:
		return nil, fmt.Errorf("%s has %d bytes; %d are the limit", File, len(data), maxFile)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, errors.New(File + " is empty; write a JSON array of features")
	case !utf8.Valid(data):
		return nil, errors.New(File + " is not valid UTF-8; write it again")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, fmt.Errorf("%s is not valid JSON (%s); write it again", File, where(data, err))
	}
	var entries []json.RawMessage
	if json.Unmarshal(data, &entries) == nil && entries != nil {
		return entries, nil
	}
	var object struct {
		Features []json.RawMessage `json:"features"`
	}
	if json.Unmarshal(data, &object) == nil && object.Features != nil {
		return object.Features, nil
	}
	return nil, errors.New(File + " must be a JSON array of features")
}

// where says in which line the JSON is wrong.
func where(data []byte, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset := min(max(int(syntax.Offset)-1, 0), len(data))
		return fmt.Sprintf("line %d: %s", 1+bytes.Count(data[:offset], []byte("\n")), syntax)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return err.Error()
}

// draft is an entry as a model writes it. Pointers tell missing from empty.
type draft struct {
	ID          *string   `json:"id"`
	Category    *string   `json:"category"`
	Description *string   `json:"description"`
	Steps       *[]string `json:"steps"`
	Verify      *string   `json:"verify"`
	Frozen      []string  `json:"frozen"`
}

// known are the fields of an entry; the last three are the host's to write.
var known = []string{"id", "category", "description", "steps", "verify", "frozen", "passes", "blocked", "revised"}

// fields tells of those that are not known.
func (c *checker) fields(entry string, raw json.RawMessage) {
	var fields map[string]json.RawMessage
	if !c.strict || json.Unmarshal(raw, &fields) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			c.add(entry, fmt.Sprintf("%.40q", name), "is no field of a feature; there are "+strings.Join(known, ", "))
		}
	}
}

// decode reads one entry.
func (c *checker) decode(entry string, raw json.RawMessage) (draft, bool) {
	c.fields(entry, raw)
	var d draft
	err := json.Unmarshal(raw, &d)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		c.add(entry, wrong.Field, fmt.Sprintf("must be %s, not %s", typeName(wrong.Field), article(wrong.Value)))
		return d, false
	case err != nil:
		c.add(entry, "", "must be a JSON object with id, category, description, steps, verify and frozen")
		return d, false
	}
	return d, true
}

func typeName(field string) string {
	if field == "steps" || field == "frozen" {
		return "a list of strings"
	}
	return "a string"
}

func article(value string) string {
	if value == "array" || value == "object" {
		return "an " + value
	}
	return "a " + value
}
