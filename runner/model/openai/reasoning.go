package openai

import (
	"encoding/json"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// reasoning collects reasoning_details: what a model thought, in pieces of
// which some are signed or encrypted. It goes back whole and in order with the
// message that it came with; services refuse what was changed.
type reasoning []*thought

// thought is one entry. Pieces of a text that a stream has cut are joined again.
type thought struct {
	kind   string
	index  string
	fields map[string]json.RawMessage
	text   map[string]*strings.Builder // of the fields that come in pieces
}

// inPieces are the fields that streams cut. Encrypted data comes whole.
func inPieces() []string { return []string{"text", "summary"} }

// add takes the entries of one delta; what is no list of objects is skipped.
func (r *reasoning) add(raw json.RawMessage) {
	if !wire.Present(raw) {
		return
	}
	var entries []map[string]json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return
	}
	for _, fields := range entries {
		if fields == nil {
			continue
		}
		next := &thought{kind: string(fields["type"]), index: string(fields["index"]), fields: fields, text: map[string]*strings.Builder{}}
		if n := len(*r); n > 0 && (*r)[n-1].continues(next) {
			(*r)[n-1].join(next)
			continue
		}
		next.open()
		*r = append(*r, next)
	}
}

// continues says that next is a further piece of t.
func (t *thought) continues(next *thought) bool {
	_, whole := next.fields["data"]
	id, nextID := t.fields["id"], next.fields["id"]
	sealed := wire.Present(t.fields["signature"]) && text(next.fields["text"]) != ""
	return !whole && !sealed && next.kind == t.kind && next.index == t.index &&
		(!wire.Present(id) || !wire.Present(nextID) || string(id) == string(nextID))
}

// open makes room for the pieces that follow.
func (t *thought) open() {
	for _, name := range inPieces() {
		if s := text(t.fields[name]); s != "" {
			t.piece(name, s)
		}
	}
}

func (t *thought) piece(name, s string) {
	if t.text[name] == nil {
		t.text[name] = &strings.Builder{}
	}
	t.text[name].WriteString(s)
}

// join adds a piece: texts are continued, and the rest is taken over where it
// was not there yet.
func (t *thought) join(next *thought) {
	for _, name := range inPieces() {
		if s := text(next.fields[name]); s != "" {
			t.piece(name, s)
		}
	}
	for name, value := range next.fields {
		if wire.Present(value) && !wire.Present(t.fields[name]) {
			t.fields[name] = value
		}
	}
}

// whole is the list as it goes back, nil if there is nothing.
func (r reasoning) whole() json.RawMessage {
	if len(r) == 0 {
		return nil
	}
	list := make([]map[string]json.RawMessage, 0, len(r))
	for _, t := range r {
		for name, b := range t.text {
			if raw, err := json.Marshal(b.String()); err == nil {
				t.fields[name] = raw
			}
		}
		list = append(list, t.fields)
	}
	raw, err := json.Marshal(list)
	if err != nil { // it was decoded from JSON
		return nil
	}
	return raw
}
