package tree

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Bounds of what travels. Linux has the first two for what one call can name.
const (
	// MaxPath is the longest path and the longest target of a link, in bytes.
	MaxPath = 4096
	// MaxName is the longest name in a directory, in bytes.
	MaxName = 255
	// MaxDepth is how many names a path may have. Each costs a walk two open
	// files; npm's deepest trees have some 50.
	MaxDepth = 250
)

// CheckName says whether p is a path of an entry: relative, with slashes, clean,
// within the bounds above. Names that are no UTF-8 are names.
func CheckName(p string) error {
	bad := func(why string) error { return fmt.Errorf("path %.200q: %s: %w", p, why, fs.ErrInvalid) }
	if len(p) > MaxPath {
		return bad("too long")
	}
	depth := 0
	for name := range strings.SplitSeq(p, "/") {
		switch {
		case name == "" || name == "." || name == "..":
			return bad("not clean")
		case len(name) > MaxName:
			return bad("too long a name")
		}
		depth++
	}
	if strings.ContainsRune(p, 0) {
		return bad("a NUL byte")
	}
	if depth > MaxDepth {
		return bad("too deep")
	}
	return nil
}

// top is the first name of a path.
func top(p string) string {
	name, _, _ := strings.Cut(p, "/")
	return name
}

// parentOf is the directory of a path, "" at the top.
func parentOf(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}
