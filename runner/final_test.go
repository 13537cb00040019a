package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// proofs are the proofs of everything so far.
func (w *world) proofs() (all []*ledger.ProofInfo) {
	for _, e := range w.events {
		if e.Kind == ledger.Proved {
			all = append(all, e.Proof)
		}
	}
	return all
}

// A job is done when all of it was seen green in a fresh clone of its last commit.
func TestDoneIsProvedInAClone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	s := w.done()
	all := w.proofs()
	if len(all) != 1 || !all[0].Clone || all[0].Commit != w.git("rev-parse", "HEAD") || all[0].Tree != w.git("rev-parse", "HEAD^{tree}") {
		t.Fatalf("proved: %+v", all)
	}
	if s.Proof == nil || !s.Proof.Passed() {
		t.Errorf("the status knows of %+v", s.Proof)
	}
	for _, dir := range []string{cloneDir, proofDir} {
		if _, err := os.Lstat(w.path(filepath.Join(stateDir, dir))); err == nil {
			t.Errorf("%s is left", dir)
		}
	}
}

// Without git there is nothing to clone: the proof is made in a copy, and says so.
func TestProofWithoutGitSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.o.Image = bareImage(t)
	w.done()
	if p := w.proofs(); len(p) != 1 || p[0].Clone || p[0].Why != "the image has no git" || !strings.Contains(p[0].Where(), "in a copy of the workspace (the image has no git)") {
		t.Errorf("proved: %+v", p)
	}
}

// looked is what Verify says of the world's job, with neither model nor spec.
func (w *world) looked() (*ledger.ProofInfo, error) {
	w.t.Helper()
	proof, err := Verify(context.Background(), Options{Dir: w.o.Dir, Engine: w.o.Engine, Image: w.o.Image, Limits: w.o.Limits, CacheDir: w.o.CacheDir})
	if live := w.engine.Live(); live != 0 {
		w.t.Errorf("%d boxes still run", live)
	}
	return proof, err
}

// snapshot is every file of the project but the ledger and the lock, with its content.
func (w *world) snapshot() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	must(w.t, filepath.WalkDir(w.o.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "/"+ledgerFile) || strings.HasSuffix(path, "/"+lockFile) {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	}))
	return all
}

// Verify proves a job again, changes nothing but the ledger, and finds what
// somebody has broken since, wherever it was committed.
func TestVerifyAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.done()
	before := w.snapshot()
	proof, err := w.looked()
	if err != nil || !proof.Passed() || !proof.Clone || proof.Dirty || len(proof.Features) != 2 {
		t.Fatalf("%+v, %v", proof, err)
	}
	after := w.snapshot()
	for path, content := range before {
		if after[path] != content {
			t.Errorf("%s was changed", path)
		}
	}
	if len(after) != len(before) {
		t.Errorf("there were %d files, now %d", len(before), len(after))
	}
	worked, _ := ReadStatus(w.o.Dir)

	must(t, os.WriteFile(w.path("bye.sh"), []byte("echo good night\n"), 0o644))
	if proof, err := w.looked(); err != nil || !proof.Dirty { // it is in no commit
		t.Errorf("a change in no commit: %+v, %v", proof, err)
	}
	w.git("-c", "user.name=x", "-c", "user.email=x", "commit", "-qam", "x")
	proof, err = w.looked()
	var e *Error
	if !errors.As(err, &e) || e.Outcome != Incomplete || e.Reason != "not proved: bye" || proof == nil || strings.Join(proof.Failed(), " ") != "bye" {
		t.Errorf("a broken feature: %+v, %v", proof, err)
	}
	events, err := ReadLedger(w.o.Dir)
	if last := events[len(events)-1]; err != nil || last.Kind != ledger.Proved && last.Kind != ledger.GivenBack {
		t.Errorf("the ledger ends with %+v, %v", last, err)
	}
	s, err := ReadStatus(w.o.Dir)
	if err != nil || s.Proof.Passed() || s.Passing() != 2 || s.Seconds != worked.Seconds || s.Outcome != Done {
		t.Errorf("the status: %+v, %v", s, err)
	}

	w.events = nil
	w.o.Model = actor(greeter)
	w.done() // and the job mends it
	if w.unpassed("bye").Commit != nil {
		t.Error("a session is blamed for what a person broke")
	}
}

// Graders that were changed since they were accepted prove nothing.
func TestVerifyWantsTheAcceptedGraders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	w.done()
	must(t, os.WriteFile(w.path("tests/bye.sh"), []byte("true\n"), 0o644))
	w.git("-c", "user.name=x", "-c", "user.email=x", "commit", "-qam", "x")
	proof, err := w.looked()
	var e *Error
	if !errors.As(err, &e) || e.Outcome != Incomplete || !strings.Contains(proof.Reason, "tests/bye.sh") || len(proof.Failed()) != 2 {
		t.Errorf("%+v, %v", proof, err)
	}
}

// Where there is no job nothing is made, and while one runs it is left alone.
func TestVerifyNeedsAJobOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greeter)
	_, err := w.looked()
	var e *Error
	if !errors.As(err, &e) || e.Outcome != Usage || !strings.Contains(e.Reason, "no job was begun") {
		t.Errorf("without a job: %v", err)
	}
	if entries, _ := os.ReadDir(w.o.Dir); len(entries) != 0 {
		t.Errorf("it made %v", entries)
	}
	tried := false
	w.on = func(ev ledger.Event) {
		if ev.Kind != ledger.SessionStart || tried {
			return
		}
		tried = true
		_, err := Verify(context.Background(), Options{Dir: w.o.Dir, Engine: w.o.Engine, Image: w.o.Image, Limits: w.o.Limits})
		if !errors.As(err, &e) || e.Outcome != FailedRun || !strings.Contains(e.Reason, "another process") {
			t.Errorf("while it runs: %v", err)
		}
	}
	w.done()
	if !tried {
		t.Error("no session began")
	}
}

// A commit is what its hash says, whatever git prints of it.
func TestCommitIsWhatItsHashSays(t *testing.T) {
	t.Parallel()
	text := []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n")
	hash := gitHash("commit", text)
	id := strings.ToLower(hexOf(hash[:]))
	if tree, err := treeOf(id, text); err != nil || tree != "4b825dc642cb6eb9a060e54bf8d69288fbee4904" {
		t.Errorf("%s, %v", tree, err)
	}
	for _, other := range [][]byte{append([]byte("tree 0000000000000000000000000000000000000000\n"), text...), nil, []byte("x")} {
		if _, err := treeOf(id, other); err == nil {
			t.Errorf("%q was taken for the commit", other)
		}
	}
}
