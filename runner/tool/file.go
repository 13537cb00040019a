package tool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/plain"
	"github.com/glovebox-run/glovebox/sandbox"
)

// maxText is the largest file in bytes that read and edit look at.
const maxText = 4 << 20

// refused says that an error is about a path, which the model is told, and not
// about the box. A guard: what is not known to be about a path is the box's.
func refused(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && !errors.Is(err, sandbox.ErrBoxLost)
}

// pathFault says what is wrong with a path, for the model. what is "read" or "written".
func pathFault(shown, what string, err error) string {
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return shown + " isn't there."
	case errors.Is(err, sandbox.ErrIsDir):
		return fmt.Sprintf("%s is a folder. Nothing was %s.", shown, what)
	case errors.Is(err, sandbox.ErrNotDir):
		return fmt.Sprintf("A part of the path %s is a file, not a folder. Nothing was %s.", shown, what)
	case errors.Is(err, sandbox.ErrNotRegular):
		return fmt.Sprintf("%s is a pipe, socket or device. Nothing was %s.", shown, what)
	case errors.Is(err, sandbox.ErrTooLarge):
		return fmt.Sprintf("%s is larger than %s: use bash (sed, head, grep). Nothing was %s.", shown, size(maxText), what)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s can't be %s: permission denied. Only /workspace, $HOME and /tmp are writable.", shown, what)
	case errors.As(err, &p):
		return fmt.Sprintf("%s can't be %s: %s.", shown, what, plain.Line(p.Err.Error(), 200))
	default:
		return fmt.Sprintf("%s can't be %s.", shown, what)
	}
}

// missing is the result for a file that isn't there: with the reason if it is
// /tmp's, else with what lies beside the place, so that the next call can be right.
func missing(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	shown := show(u.Path)
	if inTmp(u.Path) && env.Scope != sandbox.ScopeSession {
		return Result{Text: prompts.Message("E7", map[string]any{"Path": shown})}, nil
	}
	text := shown + " isn't there."
	dir := path.Dir(locate(u.Path))
	entries, more, err := b.List(ctx, dir, 1, 20)
	if err != nil && !refused(err) {
		return Result{}, fmt.Errorf("list %s: %w", dir, err)
	}
	if err == nil && len(entries) > 0 {
		names := entryNames(entries)
		if more {
			names = append(names, "…")
		}
		text += fmt.Sprintf(" In %s: %s", folderName(dir), strings.Join(names, ", "))
	}
	return Result{Text: text}, nil
}

// entryNames are the names of a listing, folders with a slash, without the
// directories of git and of the job.
func entryNames(entries []sandbox.File) []string {
	var names []string
	for _, e := range entries {
		if first, _, _ := strings.Cut(e.Path, "/"); first == ".git" || first == ".glovebox" {
			continue
		}
		name := plain.Line(e.Path, 200)
		if e.Kind == sandbox.KindDir {
			name += "/"
		}
		names = append(names, name)
	}
	return names
}

func folderName(dir string) string {
	if dir = show(dir); dir == "." {
		return sandbox.Workspace
	}
	return dir
}

// belongs is what the model is told at once if it changed a file of the host,
// or one that is gone with the box.
func (env *Env) belongs(p string) []string {
	if slices.Contains(env.Frozen, locate(p)) {
		return []string{prompts.Message("E15", map[string]any{"Path": show(p)})}
	}
	if inTmp(p) && env.Scope != sandbox.ScopeSession {
		return []string{prompts.Message("E7-write", map[string]any{"Path": show(p)})}
	}
	return nil
}
