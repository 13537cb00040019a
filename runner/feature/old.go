package feature

import (
	"encoding/json"
	"strings"
)

// Old is an entry of a predecessor's list: it has no command that proves it.
type Old struct {
	Description string   `json:"description"`
	Steps       []string `json:"steps"`
}

// ParseOld reads a predecessor's list. ok is false for anything else, and as
// soon as one entry has a verify.
func ParseOld(data []byte) (list []Old, ok bool) {
	entries, err := split(data)
	if err != nil || len(entries) == 0 {
		return nil, false
	}
	for _, raw := range entries {
		var e struct {
			Old
			Verify *json.RawMessage `json:"verify"`
		}
		if json.Unmarshal(raw, &e) != nil || e.Verify != nil || strings.TrimSpace(e.Description) == "" {
			return nil, false
		}
		list = append(list, e.Old)
	}
	return list, true
}

// oldCompared is how much of a description is compared: the predecessor's had no limit.
const oldCompared = 400

// Is says that f is this entry, with what was added to it.
func (o Old) Is(f Feature) bool { return head(o.Description) == head(f.Description) }

func head(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), oldCompared)]
}
