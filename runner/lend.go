package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// borrower is who a directory of root's is lent to for a run: boxes never run
// as uid 0. The number belongs to nobody on usual systems.
var borrower = sandbox.User{UID: 10001, GID: 10001}

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
		if owner.GID == 0 {
			owner.GID = owner.UID // root's group is more than a box may have
		}
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
func lend(ctx context.Context, root, state *os.Root) error {
	record, err := takeInventory(ctx, root)
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
	return walkOwned(ctx, root, func(f found, _ sandbox.User) error {
		// A file with a second name may be somebody's outside of the project.
		if stat := f.info.Sys().(*syscall.Stat_t); f.info.Mode().IsRegular() && stat.Nlink > 1 {
			return nil
		}
		return f.dir.Lchown(f.name, borrower.UID, borrower.GID)
	})
}

// takeInventory notes the owner of the directory and of every entry that has another one.
func takeInventory(ctx context.Context, root *os.Root) (loan, error) {
	info, err := root.Lstat(".")
	if err != nil {
		return loan{}, err
	}
	owner, err := ownerOf(info)
	if err != nil {
		return loan{}, err
	}
	record := loan{Owner: owner, Other: map[string]sandbox.User{}}
	err = walkOwned(ctx, root, func(f found, user sandbox.User) error {
		if user != owner {
			record.Other[f.path] = user
		}
		return nil
	})
	return record, err
}

// giveBack undoes lend; without a loan it does nothing. No box may run.
// Changing the owner clears set-user-id bits, so nothing a box left behind
// becomes a program with root's rights. It is not to be interrupted, and the
// loan is forgotten only when nothing is left of it.
func giveBack(root, state *os.Root) error {
	record, err := readLoan(state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := letOwnerIn(".", root.Lstat, root.Chmod); err != nil {
		return err
	}
	err = walkOwned(context.Background(), root, func(f found, user sandbox.User) error {
		if user != borrower {
			return nil
		}
		back, ok := record.Other[f.path]
		if !ok {
			back = record.Owner
		}
		return f.dir.Lchown(f.name, back.UID, back.GID)
	})
	var deep *tooDeep
	if errors.As(err, &deep) {
		return &Error{Outcome: FailedRun, Reason: "can't give all of the directory back to its owner", Err: err,
			Hint: fmt.Sprintf("remove that tree, or chown -R it; the rest belongs to user %d until the same command has run again", borrower.UID)}
	}
	if err != nil {
		return err
	}
	return state.Remove(lentFile)
}

// loanMax bounds the record of a loan: a hundred thousand entries of strangers.
const loanMax = 64 << 20

func readLoan(state *os.Root) (loan, error) {
	data, err := atomicfile.Read(state, lentFile, loanMax)
	if err != nil {
		return loan{}, err
	}
	var record loan
	if err := json.Unmarshal(data, &record); err != nil {
		return loan{}, fmt.Errorf("read %s/%s: %w", stateDir, lentFile, err)
	}
	return record, nil
}

// walkOwned calls visit for the directory and everything in it but the state.
func walkOwned(ctx context.Context, root *os.Root, visit func(f found, owner sandbox.User) error) error {
	owned := func(f found) error {
		owner, err := ownerOf(f.info)
		if err != nil {
			return err
		}
		if err := visit(f, owner); err != nil {
			return fmt.Errorf("change the owner of %q: %w", f.path, err)
		}
		return nil
	}
	info, err := root.Lstat(".")
	if err != nil {
		return err
	}
	if err := owned(found{root, ".", ".", info}); err != nil {
		return err
	}
	return walk(ctx, root, func(path string) bool { return path == stateDir }, owned)
}
