package record

import (
	"encoding/json"
	"fmt"
	"strings"
)

// spreads says that a body holds a secret in pieces or in disguise: texts that
// belong together (the parts of a reply, of a call's arguments) become one only
// when the stream is put together, and any letter can be escaped in JSON; then a
// secret stands in it that stands in no piece. Such a body is not recorded at all.
func spreads(body string, redact func(string) string) bool {
	texts := map[string]*strings.Builder{}
	var document any
	if json.Unmarshal([]byte(body), &document) == nil {
		gather(texts, "", document)
	}
	for line := range strings.Lines(body) {
		data, ok := strings.CutPrefix(line, "data:")
		var event any
		if ok && json.Unmarshal([]byte(data), &event) == nil {
			gather(texts, "", event)
		}
	}
	for _, text := range texts {
		if whole := text.String(); redact(whole) != whole {
			return true
		}
	}
	return false
}

// gather appends every text of an event to what came in the same place before.
func gather(texts map[string]*strings.Builder, place string, value any) {
	switch v := value.(type) {
	case string:
		if texts[place] == nil {
			texts[place] = &strings.Builder{}
		}
		texts[place].WriteString(v)
	case []any:
		for i, each := range v {
			gather(texts, fmt.Sprintf("%s/%d", place, index(each, i)), each)
		}
	case map[string]any:
		for name, each := range v {
			gather(texts, place+"/"+name, each)
		}
	}
}

// index is where an element of a list belongs: its own "index", which is how
// the parts of several calls are told apart, or its position.
func index(element any, position int) int {
	object, ok := element.(map[string]any)
	if !ok {
		return position
	}
	if n, ok := object["index"].(float64); ok {
		return int(n)
	}
	return position
}
