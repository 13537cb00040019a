package tool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
)

// After so many misses on a file of so many lines at most, writing it anew is
// cheaper than another guess.
const (
	missesToRewrite = 2
	linesToRewrite  = 300
)

// runEdit replaces a piece of a file. Nothing but line ends is equalised: a
// text that is almost there is shown, never guessed at.
func runEdit(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	shown := show(u.Path)
	_, data, err := b.ReadFile(ctx, locate(u.Path), maxText)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(ctx, b, u, env)
	case err != nil && !refused(err):
		return Result{}, fmt.Errorf("read %s: %w", shown, err)
	case err != nil:
		return Result{Text: pathFault(shown, "changed", err)}, nil
	}
	file := string(data)
	text, old := unix(file), unix(u.Old)
	places := find(text, old)
	if len(places) == 0 {
		return Result{Text: env.miss(u, text)}, nil
	}
	if len(places) > 1 && !u.All {
		return Result{Text: prompts.Message("E11-many", map[string]any{
			"Path": shown, "Count": len(places), "Where": linesAt(text, places)})}, nil
	}
	changed := replace(file, places, len(old), unix(u.New))
	if changed == file {
		return Result{Text: "old_string and new_string differ in line ends only. Nothing was changed."}, nil
	}
	if _, _, err := b.WriteFile(ctx, locate(u.Path), []byte(changed)); err != nil {
		if !refused(err) {
			return Result{}, fmt.Errorf("write %s: %w", shown, err)
		}
		return Result{Text: pathFault(shown, "changed", err)}, nil
	}
	delete(env.misses, locate(u.Path))
	parts := append([]string{edited(shown, text, old, unix(u.New), places)}, env.belongs(u.Path)...)
	return Result{OK: true, Changed: true, Text: strings.Join(parts, "\n")}, nil
}

// unix is s with line ends of one byte.
func unix(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// find is where old begins in text, in bytes, without overlaps.
func find(text, old string) []int {
	var places []int
	for at := 0; ; {
		i := strings.Index(text[at:], old)
		if i < 0 {
			return places
		}
		places = append(places, at+i)
		at += i + len(old)
	}
}

// replace puts new at the places, which count file with its line ends as one
// byte. New lines end as the file's do.
func replace(file string, places []int, length int, new string) string {
	if strings.Contains(file, "\r\n") {
		new = strings.ReplaceAll(new, "\n", "\r\n")
	}
	var b strings.Builder
	raw, counted := 0, 0
	forward := func(to int) int { // from raw to the byte that is number to when line ends count as one
		at := raw
		for counted < to {
			if strings.HasPrefix(file[at:], "\r\n") {
				at++
			}
			at++
			counted++
		}
		return at
	}
	for _, place := range places {
		start := forward(place)
		b.WriteString(file[raw:start])
		raw = start
		raw = forward(place + length)
		b.WriteString(new)
	}
	b.WriteString(file[raw:])
	return b.String()
}

// edited is the result: where, and how many lines went and came.
func edited(shown, text, old, new string, places []int) string {
	gone, came := difference(old, new)
	if len(places) == 1 {
		return fmt.Sprintf("edited %s · line %s · -%d +%d", shown, lineNumbers(text, places), gone, came)
	}
	return fmt.Sprintf("edited %s · %d places (%s) · -%d +%d", shown, len(places), linesAt(text, places), gone*len(places), came*len(places))
}

// difference counts the lines of old and new that are not the same at both ends.
func difference(old, new string) (gone, came int) {
	a, b := strings.Split(old, "\n"), strings.Split(new, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a), len(b)
}

// linesAt is "lines 12, 40, 77", the first ten of them.
func linesAt(text string, places []int) string {
	return "lines " + lineNumbers(text, places)
}

func lineNumbers(text string, places []int) string {
	var numbers []string
	line, at := 1, 0
	for i, place := range places {
		if i == 10 {
			numbers = append(numbers, "…")
			break
		}
		line += strings.Count(text[at:place], "\n")
		at = place
		numbers = append(numbers, fmt.Sprint(line))
	}
	return strings.Join(numbers, ", ")
}

// miss says that old_string is not there, and shows what is most like it.
func (env *Env) miss(u Use, text string) string {
	if env.misses == nil {
		env.misses = map[string]int{}
	}
	env.misses[locate(u.Path)]++
	misses, n := env.misses[locate(u.Path)], lines(text)
	where, closest := closest(text, unix(u.Old), env.numbers().Line)
	return prompts.Message("E11", map[string]any{
		"Path": show(u.Path), "Lines": n, "Where": where, "Closest": closest,
		"Misses": misses, "Rewrite": misses >= missesToRewrite && n <= linesToRewrite,
	})
}
