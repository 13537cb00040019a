package feature

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// List is a feature list in the order of its priority.
type List = []Feature

// File is the list's name in the workspace.
const File = "feature_list.json"

// Next is the first feature that neither passes nor is blocked.
func Next(list List) (Feature, bool) {
	for _, f := range list {
		if !f.Passes && !f.Blocked {
			return f, true
		}
	}
	return Feature{}, false
}

// Find is the feature with an id.
func Find(list List, id string) (Feature, bool) {
	for _, f := range list {
		if f.ID == id {
			return f, true
		}
	}
	return Feature{}, false
}

// Public is the text of [File] as the host writes it into the workspace, with
// passes and blocked as they are.
func Public(list List) []byte {
	if list == nil {
		list = List{}
	}
	data, err := marshal(list)
	if err != nil {
		panic(err) // strings and booleans always have a JSON form
	}
	return data
}

// Hash identifies what was agreed: the SHA-256, in hex, of the list without
// passes, blocked and revised, which change while it is built.
func Hash(list List) string {
	agreed := make(List, len(list))
	for i, f := range list {
		f.Passes, f.Blocked, f.Revised = false, false, false
		if len(f.Frozen) == 0 {
			f.Frozen = nil
		}
		agreed[i] = f
	}
	data, err := json.Marshal(agreed)
	if err != nil {
		panic(err) // strings and booleans always have a JSON form
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
