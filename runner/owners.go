package runner

import (
	"context"
	"os"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Owners says how many files and directories below dir belong to another user
// than dir itself, and names one. Boxes work as the owner of dir: they can't
// change the others', and while root's directory is lent to them those are too.
func Owners(ctx context.Context, dir string) (others int, example string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, "", err
	}
	defer root.Close()
	top := -1
	err = walkOwned(ctx, root, func(f found, owner sandbox.User) error {
		switch {
		case top < 0: // the directory itself comes first
			top = owner.UID
		case owner.UID != top:
			if others++; others == 1 {
				example = f.path
			}
		}
		return nil
	})
	return others, example, err
}
