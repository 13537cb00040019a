package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// A proof is a table, then what red commands printed, harmless and bounded.
func TestShowProof(t *testing.T) {
	var out bytes.Buffer
	a := newApp(strings.NewReader(""), &out, io.Discard, nil)
	a.showProof(&ledger.ProofInfo{Commit: "0123456789abcdef", Clone: true, Dirty: true,
		Features: []ledger.ProofResult{
			{ID: "add", Passed: true, Took: 120 * time.Millisecond},
			{ID: "list-all", How: "exited 1", Took: 2 * time.Second, Output: strings.Repeat("line\n", 30) + hostile},
			{ID: "done", Flaky: true, How: "is flaky"},
		},
		Acceptance: &ledger.ProofResult{ID: "acceptance test", Passed: true}})
	if err := a.stdout.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `feature          result         time
add              proved         0.12 s
list-all         red: exited 1  2.00 s
done             flaky          0.00 s
acceptance test  proved         0.00 s

list-all:
` + strings.Repeat("  line\n", 8) + "  ab\n  c\ufffd31m\ufffddrow\ufffd\ufffd\ufffd\ufffd end\n" + `
1 of 3 features proved in a fresh clone of commit 0123456789, the acceptance test passes; the workspace has changes that are in no commit, and so in no proof
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
