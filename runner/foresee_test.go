package runner

import (
	"errors"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// What a process would be refused for can be known before it is begun.
func TestForesee(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	if err := Foresee(w.o.Dir, w.o.Spec, 0); err != nil {
		t.Errorf("nothing was begun: %v", err)
	}
	looked := false
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.SessionStart && !looked {
			looked = true
			if err := Foresee(w.o.Dir, w.o.Spec, 0); !errors.Is(err, ErrBusy) {
				t.Errorf("while it runs: %v", err)
			}
		}
	}
	w.done()
	if !looked {
		t.Error("no session began")
	}
	if err := Foresee(w.o.Dir, w.o.Spec, 0); err != nil {
		t.Errorf("the same again: %v", err)
	}
	for _, err := range []error{Foresee(w.o.Dir, Spec{Text: "another"}, 0), Foresee(w.o.Dir, w.o.Spec, 77)} {
		var e *Error
		if !errors.As(err, &e) || e.Outcome != Usage {
			t.Errorf("another job: %v", err)
		}
	}
}
