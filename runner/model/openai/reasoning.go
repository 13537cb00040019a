package openai

import (
	"encoding/json"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// reasoning collects what a model thought: reasoning_details, in pieces of
// which some are signed or encrypted, or a reasoning_content of plain text. It
// goes back whole and in order with the message that it came with; services
// refuse what was changed.
type reasoning struct {
	list  []*thought
	plain strings.Builder
}

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
		if n := len(r.list); n > 0 && r.list[n-1].continues(next) {
			r.list[n-1].join(next)
			continue
		}
		next.open()
		r.list = append(r.list, next)
	}
}

// addText adds a piece of plain text.
func (r *reasoning) addText(piece string) { r.plain.WriteString(piece) }

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

// whole is how it goes back: a list as reasoning_details, else a text as
// reasoning_content, else nil.
func (r *reasoning) whole() json.RawMessage {
	var back any
	switch {
	case len(r.list) > 0:
		back = r.details()
	case r.plain.Len() > 0:
		back = r.plain.String()
	default:
		return nil
	}
	raw, err := json.Marshal(back)
	if err != nil { // it was decoded from JSON
		return nil
	}
	return raw
}

func (r *reasoning) details() []map[string]json.RawMessage {
	list := make([]map[string]json.RawMessage, 0, len(r.list))
	for _, t := range r.list {
		for name, b := range t.text {
			if raw, err := json.Marshal(b.String()); err == nil {
				t.fields[name] = raw
			}
		}
		list = append(list, t.fields)
	}
	return list
}
