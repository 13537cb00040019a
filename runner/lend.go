package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// borrower is who a directory of root's is lent to for a run: boxes never run
// as uid 0. The number belongs to nobody on usual systems.
var borrower = sandbox.User{UID: 10001, GID: 10001}

// deepest is how far below the project directory owners are changed: a tree
// that a box made deeper than this is an attack on the walk, not a project.
const deepest = 256

const lentFile = "lent.json"

// loan is what must be known to give a directory back. It is on disk before
// the first owner changes, so a crash in the middle loses nothing.
type loan struct {
	Owner sandbox.User            `json:"owner"`           // of the directory, and of everything made while it was lent
	Other map[string]sandbox.User `json:"other,omitempty"` // entries that belonged to somebody else
}

// boxUser decides who boxes run as: the owner of the directory, or the
// borrower if that is root.
func boxUser(dir fs.FileInfo) (user sandbox.User, lend bool, err error) {
	owner, err := ownerOf(dir)
	if err != nil {
		return sandbox.User{}, false, err
	}
	if owner.UID != 0 {
		return owner, false, nil
	}
	return borrower, true, nil
}

func ownerOf(info fs.FileInfo) (sandbox.User, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return sandbox.User{}, errors.New("this system does not tell who owns a file")
	}
	return sandbox.User{UID: int(stat.Uid), GID: int(stat.Gid)}, nil
}

// lend gives everything in the project directory to the borrower. No box may run.
func lend(root, state *os.Root) error {
	if err := giveBack(root, state); err != nil {
		return err
	}
	record, err := takeInventory(root)
	if err != nil {
		return err
	}
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(state, lentFile, data, 0o600); err != nil {
		return err
	}
	return walkOwned(root, func(name string, info fs.FileInfo, _ sandbox.User) error {
		// A file with a second name may be somebody's outside of the project.
		if stat := info.Sys().(*syscall.Stat_t); info.Mode().IsRegular() && stat.Nlink > 1 {
			return nil
		}
		return root.Lchown(name, borrower.UID, borrower.GID)
	})
}

// takeInventory notes the owner of the directory and of every entry that has another one.
func takeInventory(root *os.Root) (loan, error) {
	info, err := root.Lstat(".")
	if err != nil {
		return loan{}, err
	}
	owner, err := ownerOf(info)
	if err != nil {
		return loan{}, err
	}
	record := loan{Owner: owner, Other: map[string]sandbox.User{}}
	err = walkOwned(root, func(name string, _ fs.FileInfo, user sandbox.User) error {
		if user != owner {
			record.Other[name] = user
		}
		return nil
	})
	return record, err
}

// giveBack undoes lend; without a loan it does nothing. No box may run.
// Changing the owner clears set-user-id bits, so nothing a box left behind
// becomes a program with root's rights.
func giveBack(root, state *os.Root) error {
	record, err := readLoan(state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = walkOwned(root, func(name string, _ fs.FileInfo, user sandbox.User) error {
		if user != borrower {
			return nil
		}
		back, ok := record.Other[name]
		if !ok {
			back = record.Owner
		}
		return root.Lchown(name, back.UID, back.GID)
	})
	if err != nil {
		return err
	}
	return state.Remove(lentFile)
}

func readLoan(state *os.Root) (loan, error) {
	data, err := state.ReadFile(lentFile)
	if err != nil {
		return loan{}, err
	}
	var record loan
	if err := json.Unmarshal(data, &record); err != nil {
		return loan{}, fmt.Errorf("read %s/%s: %w", stateDir, lentFile, err)
	}
	return record, nil
}

// walkOwned calls visit for the directory and everything in it but the state,
// following no link, parents before their entries.
func walkOwned(root *os.Root, visit func(name string, info fs.FileInfo, owner sandbox.User) error) error {
	return walk(root, ".", 0, func(name string, info fs.FileInfo) error {
		owner, err := ownerOf(info)
		if err != nil {
			return err
		}
		if err := visit(name, info, owner); err != nil {
			return fmt.Errorf("change the owner of %q: %w", name, err)
		}
		return nil
	})
}

func walk(root *os.Root, name string, depth int, visit func(name string, info fs.FileInfo) error) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if err := visit(name, info); err != nil {
		return err
	}
	if !info.IsDir() || depth >= deepest {
		return nil
	}
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return err
	}
	for _, entry := range names {
		if name == "." && entry == stateDir {
			continue
		}
		if err := walk(root, path.Join(name, entry), depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}
