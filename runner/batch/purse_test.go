package batch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// purseOf makes a batch with ledgers of two jobs, and its purse.
func purseOf(t *testing.T, out, limit string) *Purse {
	t.Helper()
	root, err := Open(out, []Item{{Name: "a"}, {Name: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	p, err := OpenPurse(root, decimal.RequireFromString(limit), []string{filepath.Join(out, "a"), filepath.Join(out, "b")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func ledgerOf(t *testing.T, out, name string) *ledger.Ledger {
	t.Helper()
	dir := filepath.Join(out, name, ".glovebox")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	l, err := ledger.Open(root, "ledger.jsonl", ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func money(t *testing.T, l *ledger.Ledger, kind ledger.Kind, reserved, spent string) {
	t.Helper()
	m := ledger.Money{Reserved: decimal.RequireFromString(reserved), Spent: decimal.RequireFromString(spent)}
	if err := l.Append(ledger.Event{Kind: kind, Money: &m}); err != nil {
		t.Fatal(err)
	}
}

func left(t *testing.T, p *Purse) string {
	t.Helper()
	usd, shut, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	shut()
	return usd.String()
}

// What all jobs have spent and reserved counts, as their ledgers have it now.
func TestPurseIsTheLedgers(t *testing.T) {
	out := t.TempDir()
	p := purseOf(t, out, "10")
	if got := left(t, p); got != "10" {
		t.Errorf("before anything is begun %s are left", got)
	}
	a, b := ledgerOf(t, out, "a"), ledgerOf(t, out, "b")
	money(t, a, ledger.Request, "3", "0")
	money(t, b, ledger.Request, "2.5", "0")
	if got := left(t, p); got != "4.5" {
		t.Errorf("reserved: %s are left", got)
	}
	money(t, a, ledger.Reply, "0", "0.25")
	if got := left(t, p); got != "7.25" {
		t.Errorf("settled: %s are left", got)
	}
	money(t, a, ledger.Request, "1", "0")
	if got, again := left(t, p), left(t, p); got != "6.25" || again != got {
		t.Errorf("%s, then %s are left", got, again)
	}
}

// While one process looks and reserves, all others wait: two that ask at the
// same time can't both take what is there for one.
func TestPurseKeepsOthersOut(t *testing.T) {
	out := t.TempDir()
	p := purseOf(t, out, "1")
	_, shut, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(out, Dir, purseFile)
	try := func() string {
		text, _ := exec.Command("flock", "-n", file, "echo", "free").CombinedOutput() // it fails where it is held
		return strings.TrimSpace(string(text))
	}
	if try() == "free" {
		t.Error("another process may look while one reserves")
	}
	shut()
	if try() != "free" {
		t.Error("the purse stays shut")
	}
}

// A record that can't be read is no batch to build on.
func TestDamagedRecord(t *testing.T) {
	out := t.TempDir()
	if _, err := Read(out); err == nil || !strings.Contains(err.Error(), "no batch here") {
		t.Errorf("%v", err)
	}
	purseOf(t, out, "1")
	if err := os.WriteFile(filepath.Join(out, Dir, recordFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(out, []Item{{Name: "a"}}); err == nil || !strings.Contains(err.Error(), "the jobs are safe") {
		t.Errorf("%v", err)
	}
}

// What an earlier command had stays in the record.
func TestRecordGrows(t *testing.T) {
	out := t.TempDir()
	for _, list := range [][]Item{{{Name: "a"}, {Name: "b"}}, {{Name: "c"}, {Name: "a", Model: "new"}}} {
		root, err := Open(out, list)
		if err != nil {
			t.Fatal(err)
		}
		root.Close()
	}
	got, err := Read(out)
	if err != nil || len(got) != 3 || got[0].Name != "c" || got[1].Model != "new" || got[2].Name != "b" {
		t.Errorf("%+v, %v", got, err)
	}
}
