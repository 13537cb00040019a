package wire

import (
	"slices"
	"testing"
)

// Ids that are made up are nobody's, not even those of a later call.
func TestIDs(t *testing.T) {
	ids := IDs{Earlier: 2}
	var got []string
	for _, id := range []string{"a", "", "call_5", "a", "call_5", ""} {
		own, mark := ids.Own(id)
		got = append(got, own+" "+mark)
	}
	want := []string{"a ", "call_4 " + MarkNoID, "call_5 ", "call_6 " + MarkSameID, "call_7 " + MarkSameID, "call_8 " + MarkNoID}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
