package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // what read says about a picture: its format
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/sandbox"
)

// Bounds of a folder's listing.
const (
	listDepth = 2
	listMax   = 200
)

// runRead shows a part of a text file, a folder, or what kind of file it is.
func runRead(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	f, data, err := b.ReadFile(ctx, locate(u.Path), maxText)
	large := errors.Is(err, sandbox.ErrTooLarge)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(ctx, b, u, env)
	case errors.Is(err, sandbox.ErrIsDir):
		return readFolder(ctx, b, u, env)
	case err != nil && !refused(err):
		return Result{}, fmt.Errorf("read %s: %w", show(u.Path), err)
	case err != nil && !large:
		return Result{Text: pathFault(show(u.Path), "read", err)}, nil
	}
	total := int64(len(data))
	if large {
		total = f.Size
	}
	if kind := binary(data); kind != "" {
		return Result{OK: true, Text: fmt.Sprintf("%s · %s · %s · not shown", show(u.Path), kind, size(total))}, nil
	}
	return readLines(u, env.numbers(), data, total), nil
}

// readLines shows the lines that were asked for, as many as fit.
func readLines(u Use, n Numbers, data []byte, total int64) Result {
	shown := show(u.Path)
	if total == 0 {
		return Result{OK: true, Text: shown + " · empty"}
	}
	text := strings.ToValidUTF8(string(data), "�")
	ends := ""
	if strings.Contains(text, "\r\n") {
		text, ends = strings.ReplaceAll(text, "\r\n", "\n"), " · line ends CRLF"
	}
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	of := fmt.Sprint(len(all))
	if total > int64(len(data)) {
		of = "more than " + of
	}
	first, limit := max(u.Offset, 1), u.Limit
	if limit <= 0 {
		limit = n.ReadLines
	}
	if first > len(all) {
		return Result{Text: fmt.Sprintf("%s has %s lines; there is no line %d.", shown, of, first)}
	}
	part, more := fit(all[first-1:], limit, n.ReadBytes)
	last := first + len(part) - 1
	out := fmt.Sprintf("%s · lines %d-%d of %s · %s%s\n%s", shown, first, last, of, size(total), ends, strings.Join(part, "\n"))
	switch {
	case total > int64(len(data)) && last == len(all):
		out += fmt.Sprintf("\n[the file goes on: use bash, sed -n '%d,%dp']", last, last+limit)
	case more:
		out += fmt.Sprintf("\n[the file goes on: read with offset %d]", last+1)
	}
	return Result{OK: true, Text: out}
}

// fit takes lines from the beginning, at most limit of them and about max
// bytes, and at least one, which is cut if it alone is too long.
func fit(all []string, limit, max int) (part []string, more bool) {
	used := 0
	for i, line := range all {
		if i >= limit || i > 0 && used+len(line) > max {
			return part, true
		}
		part = append(part, boundLines(line, max))
		used += len(line) + 1
	}
	return part, false
}

// readFolder lists a folder, two levels deep.
func readFolder(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	dir := locate(u.Path)
	entries, more, err := b.List(ctx, dir, listDepth, listMax)
	if err != nil && !refused(err) {
		return Result{}, fmt.Errorf("list %s: %w", dir, err)
	}
	if err != nil {
		return Result{Text: pathFault(show(u.Path), "read", err)}, nil
	}
	names, cut := fit(entryNames(entries), listMax, env.numbers().ReadBytes)
	text := fmt.Sprintf("%s · folder · %d entries, 2 levels", folderName(dir), len(names))
	if len(names) > 0 {
		text += "\n" + strings.Join(names, "\n")
	}
	if more || cut {
		text += "\n[there is more: read a folder in it, or use bash with find]"
	}
	return Result{OK: true, Text: text}, nil
}

// binary says what a file is if it is no text, else "". As git does, it looks
// at the beginning only.
func binary(data []byte) string {
	head := data[:min(len(data), 8000)]
	kind := http.DetectContentType(head)
	if strings.HasPrefix(kind, "image/") {
		return picture(data, kind)
	}
	switch {
	case utf8.Valid(trimRune(head, len(data))) && bytes.IndexByte(head, 0) < 0:
		return ""
	case strings.HasPrefix(kind, "text/"):
		return "text that is not UTF-8 (see it with bash and iconv)"
	default:
		return "binary (" + kind + ")"
	}
}

// picture says how large a picture is. Only its header is looked at.
func picture(data []byte, kind string) string {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "picture (" + kind + "); pictures can't be shown here"
	}
	return fmt.Sprintf("picture (%s, %d × %d); pictures can't be shown here", kind, c.Width, c.Height)
}

// trimRune drops a character that the cut at the end of head has split.
func trimRune(head []byte, total int) []byte {
	if len(head) == total {
		return head
	}
	for i := 1; i < utf8.UTFMax && i < len(head); i++ {
		if utf8.RuneStart(head[len(head)-i]) {
			if !utf8.FullRune(head[len(head)-i:]) {
				return head[:len(head)-i]
			}
			break
		}
	}
	return head
}
