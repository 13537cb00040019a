package sandbox

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/glovebox-run/glovebox/sandbox/tree"
)

const (
	// deepestWalk is how many directories below another are looked into; each
	// level costs two open files while the walk is in it.
	deepestWalk = 200
	// namesAtOnce bounds what is held of a directory that a box filled.
	namesAtOnce = 512
	// linksKnown bounds what is held of files with several names. Beyond it
	// they are counted once a name: too much rather than too little.
	linksKnown = 1 << 20
)

// walker counts what lies in directories while something may be changing them.
type walker struct {
	ctx    context.Context
	by     Rank
	skip   []string // at the top
	linked map[[2]uint64]struct{}
	usage  Usage
}

// directory counts the entries of an open directory into n and the usage.
func (w *walker) directory(root *os.Root, n *node, depth int) {
	dir, err := root.Open(".")
	if err != nil {
		w.usage.Unread++
		return
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(namesAtOnce)
		for _, name := range names {
			if w.ctx.Err() != nil {
				w.usage.Cut = true
				return
			}
			if depth > 0 || !slices.Contains(w.skip, name) {
				w.entry(root, n, name, depth)
			}
		}
		if err != nil || len(names) == 0 {
			return // the end, or as far as it goes
		}
	}
}

// entry counts one name. What is gone meanwhile counts nothing.
func (w *walker) entry(root *os.Root, parent *node, name string, depth int) {
	info, err := root.Lstat(name)
	if err != nil {
		w.missed(err)
		return
	}
	n := &node{name: name, dir: info.IsDir(), by: w.by}
	w.count(n, info)
	if n.dir {
		w.below(root, n, depth+1)
	}
	if depth >= deepestNamed {
		n.kids = nil
	}
	parent.add(n)
}

// below opens a directory and counts what is in it.
func (w *walker) below(root *os.Root, n *node, depth int) {
	if depth > deepestWalk {
		w.usage.Unread++
		return
	}
	child, err := tree.Descend(root, n.name)
	if err != nil {
		w.missed(err)
		return
	}
	defer child.Close()
	w.directory(child, n, depth)
}

// missed counts what could not be looked at, unless it is gone.
func (w *walker) missed(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		w.usage.Unread++
	}
}

// count counts a file by itself, if it was not counted under another name.
func (w *walker) count(n *node, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		w.usage.Unread++
		return
	}
	if stat.Nlink > 1 && !info.IsDir() {
		id := [2]uint64{uint64(stat.Dev), uint64(stat.Ino)}
		if _, known := w.linked[id]; known {
			return
		}
		if len(w.linked) < linksKnown {
			w.linked[id] = struct{}{}
		}
	}
	n.bytes, n.files = stat.Blocks*512, 1 // stat(2): blocks are of 512 bytes, whatever the file system's are
	w.usage.Bytes += n.bytes
	w.usage.Files += n.files
}

const (
	// itemsNamed is how many things a message names, deepestNamed how many
	// directories deep they may lie.
	itemsNamed   = 5
	deepestNamed = 8
	// maxItemPath bounds the path of one in bytes.
	maxItemPath = 300
)

// node is a file, or a directory with all that is in it.
type node struct {
	name         string
	dir          bool
	by           Rank
	bytes, files int64
	kids         []*node // the largest, only if by says so
}

// weight is what n is ranked by.
func (n *node) weight() int64 {
	if n.by == RankFiles {
		return n.files
	}
	return n.bytes
}

// add counts a kid into n, and keeps it as long as it is one of the largest.
func (n *node) add(kid *node) {
	n.bytes += kid.bytes
	n.files += kid.files
	if n.by == RankNone || kid.weight() == 0 {
		return
	}
	n.kids = append(n.kids, kid)
	if len(n.kids) > 4*itemsNamed {
		n.sort()
		n.kids = slices.Clip(n.kids[:itemsNamed])
	}
}

func (n *node) sort() {
	slices.SortFunc(n.kids, func(a, b *node) int { return cmp.Compare(b.weight(), a.weight()) })
}

// largest are the few things that explain most of what all holds. A directory
// gives way to what is in it where that is nearly all of it.
func largest(all *node) []Item {
	all.sort()
	named := make([]Item, 0, itemsNamed)
	open := []path{}
	for _, kid := range all.kids {
		open = append(open, path{kid, kid.name})
	}
	for len(open) > 0 && len(named) < itemsNamed {
		slices.SortFunc(open, func(a, b path) int { return cmp.Compare(b.weight(), a.weight()) })
		p := open[0]
		open = open[1:]
		if p.weight()*50 < all.weight() && len(named) > 0 { // less than 2 % says nothing
			break
		}
		if kids := p.explained(itemsNamed - len(named)); kids != nil {
			open = append(open, kids...)
			continue
		}
		named = append(named, p.item())
	}
	return named
}

// path is a node and where it lies.
type path struct {
	*node
	at string
}

// explained are the largest kids of a directory, at most most, if they are
// three quarters of it.
func (p path) explained(most int) (kids []path) {
	p.sort()
	sum := int64(0)
	for _, kid := range p.kids[:min(len(p.kids), most)] {
		kids = append(kids, path{kid, p.at + "/" + kid.name})
		sum += kid.weight()
	}
	if sum*4 < p.weight()*3 {
		return nil
	}
	return kids
}

func (p path) item() Item {
	at := p.at
	if len(at) > maxItemPath {
		at = strings.ToValidUTF8(at[:maxItemPath], "") + "…"
	}
	return Item{Path: at, Bytes: p.bytes, Files: p.files, Dir: p.dir}
}

// Descend opens a directory that a box may be changing, see [tree.Descend].
func Descend(above *os.Root, name string) (*os.Root, error) { return tree.Descend(above, name) }
