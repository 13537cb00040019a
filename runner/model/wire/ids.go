package wire

import (
	"fmt"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Marks in [model.Reply.Tolerated] of calls whose id was none.
const (
	MarkNoID   = "call without id"
	MarkSameID = "id of another call"
)

// IDs makes sure that each call of a reply has an id of its own: results are
// told apart by it, and services refuse a conversation with the same one twice.
type IDs struct {
	Earlier int // calls in the conversation before
	taken   map[string]bool
}

// Own is id, or a new one where there is none or another call has it, with the
// mark that says which.
func (i *IDs) Own(id string) (own, mark string) {
	if i.taken == nil {
		i.taken = map[string]bool{}
	}
	switch {
	case id == "":
		mark = MarkNoID
	case i.taken[id]:
		mark = MarkSameID
	}
	for n := i.Earlier + len(i.taken) + 1; mark != "" && (id == "" || i.taken[id]); n++ {
		id = fmt.Sprintf("call_%d", n)
	}
	i.taken[id] = true
	return id, mark
}

// CallsIn counts the calls of a conversation, for [IDs.Earlier].
func CallsIn(messages []model.Message) int {
	n := 0
	for _, m := range messages {
		n += len(m.Calls)
	}
	return n
}
