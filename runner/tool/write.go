package tool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/glovebox-run/glovebox/sandbox"
)

// runWrite creates or replaces a file and says what it replaced, because a
// model that writes from memory loses what it forgot.
func runWrite(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	old, oldKnown, err := content(ctx, b, u.Path)
	if err != nil {
		return Result{}, err
	}
	shown := show(u.Path)
	is := fmt.Sprintf("%s · %s · %s", shown, count(lines(u.Content), "line"), size(len(u.Content)))
	if oldKnown && old == u.Content {
		return Result{OK: true, Text: is + " · it had exactly this content already: nothing changed"}, nil
	}
	before, existed, err := b.WriteFile(ctx, locate(u.Path), []byte(u.Content))
	if err != nil {
		if !refused(err) {
			return Result{}, fmt.Errorf("write %s: %w", shown, err)
		}
		return Result{Text: pathFault(shown, "written", err)}, nil
	}
	delete(env.misses, locate(u.Path))
	text := "wrote " + is
	switch {
	case existed && oldKnown:
		text += fmt.Sprintf(" (was: %s)", count(lines(old), "line"))
	case existed:
		text += fmt.Sprintf(" (was: %s)", size(before.Size))
	}
	parts := append([]string{text}, losses(old, u.Content)...)
	return Result{OK: true, Changed: true, Text: strings.Join(append(parts, env.belongs(u.Path)...), "\n")}, nil
}

// content is what a file holds now. known is false if it is missing or can't
// be read as a whole; the write that follows will say what is wrong.
func content(ctx context.Context, b Box, p string) (text string, known bool, err error) {
	_, data, err := b.ReadFile(ctx, locate(p), maxText)
	switch {
	case err == nil:
		return string(data), true, nil
	case refused(err) || errors.Is(err, fs.ErrNotExist) && !errors.Is(err, sandbox.ErrBoxLost):
		return "", false, nil
	default:
		return "", false, fmt.Errorf("read %s: %w", show(p), err)
	}
}

// losses warns of the two ways in which a rewrite loses code: less than half
// of a file is left, or a line stands for what was not written again.
func losses(old, new string) []string {
	var warnings []string
	if was, is := lines(old), lines(new); was >= 20 && 2*is < was {
		warnings = append(warnings, fmt.Sprintf("[replaced %s by %d: if that was not meant, write the whole file again]", count(was, "line"), is))
	}
	if line := placeholder().FindString(new); line != "" {
		warnings = append(warnings, fmt.Sprintf("[the line %q is in the file as it stands: write replaces all of it, and nothing of the old content was kept]",
			cutBytes(strings.TrimSpace(line), 80)))
	}
	return warnings
}

// placeholder matches a comment like "# ... rest unchanged".
func placeholder() *regexp.Regexp {
	return regexp.MustCompile(`(?im)^[ \t]*(#|//|/\*|<!--|--|;)[ \t]*(\.\.\.|…).*\b(rest|existing|unchanged|remain\w*|same|omitted|before|previous)\b.*$`)
}
