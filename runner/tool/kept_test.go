package tool

import (
	"context"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

// keptBox is a box in which this is left.
type keptBox sandbox.Left

func (keptBox) ID() string                                   { return "b0" }
func (k keptBox) Left(context.Context) (sandbox.Left, error) { return sandbox.Left(k), nil }

// A look into a kept box names the limits that what runs there has hit.
func TestLookNamesLimits(t *testing.T) {
	env := Env{Limits: sandbox.Limits{Memory: 256 << 20}}
	r, err := Look(context.Background(), keptBox{Hit: []sandbox.Limit{sandbox.LimitMemory}}, &env)
	if err != nil {
		t.Fatal(err)
	}
	want := "box b0 · memory limit 256 MB hit · nothing runs in it any more · no output since its call"
	if r.Text != want || len(r.Hits) != 1 || r.Left {
		t.Errorf("got %q, %v", r.Text, r.Hits)
	}
}
