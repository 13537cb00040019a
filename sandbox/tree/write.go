package tree

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

// endName is the name of the last entry of an archive. [CheckName] takes it for
// no other.
const endName = "./end"

// ending is the first line of the last entry; after it come the stamp of every
// entry, and what is gone, each path with a NUL byte.
type ending struct {
	Entries int `json:"entries"`
	Other   int `json:"other,omitempty"`
	Torn    int `json:"torn,omitempty"` // files that changed while they were read
}

// Sent is what [Changes.Write] wrote: the paths of the entries and their
// stamps, in their order.
type Sent struct {
	Paths  []string
	Stamps []Stamp
	Gone   []string
	Torn   int // entries that changed while they were read: to be sent again
}

// Write writes the archive of the changes in root to w. A file that changes
// meanwhile is counted as torn, and the other side takes nothing then. A
// failing w is an error, and so is a root that can't be read any more.
func (c *Changes) Write(ctx context.Context, w io.Writer, root *os.Root) (Sent, error) {
	buffered := bufio.NewWriterSize(w, 256<<10)
	s := sender{ctx: ctx, dirs: newChain(root), out: tar.NewWriter(buffered), settle: c.settle}
	defer s.dirs.close()
	for _, e := range c.entries {
		if err := s.entry(e); err != nil {
			return s.sent, fmt.Errorf("send %.200q: %w", e.path, err)
		}
	}
	s.sent.Gone = c.Gone
	if err := errors.Join(s.end(c), s.out.Close(), buffered.Flush()); err != nil {
		return s.sent, fmt.Errorf("end the archive: %w", err)
	}
	return s.sent, nil
}

type sender struct {
	ctx    context.Context
	dirs   *chain
	out    *tar.Writer
	settle time.Duration
	sent   Sent
	other  int // entries that can't be read
}

func (s *sender) entry(e entry) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	h := &tar.Header{Name: e.path, Mode: int64(e.info.Mode().Perm()), Format: tar.FormatPAX}
	switch {
	case e.info.IsDir():
		h.Typeflag = tar.TypeDir
	case e.info.Mode()&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.target
	case e.hollow:
		h.Typeflag, e.stamp = tar.TypeReg, Stamp{}
	default:
		return s.file(e, h)
	}
	return s.header(e, h)
}

func (s *sender) header(e entry, h *tar.Header) error {
	s.sent.Paths, s.sent.Stamps = append(s.sent.Paths, e.path), append(s.sent.Stamps, e.stamp)
	return s.out.WriteHeader(h)
}

// file sends a file and its content, if it still is what was seen.
func (s *sender) file(e entry, h *tar.Header) error {
	f, err := s.open(e.path)
	if errors.Is(err, fs.ErrPermission) {
		s.other++
		return nil
	}
	if err != nil { // it is gone, or something else
		s.sent.Torn++
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !os.SameFile(info, e.info) {
		s.sent.Torn++
		return nil
	}
	e.stamp = stampOf(info, "")
	if fresh(info, s.settle) {
		e.stamp = Stamp{}
	}
	h.Typeflag, h.Size, h.ModTime = tar.TypeReg, info.Size(), info.ModTime()
	if err := s.header(e, h); err != nil {
		return err
	}
	n, err := io.CopyN(contextWriter{s.ctx, s.out}, f, info.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if now, err := f.Stat(); n < info.Size() || err != nil || stampOf(now, "") != stampOf(info, "") {
		s.sent.Torn++
		_, err = io.CopyN(s.out, zeros{}, info.Size()-n)
		return err
	}
	return nil
}

// open opens a file that was seen. It may have become a pipe since, or lie
// behind a link now.
func (s *sender) open(p string) (*os.File, error) {
	l, err := s.dirs.enter(parentOf(p))
	if err != nil {
		return nil, err
	}
	return l.dir.OpenFile(path.Base(p), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// end writes the last entry.
func (s *sender) end(c *Changes) error {
	var b bytes.Buffer
	line, err := json.Marshal(ending{Entries: len(s.sent.Paths), Other: c.Other + s.other, Torn: s.sent.Torn})
	if err != nil {
		return err
	}
	b.Write(append(line, '\n'))
	for _, stamp := range s.sent.Stamps {
		b.Write(stamp[:])
	}
	for _, p := range c.Gone {
		b.WriteString(p)
		b.WriteByte(0)
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: endName, Size: int64(b.Len()), Mode: 0o600, Format: tar.FormatPAX}
	if err := s.out.WriteHeader(h); err != nil {
		return err
	}
	_, err = b.WriteTo(s.out)
	return err
}

// zeros fills up what a file that has shrunk owes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// contextWriter ends a long copy.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}
