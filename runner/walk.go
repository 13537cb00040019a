package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/glovebox-run/glovebox/sandbox"
)

// deepest is how many directories below another the host follows; each level
// costs it two open files. A tree that is deeper is an attack on the walk.
const deepest = 1000

// namesAtOnce bounds what the host holds of a directory that a box filled.
const namesAtOnce = 1024

// found is an entry of a walk: name in the open directory dir, path from the top.
type found struct {
	dir  *os.Root
	name string
	path string
	info fs.FileInfo
}

// tooDeep says that a walk stopped because the tree is too deep.
type tooDeep struct{ path string }

func (e *tooDeep) Error() string {
	return fmt.Sprintf("%.80q… lies more than %d directories deep", e.path, deepest)
}

// walk visits everything below root, parents before their entries, and follows
// no link. skip says which directories to leave out; nil is none. No box may run.
func walk(ctx context.Context, root *os.Root, skip func(path string) bool, visit func(found) error) error {
	return walkDir(ctx, root, "", 0, skip, visit)
}

func walkDir(ctx context.Context, dir *os.Root, prefix string, depth int, skip func(string) bool, visit func(found) error) error {
	names, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer names.Close()
	for {
		some, err := names.Readdirnames(namesAtOnce)
		for _, name := range some {
			if err := walkEntry(ctx, dir, path.Join(prefix, name), name, depth, skip, visit); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func walkEntry(ctx context.Context, dir *os.Root, at, name string, depth int, skip func(string) bool, visit func(found) error) error {
	if skip != nil && skip(at) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	if err := visit(found{dir, name, at, info}); err != nil {
		return err
	}
	if !info.IsDir() {
		return nil
	}
	if depth >= deepest {
		return &tooDeep{at}
	}
	below, err := sandbox.Descend(dir, name)
	if err != nil {
		return err
	}
	defer below.Close()
	return walkDir(ctx, below, at, depth+1, skip, visit)
}
