package runner

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"
)

// Git's names of what lies in a tree. Submodules are refused: what they hold
// is in no tree of ours.
const (
	modeFile = "100644"
	modeExec = "100755"
	modeLink = "120000"
	modeTree = "40000"
)

// treeEntry is a file of a tree as git stores it.
type treeEntry struct {
	mode string
	hash [sha1.Size]byte
	path string
}

// parseListing reads the output of `git ls-tree -r -z`. It comes from a box:
// everything that is not exactly a listing is an error.
func parseListing(out []byte) ([]treeEntry, error) {
	var entries []treeEntry
	for len(out) > 0 {
		line, rest, ok := bytes.Cut(out, []byte{0})
		if !ok {
			return nil, errors.New("git's listing is cut off")
		}
		entry, err := parseEntry(string(line))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
		out = rest
	}
	return entries, nil
}

func parseEntry(line string) (treeEntry, error) {
	meta, name, ok := strings.Cut(line, "\t")
	fields := strings.Split(meta, " ")
	if !ok || len(fields) != 3 {
		return treeEntry{}, fmt.Errorf("git's listing has the line %.80q", line)
	}
	if fields[0] == "160000" {
		return treeEntry{}, fmt.Errorf("%.200q is a git repository of its own (a submodule); what is in it can't be proven", name)
	}
	entry := treeEntry{mode: fields[0], path: name}
	raw, err := hex.DecodeString(fields[2])
	if err != nil || len(raw) != sha1.Size || fields[1] != "blob" || checkPath(name) != nil {
		return treeEntry{}, fmt.Errorf("git's listing has the line %.80q", line)
	}
	if entry.mode != modeFile && entry.mode != modeExec && entry.mode != modeLink {
		return treeEntry{}, fmt.Errorf("git's listing has the mode %.20q", entry.mode)
	}
	copy(entry.hash[:], raw)
	return entry, nil
}

// hashFile reads and hashes the file at name as git would store it, without
// git: git inside a box can be made to lie (a filter commits other content than
// the file's). What is read is also written to copy. At most limit bytes are taken.
func (w workspace) hashFile(ctx context.Context, name string, limit int64, copy io.Writer) (e treeEntry, size int64, err error) {
	e.path = name
	info, err := w.lstat(name)
	if err != nil {
		return e, 0, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := w.readlink(name)
		e.mode, e.hash = modeLink, gitHash("blob", []byte(target))
		return e, int64(len(target)), err
	}
	f, err := w.open(name)
	if err != nil {
		return e, 0, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return e, 0, err
	}
	if info.Size() > limit {
		return e, 0, fmt.Errorf("there is more than %d MB in git; add what is generated to .gitignore", proofMax>>20)
	}
	e.mode = modeFile
	if info.Mode().Perm()&0o100 != 0 {
		e.mode = modeExec
	}
	e.hash, err = hashContent(ctx, f, info.Size(), copy)
	return e, info.Size(), err
}

// hashContent is git's hash of size bytes of f, which must have no more.
func hashContent(ctx context.Context, f io.Reader, size int64, copy io.Writer) (hash [sha1.Size]byte, err error) {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", size)
	both := io.MultiWriter(h, copy)
	var n int64
	for n <= size {
		if err := ctx.Err(); err != nil {
			return hash, err
		}
		some, err := io.CopyN(both, f, 1<<20)
		n += some
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return hash, err
		}
	}
	if n != size {
		return hash, errors.New("a file changed while it was read")
	}
	return [sha1.Size]byte(h.Sum(nil)), nil
}

// treeHash is git's id of the tree that holds the entries.
func treeHash(entries []treeEntry) (string, error) {
	root := &treeNode{}
	for _, e := range entries {
		if err := root.add(strings.Split(e.path, "/"), e); err != nil {
			return "", err
		}
	}
	hash := root.hash()
	return hex.EncodeToString(hash[:]), nil
}

// treeNode is a directory on its way to becoming a git object.
type treeNode struct {
	files []treeEntry
	dirs  map[string]*treeNode
}

func (n *treeNode) add(names []string, e treeEntry) error {
	if len(names) > deepest {
		return &tooDeep{e.path}
	}
	if len(names) == 1 {
		e.path = names[0]
		n.files = append(n.files, e)
		return nil
	}
	if n.dirs == nil {
		n.dirs = map[string]*treeNode{}
	}
	if n.dirs[names[0]] == nil {
		n.dirs[names[0]] = &treeNode{}
	}
	return n.dirs[names[0]].add(names[1:], e)
}

func (n *treeNode) hash() [sha1.Size]byte {
	all := append([]treeEntry(nil), n.files...)
	for name, dir := range n.dirs {
		all = append(all, treeEntry{mode: modeTree, hash: dir.hash(), path: name})
	}
	// Git sorts a directory as if its name ended in a slash.
	key := func(e treeEntry) string {
		if e.mode == modeTree {
			return e.path + "/"
		}
		return e.path
	}
	sort.Slice(all, func(i, j int) bool { return key(all[i]) < key(all[j]) })
	var body bytes.Buffer
	for _, e := range all {
		fmt.Fprintf(&body, "%s %s\x00", e.mode, e.path)
		body.Write(e.hash[:])
	}
	return gitHash("tree", body.Bytes())
}

func gitHash(kind string, body []byte) [sha1.Size]byte {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(body))
	h.Write(body)
	return [sha1.Size]byte(h.Sum(nil))
}
