package runner

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// What a kill leaves of proofs goes; the job's truth, and files that a link in
// there points to, stay.
func TestTidy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	busy := false
	w.on = func(e ledger.Event) {
		if e.Kind == ledger.SessionStart && !busy {
			_, err := Tidy(w.o.Dir)
			busy = errors.Is(err, ErrBusy)
		}
	}
	w.done()
	if !busy {
		t.Error("a running job was tidied")
	}
	state, outside := filepath.Join(w.o.Dir, stateDir), filepath.Join(t.TempDir(), "mine")
	for _, err := range []error{os.MkdirAll(state+"/proof/a/b", 0o755), os.MkdirAll(state+"/proof-ABC", 0o755), os.WriteFile(state+"/proof/a/b/f", nil, 0o600),
		os.WriteFile(outside, nil, 0o600), os.Symlink(outside, state+"/proof/link"), os.Chmod(state+"/proof/a", 0)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	removed, err := Tidy(w.o.Dir)
	if want := []string{"proof", "proof-ABC"}; err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %v, %v", removed, err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(state + "/proof"); err == nil {
		t.Error("it is still there")
	}
	w.done() // the same job, done already
	if removed, err := Tidy(w.o.Dir); err != nil || len(removed) > 0 {
		t.Errorf("once more: %v, %v", removed, err)
	}
	if _, err := Tidy(t.TempDir()); err == nil {
		t.Error("tidied where no job is")
	}
}
