package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/tree"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// TreeTime is how long one synchronisation may take: 4 GiB over a line of 50
// megabit a second and some more. After it the box is lost.
const TreeTime = 15 * time.Minute

// treeTries is how often a directory is asked for that changes while it is read.
const treeTries = 3

// Errors of [Box.Push] and [Box.Pull] besides a lost box and those of the
// host's own files.
var (
	// ErrTreeTooLarge says that a directory in a box holds more than is taken.
	ErrTreeTooLarge = tree.ErrTooLarge
	// ErrTreeTorn says that a directory changed again and again while it was read.
	ErrTreeTorn = tree.ErrTorn
)

// Push makes the directory dir of the box what the host's is. Only what has
// changed here since the last synchronisation is sent. The box's own refusal (a
// full disk, say) is an *fs.PathError.
func (b *Box) Push(ctx context.Context, m *Mirror, dir string) (moved Moved, err error) {
	if m.NamesOnly && m.pushed {
		return moved, nil
	}
	for try := 1; ; try++ {
		moved, err = b.push(ctx, m, dir)
		if !errors.Is(err, ErrTreeTorn) || try == treeTries {
			m.pushed = m.pushed || err == nil
			return moved, err
		}
	}
}

// sent is what became of the sending of an archive.
type sent struct {
	tree.Sent
	err error
}

func (b *Box) push(ctx context.Context, m *Mirror, dir string) (Moved, error) {
	have := m.side(func(s stamps) tree.Stamp { return s.host })
	changes, err := tree.Look(ctx, m.Root, tree.LookOptions{Skip: m.mayNotTravel, Have: have})
	if err != nil {
		return Moved{}, fmt.Errorf("look for what has changed: %w", err)
	}
	if changes.None() {
		return Moved{Other: changes.Other}, nil
	}
	archive, sending := io.Pipe()
	done := make(chan sent, 1)
	go func() {
		s, err := changes.Write(ctx, sending, m.Root)
		sending.CloseWithError(err)
		done <- sent{s, err}
	}()
	r := request{method: http.MethodPut, path: wire.PathTree, query: m.query(dir), body: archive, length: -1}
	var box []tree.Stamp
	err = b.askTree(ctx, "push", dir, r, func(res *http.Response) (err error) {
		box, err = readStampList(res.Body, changes.Len())
		return err
	})
	archive.Close() // nobody reads on; the sender must not wait
	s := <-done
	switch {
	case s.err != nil && !errors.Is(s.err, io.ErrClosedPipe):
		return Moved{}, fmt.Errorf("push to box %s: %w", b.ID(), s.err)
	case s.Torn > 0:
		return Moved{}, fmt.Errorf("push to box %s: %w", b.ID(), ErrTreeTorn)
	case err != nil:
		return Moved{}, err
	case len(box) != len(s.Paths):
		b.Close()
		return Moved{}, b.lost("push to", fmt.Errorf("%w: %d stamps for %d entries", wire.ErrProtocol, len(box), len(s.Paths)))
	}
	m.remember(s.Paths, s.Stamps, box, s.Gone)
	return Moved{Entries: len(s.Paths), Gone: len(s.Gone), Other: changes.Other}, nil
}

// readStampList reads at most max stamps, to the end of r.
func readStampList(r io.Reader, max int) ([]tree.Stamp, error) {
	const size = len(tree.Stamp{})
	data, err := io.ReadAll(io.LimitReader(r, int64(max*size)+1))
	if err != nil {
		return nil, err
	}
	if len(data)%size != 0 || len(data) > max*size {
		return nil, fmt.Errorf("%w: a list of stamps that is none", wire.ErrProtocol)
	}
	list := make([]tree.Stamp, len(data)/size)
	for i := range list {
		copy(list[i][:], data[i*size:])
	}
	return list, nil
}

// Pull makes the host's directory what dir of the box is, where that has
// changed since the last synchronisation. What comes is hostile: it is read to
// its end and checked before anything in the host's directory is touched, and a
// box that lies is lost. Of more than the mirror takes nothing is taken
// ([ErrTreeTooLarge]). No command that might change dir should run meanwhile.
func (b *Box) Pull(ctx context.Context, m *Mirror, dir string) (moved Moved, err error) {
	for try := 1; ; try++ {
		moved, err = b.pull(ctx, m, dir)
		if !errors.Is(err, ErrTreeTorn) || try == treeTries {
			return moved, err
		}
	}
}

func (b *Box) pull(ctx context.Context, m *Mirror, dir string) (Moved, error) {
	o, err := m.unpackOptions()
	if err != nil {
		return Moved{}, fmt.Errorf("pull from box %s: %w", b.ID(), err)
	}
	var have bytes.Buffer
	if err := tree.WriteStamps(&have, m.side(func(s stamps) tree.Stamp { return s.box })); err != nil {
		return Moved{}, err
	}
	r := request{method: http.MethodPost, path: wire.PathTree, query: m.pullQuery(dir), body: &have, length: int64(have.Len())}
	var t tree.Taken
	var ours error // a failure that is not the box's
	err = b.askTree(ctx, "pull", dir, r, func(res *http.Response) (err error) {
		stream := &source{r: res.Body}
		t, err = tree.Unpack(ctx, stream, m.Root, o)
		if err != nil && stream.err == nil && !errors.Is(err, wire.ErrProtocol) {
			ours = err
		}
		if errors.Is(err, ErrTreeTorn) { // the box is as good as before
			_, err = io.CopyN(io.Discard, res.Body, maxRest)
			return ignoreEOF(err)
		}
		return err
	})
	if ours != nil {
		return Moved{}, fmt.Errorf("pull from box %s: %w", b.ID(), ours)
	}
	if err != nil {
		return Moved{}, err
	}
	m.pulled(t)
	return Moved{Entries: len(t.Paths), Gone: len(t.Gone), Other: t.Other}, nil
}

// maxRest bounds what is read of an archive that nobody takes, in bytes: its
// last entry.
const maxRest = 128 << 20

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// source remembers that a stream failed, not what was made of it.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (m *Mirror) unpackOptions() (tree.UnpackOptions, error) {
	o := tree.UnpackOptions{
		Limits:  tree.Limits{Bytes: m.MaxBytes, Entries: m.MaxEntries},
		Staging: m.Staging, Skip: m.mayNotTravel, Sync: m.Sync,
		Owner: &tree.Owner{UID: m.Owner.UID, GID: m.Owner.GID},
		Known: func(p string) bool { _, known := m.known[p]; return known },
		// What somebody has changed here meanwhile is not removed.
		Keep: func(p string, now tree.Stamp) bool { return m.known[p].host != now },
	}
	if m.Private == "" {
		return o, nil
	}
	info, err := m.Root.Lstat(m.Private)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	o.Guard = info
	return o, err
}

// pulled remembers what came. Of files whose content did not come nothing is known.
func (m *Mirror) pulled(t tree.Taken) {
	if !m.NamesOnly {
		m.remember(t.Paths, t.Mine, t.Theirs, t.Gone)
		return
	}
	for i, p := range t.Paths {
		if _, known := m.known[p]; known {
			m.known[p] = stamps{t.Mine[i], t.Theirs[i]}
		}
	}
	m.remember(nil, nil, nil, t.Gone)
}

// askTree asks for a directory and gives errors their form, as askFile does.
func (b *Box) askTree(ctx context.Context, op, dir string, r request, read func(*http.Response) error) error {
	err := b.ask(ctx, TreeTime, r, read)
	var refused *wire.Error
	if errors.As(err, &refused) {
		return &fs.PathError{Op: op, Path: dir, Err: refused}
	}
	if err != nil {
		return b.lost(op+" a directory of", err)
	}
	return nil
}
