package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/glovebox-run/glovebox/sandbox/tree"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Mirror is a directory of the host that has a copy in boxes, and what the host
// knows of that copy. One goroutine uses it at a time, and while it does nobody
// else works in the host's directory. Without anything known the copy is taken
// for empty.
//
// What both sides have changed since they were the same is the box's in the
// end; what only one has changed is that one's.
type Mirror struct {
	// Root is the host's directory. Nothing in it is trusted.
	Root *os.Root
	// Staging is a path below Root, on the same file system, where an archive
	// lies until it is whole: below Private, or named so that nobody else does.
	Staging string
	// Private is the name of a directory at the top of Root that no box has, in
	// either direction; "" is none.
	Private string
	// Owner is whom the host gives what comes from boxes, if it may.
	Owner User
	// MaxBytes and MaxEntries bound what comes from a box at once.
	MaxBytes   int64
	MaxEntries int
	// Sync says which files are safe on disk when Pull returns; nil is none.
	Sync func(path string) bool
	// NamesOnly makes Pull bring of files that were not pushed the names only,
	// as empty files, and nothing of what has a name in Except. Push works once then.
	NamesOnly bool
	Except    []string

	known  map[string]stamps // what was the same on both sides, by path
	pushed bool
}

// stamps are what a path was like on either side.
type stamps struct{ host, box tree.Stamp }

// Moved says what a synchronisation moved.
type Moved struct {
	Entries int // that changed
	Gone    int // that were removed
	Other   int // that don't travel: pipes, sockets, devices, what lies too deep
}

// mayNotTravel says of a path that no box has it.
func (m *Mirror) mayNotTravel(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return first == wire.TreeIncoming || m.Private != "" && first == m.Private || p == m.Staging
}

// query is what the agent is told of a mirror.
func (m *Mirror) query(dir string) url.Values {
	q := url.Values{"path": {dir}}
	if m.Private != "" {
		q.Add("skip", "/"+m.Private)
	}
	return q
}

// pullQuery is what it is told besides when something is to come.
func (m *Mirror) pullQuery(dir string) url.Values {
	q := m.query(dir)
	if m.NamesOnly {
		q.Set("names", "1")
		q["skip"] = append(q["skip"], m.Except...)
	}
	return q
}

// side is what one side had, by path.
func (m *Mirror) side(of func(stamps) tree.Stamp) map[string]tree.Stamp {
	have := make(map[string]tree.Stamp, len(m.known))
	for p, s := range m.known {
		have[p] = of(s)
	}
	return have
}

// remember notes what is the same on both sides now.
func (m *Mirror) remember(paths []string, host, box []tree.Stamp, gone []string) {
	if m.known == nil {
		m.known = map[string]stamps{}
	}
	for i, p := range paths {
		m.known[p] = stamps{host[i], box[i]}
	}
	for _, p := range gone {
		delete(m.known, p)
	}
}

// Save writes what is known of the copy, so that another process can go on.
func (m *Mirror) Save(w io.Writer) error {
	b := bufio.NewWriter(w)
	for p, s := range m.known {
		b.WriteString(p)
		b.WriteByte(0)
		b.Write(s.host[:])
		b.Write(s.box[:])
	}
	return b.Flush()
}

// Load reads what Save wrote, all of r.
func (m *Mirror) Load(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.known = map[string]stamps{}
	for len(data) > 0 {
		path, rest, found := bytes.Cut(data, []byte{0})
		var s stamps
		if !found || len(rest) < len(s.host)+len(s.box) {
			return errors.New("what is known of a copy is cut off")
		}
		if err := tree.CheckName(string(path)); err != nil {
			return fmt.Errorf("what is known of a copy: %w", err)
		}
		rest = rest[copy(s.host[:], rest):]
		rest = rest[copy(s.box[:], rest):]
		m.known[string(path)] = s
		data = rest
	}
	return nil
}
