package runner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

func ownerAt(t *testing.T, path string) sandbox.User {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return sandbox.User{UID: int(stat.Uid), GID: int(stat.Gid)}
}

// lendable makes a directory of root's with a file of somebody else's, a link to a
// file outside, and a second name of a file outside.
func lendable(t *testing.T) (dir, outside string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root lends a directory")
	}
	base := t.TempDir()
	dir, outside = filepath.Join(base, "project"), filepath.Join(base, "outside")
	for _, d := range []string{"", "sub", stateDir} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(outside, []byte("mine"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "sub/file"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "theirs"), nil, 0o644))
	must(t, os.Lchown(filepath.Join(dir, "theirs"), 1234, 1235))
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, os.Link(outside, filepath.Join(dir, "name")))
	return dir, outside
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openBoth(t *testing.T, dir string) (project, state *os.Root) {
	t.Helper()
	project, err := os.OpenRoot(dir)
	must(t, err)
	state, err = project.OpenRoot(stateDir)
	must(t, err)
	t.Cleanup(func() { project.Close(); state.Close() })
	return project, state
}

func TestLendAndGiveBack(t *testing.T) {
	dir, outside := lendable(t)
	project, state := openBoth(t, dir)
	must(t, lend(t.Context(), project, state))
	for _, name := range []string{"", "sub", "sub/file", "theirs", "link"} {
		if got := ownerAt(t, filepath.Join(dir, name)); got != borrower {
			t.Errorf("lent: %q belongs to %v", name, got)
		}
	}
	for _, path := range []string{outside, filepath.Join(dir, stateDir)} {
		if got := ownerAt(t, path); got.UID != 0 {
			t.Errorf("lent: %s belongs to %v", path, got)
		}
	}

	// What a box leaves behind: a new file, and a program with the set-user-id bit.
	made := filepath.Join(dir, "sub/made")
	must(t, os.WriteFile(made, nil, 0o755))
	must(t, os.Lchown(made, borrower.UID, borrower.GID))
	must(t, syscall.Chmod(made, 0o4755))

	must(t, giveBack(project, state))
	for name, want := range map[string]sandbox.User{"": {}, "sub": {}, "sub/file": {}, "sub/made": {}, "link": {},
		"theirs": {UID: 1234, GID: 1235}} {
		if got := ownerAt(t, filepath.Join(dir, name)); got != want {
			t.Errorf("given back: %q belongs to %v, want %v", name, got, want)
		}
	}
	if info, _ := os.Stat(made); info.Mode()&os.ModeSetuid != 0 {
		t.Error("a program of the box's is root's now, with the set-user-id bit")
	}
}

// A process that is killed in the middle leaves some entries lent; the next one
// finds the loan and ends with the owners of before.
func TestLendAfterCrash(t *testing.T) {
	dir, _ := lendable(t)
	project, state := openBoth(t, dir)
	must(t, lend(t.Context(), project, state))
	must(t, os.Lchown(filepath.Join(dir, "sub/file"), 0, 0)) // as if it had not come that far
	must(t, Recover(dir))
	must(t, giveBack(project, state))
	if got, want := ownerAt(t, filepath.Join(dir, "theirs")), (sandbox.User{UID: 1234, GID: 1235}); got != want {
		t.Errorf("given back: belongs to %v, want %v", got, want)
	}
	if got := ownerAt(t, dir); got.UID != 0 {
		t.Errorf("given back: the directory belongs to %v", got)
	}
}

func TestBoxUserIsNeverRoot(t *testing.T) {
	dir, _ := lendable(t)
	info, err := os.Lstat(dir)
	must(t, err)
	if user, lend, err := boxUser(info); err != nil || !lend || user != borrower {
		t.Errorf("for root's directory: %v, lend %v, %v", user, lend, err)
	}
	must(t, os.Lchown(dir, 1000, 1001))
	info, err = os.Lstat(dir)
	must(t, err)
	if user, lend, err := boxUser(info); err != nil || lend || user != (sandbox.User{UID: 1000, GID: 1001}) {
		t.Errorf("for a user's directory: %v, lend %v, %v", user, lend, err)
	}
	must(t, os.Lchown(dir, 1000, 0))
	info, err = os.Lstat(dir)
	must(t, err)
	if user, _, err := boxUser(info); err != nil || user != (sandbox.User{UID: 1000, GID: 1000}) {
		t.Errorf("for a user's directory of root's group: %v, %v", user, err)
	}
}

// A tree that a box made too deep to be followed is not forgotten: the loan
// stays, and the error names the place.
func TestGiveBackTooDeep(t *testing.T) {
	dir, _ := lendable(t)
	project, state := openBoth(t, dir)
	must(t, lend(t.Context(), project, state))
	top, err := project.OpenRoot("sub")
	must(t, err)
	at := top
	for range deepest + 10 {
		must(t, at.Mkdir("d", 0o755))
		must(t, at.Lchown("d", borrower.UID, borrower.GID))
		below, err := at.OpenRoot("d")
		must(t, err)
		at.Close()
		at = below
	}
	at.Close()
	var e *Error
	if err := giveBack(project, state); !errors.As(err, &e) || !strings.Contains(e.Hint, "chown -R") {
		t.Errorf("giveBack: %v", err)
	}
	if _, err := readLoan(state); err != nil {
		t.Errorf("the loan is gone: %v", err)
	}
	must(t, project.RemoveAll("sub/d"))
	must(t, giveBack(project, state))
	if got := ownerAt(t, dir); got.UID != 0 {
		t.Errorf("the directory belongs to %v", got)
	}
}

// Directories come back to their owner open.
func TestGiveBackOpens(t *testing.T) {
	dir, _ := lendable(t)
	project, state := openBoth(t, dir)
	must(t, lend(t.Context(), project, state))
	must(t, os.Chmod(dir, 0))
	must(t, giveBack(project, state))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("it is %v, %v", info.Mode(), err)
	}
}
