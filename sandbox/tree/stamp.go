package tree

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Stamp tells the side that made it whether an entry still is what it was:
// kind, permissions, and of a file its size and the times of its last changes.
// The time of the inode's change is among them, which no program can set. The
// zero Stamp is that of nothing.
type Stamp [12]byte

// stampOf makes the stamp of an entry; target is what a link leads to.
func stampOf(info fs.FileInfo, target string) Stamp {
	b := make([]byte, 0, 64+len(target))
	b = binary.BigEndian.AppendUint32(b, uint32(info.Mode()&(fs.ModeType|fs.ModePerm)))
	switch {
	case info.Mode().IsRegular():
		b = binary.BigEndian.AppendUint64(b, uint64(info.Size()))
		b = appendTime(b, info.ModTime())
		b = appendTime(b, ChangeTime(info))
	case info.Mode()&fs.ModeSymlink != 0:
		b = append(b, target...)
	}
	sum := sha256.Sum256(b)
	return Stamp(sum[:])
}

// appendTime appends seconds and nanoseconds: a box may set any time, and the
// nanoseconds since 1970 of one after 2262 are no int64.
func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

// fresh says that a file was changed so short a time ago that it might change
// once more without its times telling: their grain is some milliseconds.
func fresh(info fs.FileInfo, within time.Duration) bool {
	return within > 0 && info.Mode().IsRegular() && time.Since(ChangeTime(info)) < within
}

// maxStamps bounds a list of stamps in bytes: a million entries with names of
// 80 bytes.
const maxStamps = 96 << 20

// WriteStamps writes what the other side is said to have: each path, a NUL
// byte, its stamp.
func WriteStamps(w io.Writer, have map[string]Stamp) error {
	b := bufio.NewWriter(w)
	for path, stamp := range have {
		b.WriteString(path)
		b.WriteByte(0)
		b.Write(stamp[:])
	}
	return b.Flush() // the first error of all
}

// ReadStamps reads what [WriteStamps] wrote, to the end of r.
func ReadStamps(r io.Reader) (map[string]Stamp, error) {
	have := map[string]Stamp{}
	in := bufio.NewReader(io.LimitReader(r, maxStamps))
	for {
		path, err := in.ReadString(0)
		if errors.Is(err, io.EOF) && path == "" {
			return have, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: a list of stamps that is cut off", wire.ErrProtocol)
		}
		var s Stamp
		if _, err := io.ReadFull(in, s[:]); err != nil {
			return nil, fmt.Errorf("%w: a list of stamps that is cut off", wire.ErrProtocol)
		}
		have[path[:len(path)-1]] = s
	}
}
