package feature_test

import (
	"testing"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// A predecessor's list is one without any verify; nothing else is taken for one.
func TestParseOld(t *testing.T) {
	old := `[{"category": "functional", "description": "Add  a task", "steps": ["s"], "passes": true}]`
	got, ok := feature.ParseOld([]byte(old))
	if !ok || len(got) != 1 || !got[0].Is(feature.Feature{Description: "Add a task"}) || got[0].Is(feature.Feature{Description: "Add a list"}) {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, text := range []string{"", "[]", "{}", "[1]", `[{"steps": []}]`, string(feature.Public(list())), `[{"description": "d", "verify": ""}]`} {
		if list, ok := feature.ParseOld([]byte(text)); ok {
			t.Errorf("%.40q is taken for %+v", text, list)
		}
	}
}
