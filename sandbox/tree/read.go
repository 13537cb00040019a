package tree

import (
	"archive/tar"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Limits bound what an archive may bring.
type Limits struct {
	// Bytes is the sum of all files' sizes, and a block for each entry: none is
	// so small that it takes nothing of a disk.
	Bytes int64
	// Entries is their number.
	Entries int
}

// block is what an entry is charged besides its size, in bytes: the usual block
// of a file system.
const block = 4 << 10

// maxNames bounds all paths and targets of an archive together, in bytes, and
// so what is held of it in memory.
const maxNames = 64 << 20

// maxEndLine bounds the first line of the last entry in bytes.
const maxEndLine = 200

// ErrTooLarge says that an archive is larger than its reader takes. The rest
// of it is not read.
var ErrTooLarge = errors.New("more than is taken")

// ErrTorn says that files changed while they were sent: nothing of the archive
// was taken, and asking once more may help.
var ErrTorn = errors.New("files changed while they were read")

// item is an entry that an archive brings.
type item struct {
	path   string
	mode   fs.FileMode // type and permissions
	target string      // of a link
	size   int64
	mtime  time.Time
	theirs Stamp
}

// archive reads one archive. It believes nothing: what is not exactly as
// [Changes.Write] makes it wraps [wire.ErrProtocol].
type archive struct {
	raw    *bufio.Reader
	in     *tar.Reader
	limits Limits
	skip   func(string) bool // what no archive may hold
	known  func(string) bool // see UnpackOptions.Known

	items   []item
	gone    []string
	other   int
	bytes   int64
	names   int64
	leaves  map[string]struct{} // paths that are no directories
	parents map[string]struct{} // paths that are directories, or must be
	dirs    map[string]struct{} // directories that came
}

func newArchive(r io.Reader, o UnpackOptions) *archive {
	raw := bufio.NewReaderSize(r, 64<<10)
	return &archive{raw: raw, in: tar.NewReader(raw), limits: o.Limits, skip: o.Skip, known: o.Known,
		leaves: map[string]struct{}{}, parents: map[string]struct{}{}, dirs: map[string]struct{}{}}
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: an archive with %s", wire.ErrProtocol, fmt.Sprintf(format, args...))
}

// read reads the whole archive, to the last byte of its stream. content is
// given the number and the content of every file.
func (a *archive) read(content func(n int, i item, r io.Reader) error) error {
	for {
		h, err := a.in.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return broken("no end")
		}
		if err != nil {
			return fault(err)
		}
		if h.Name == endName {
			break
		}
		if err := a.entry(h, content); err != nil {
			return err
		}
	}
	if err := a.end(); err != nil {
		return err
	}
	if _, err := a.in.Next(); !errors.Is(err, io.EOF) {
		return broken("more behind its end")
	}
	switch _, err := a.raw.ReadByte(); {
	case err == nil:
		return broken("more behind its end")
	case !errors.Is(err, io.EOF):
		return fault(err)
	}
	return nil
}

// fault tells a broken archive from a stream that failed.
func fault(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return broken("a part that is none: %v", err)
	}
	return err
}

func (a *archive) entry(h *tar.Header, content func(int, item, io.Reader) error) error {
	i, err := a.item(h)
	if err != nil {
		return err
	}
	a.names += int64(len(i.path) + len(i.target))
	if len(a.items) >= a.limits.Entries || a.names > maxNames || i.size > a.limits.Bytes-a.bytes-block {
		return fmt.Errorf("%w: at most %d bytes in %d entries", ErrTooLarge, a.limits.Bytes, a.limits.Entries)
	}
	a.bytes += i.size + block
	if err := a.place(i); err != nil {
		return err
	}
	a.items = append(a.items, i)
	if !i.mode.IsRegular() {
		return nil
	}
	return content(len(a.items)-1, i, a.in)
}

// item checks what a header says by itself.
func (a *archive) item(h *tar.Header) (item, error) {
	i := item{path: h.Name, mode: fs.FileMode(h.Mode) & fs.ModePerm, target: h.Linkname, size: h.Size, mtime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir:
		i.mode |= fs.ModeDir
	case tar.TypeSymlink:
		i.mode |= fs.ModeSymlink
	default: // hard links, devices, pipes, sparse files, headers for all
		return i, broken("an entry of type %q", h.Typeflag)
	}
	for key := range h.PAXRecords { // sparse files and others hide there
		if key != "path" && key != "linkpath" && key != "size" && key != "mtime" {
			return i, broken("a record %.40q", key)
		}
	}
	if i.mode.IsDir() && len(i.path) > 0 && i.path[len(i.path)-1] == '/' {
		i.path = i.path[:len(i.path)-1]
	}
	if err := CheckName(i.path); err != nil {
		return i, broken("the %v", err)
	}
	link := i.mode&fs.ModeSymlink != 0
	switch {
	case a.skip != nil && a.skip(i.path):
		return i, broken("%.200q, which must not travel", i.path)
	case i.size < 0 || i.size > 0 && !i.mode.IsRegular():
		return i, broken("the size %d", i.size)
	case link != (i.target != "") || len(i.target) > MaxPath:
		return i, broken("the target %.80q", i.target)
	}
	return i, nil
}

// place checks that no path comes twice, that nothing lies below what is no
// directory, and that the directory of each is known or came before it: a
// directory that no entry stands for is counted by nobody.
func (a *archive) place(i item) error {
	_, leaf := a.leaves[i.path]
	_, dir := a.dirs[i.path]
	_, parent := a.parents[i.path]
	if leaf || dir || parent && !i.mode.IsDir() {
		return broken("%.200q twice", i.path)
	}
	if !a.hasDir(parentOf(i.path)) {
		return broken("%.200q without its directory", i.path)
	}
	for p := parentOf(i.path); p != ""; p = parentOf(p) {
		if _, known := a.parents[p]; known {
			break
		}
		if _, leaf := a.leaves[p]; leaf {
			return broken("%.200q below what is no directory", i.path)
		}
		a.parents[p] = struct{}{}
	}
	if i.mode.IsDir() {
		a.dirs[i.path], a.parents[i.path] = struct{}{}, struct{}{}
	} else {
		a.leaves[i.path] = struct{}{}
	}
	return nil
}

func (a *archive) hasDir(dir string) bool {
	_, came := a.dirs[dir]
	return came || dir == "" || a.known == nil || a.known(dir)
}

// end reads the last entry.
func (a *archive) end() error {
	in := bufio.NewReaderSize(io.LimitReader(a.in, maxStamps), 64<<10)
	line, err := in.ReadSlice('\n')
	if err != nil || len(line) > maxEndLine {
		return broken("an end that is none")
	}
	var e ending
	if err := json.Unmarshal(line, &e); err != nil || e.Other < 0 || e.Torn < 0 {
		return broken("an end that is none")
	}
	if e.Torn > 0 {
		return ErrTorn
	}
	if e.Entries != len(a.items) {
		return broken("%d entries that says it has %d", len(a.items), e.Entries)
	}
	a.other = e.Other
	for n := range a.items {
		if _, err := io.ReadFull(in, a.items[n].theirs[:]); err != nil {
			return broken("an end that is cut off")
		}
	}
	return a.readGone(in)
}

func (a *archive) readGone(in *bufio.Reader) error {
	seen := map[string]struct{}{}
	for {
		p, err := in.ReadSlice(0)
		if errors.Is(err, io.EOF) && len(p) == 0 {
			return nil
		}
		if err != nil {
			return broken("an end that is cut off")
		}
		path := string(p[:len(p)-1])
		if err := a.checkGone(path, seen); err != nil {
			return err
		}
		seen[path] = struct{}{}
		a.gone = append(a.gone, path)
	}
}

func (a *archive) checkGone(path string, seen map[string]struct{}) error {
	if err := CheckName(path); err != nil {
		return broken("the %v", err)
	}
	_, twice := seen[path]
	_, leaf := a.leaves[path]
	_, parent := a.parents[path]
	if twice || leaf || parent || a.skip != nil && a.skip(path) || a.known != nil && !a.known(path) {
		return broken("%.200q gone, which can't be", path)
	}
	a.names += int64(len(path))
	if a.names > maxNames {
		return ErrTooLarge
	}
	return nil
}
