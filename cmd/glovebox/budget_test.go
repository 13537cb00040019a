package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// A job goes on with the cap that it has, not with the default; another one
// needs the flag, and is said.
func TestBudgetOfAJobThatWasBegun(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, stateDir)
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	usd := decimal.RequireFromString
	begun := order{budget: usd(defaultBudget)}
	begun.keepBudget(dir, projectKnown) // it was killed before its first event
	if got := begun.budgetText(); got != "5 USD in all" {
		t.Errorf("before anything: %s", got)
	}
	root, err := os.OpenRoot(state)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	l, err := ledger.Open(root, "ledger.jsonl", ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ledger.Event{Kind: ledger.JobStart, Job: &ledger.JobInfo{Budget: "2"}}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, c := range []struct {
		o    order
		want string
	}{
		{order{budget: usd(defaultBudget)}, "2 USD in all"},
		{order{budget: usd("5"), budgetGiven: true}, "5 USD in all (it was 2)"},
		{order{budget: usd("0"), budgetGiven: true}, "0 USD in all (it was 2)"},
		{order{budget: usd("2"), budgetGiven: true}, "2 USD in all"},
	} {
		c.o.keepBudget(dir, projectKnown)
		if got := c.o.budgetText(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
