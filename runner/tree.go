package runner

import (
	"bytes"
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

// hashFiles is the tree that the files at the entries' paths make now, read
// and hashed by the host. Git inside a box can be made to lie (a filter commits
// other content than the file's); this can't.
func (w workspace) hashFiles(entries []treeEntry) (string, error) {
	seen := make([]treeEntry, len(entries))
	for i, e := range entries {
		mode, hash, err := w.hashFile(e.path)
		if err != nil {
			return "", err
		}
		seen[i] = treeEntry{mode: mode, hash: hash, path: e.path}
	}
	return treeHash(seen)
}

func (w workspace) hashFile(name string) (mode string, hash [sha1.Size]byte, err error) {
	info, err := w.lstat(name)
	if err != nil {
		return "", hash, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := w.root.Readlink(name)
		return modeLink, gitHash("blob", []byte(target)), err
	}
	f, err := w.open(name)
	if err != nil {
		return "", hash, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return "", hash, err
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", info.Size())
	n, err := io.Copy(h, io.LimitReader(f, info.Size()+1))
	if err != nil {
		return "", hash, err
	}
	if n != info.Size() {
		return "", hash, fmt.Errorf("%s changed while it was read", name)
	}
	mode = modeFile
	if info.Mode().Perm()&0o100 != 0 {
		mode = modeExec
	}
	return mode, [sha1.Size]byte(h.Sum(nil)), nil
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
		return fmt.Errorf("%.80q… lies more than %d directories deep", e.path, deepest)
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
