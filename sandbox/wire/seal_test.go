package wire_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

type pile struct{ bytes.Buffer }

func (*pile) Close() error { return nil }

// end is one side of a stream that reads from in and writes to out.
func end(t *testing.T, in io.Reader, out io.Writer, host bool) io.ReadWriteCloser {
	t.Helper()
	s, err := wire.Seal(struct {
		io.Reader
		io.Writer
		io.Closer
	}{in, out, &pile{}}, bytes.Repeat([]byte{7}, wire.KeySize), host)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What one side writes the other reads, however it is cut on the way.
func TestSealCarriesEverything(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcde"), 10000)
	var way pile
	agent := end(t, &way, &way, false)
	for rest, n := want, 1; len(rest) > 0; n *= 3 {
		n = min(n, len(rest))
		if _, err := agent.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if bytes.Contains(way.Bytes(), want[:15]) {
		t.Error("it can be read on the way")
	}
	got, err := io.ReadAll(end(t, iotest.OneByteReader(&way), io.Discard, true))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

// In some kernels a box can write into its agent's stream and read from it:
// it must not be able to say anything, only to break it.
func TestSealBreaksWhenTouched(t *testing.T) {
	var way pile
	agent := end(t, &way, &way, false)
	var records [][]byte
	for _, line := range []string{"first", "second", "third"} {
		way.Reset()
		if _, err := agent.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		records = append(records, bytes.Clone(way.Bytes()))
	}
	flipped := bytes.Clone(records[0])
	flipped[len(flipped)-1] ^= 1
	way.Reset()
	if _, err := end(t, &way, &way, true).Write([]byte("from the host")); err != nil {
		t.Fatal(err)
	}
	reflected := bytes.Clone(way.Bytes())
	for name, stream := range map[string][][]byte{
		"a lie":      {[]byte("\x00\x05hello")},
		"plain":      {[]byte("HTTP/1.1 200 OK\r\n\r\n")},
		"before it":  {[]byte("x"), records[0]},
		"changed":    {flipped},
		"repeated":   {records[0], records[0]},
		"left out":   {records[0], records[2]},
		"reordered":  {records[1], records[0]},
		"reflected":  {reflected},
		"empty":      {{0, 0}},
		"too long":   {{0xff, 0xff}, make([]byte, 1<<16)},
		"only a tag": {{0, 16}, make([]byte, 16)},
	} {
		got, err := io.ReadAll(end(t, bytes.NewReader(bytes.Join(stream, nil)), io.Discard, true))
		if !errors.Is(err, wire.ErrProtocol) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
		if len(got) > 0 && string(got) != "first" {
			t.Errorf("%s: %q was believed", name, got)
		}
	}
	if _, err := wire.Seal(&way, []byte("short"), true); err == nil {
		t.Error("a short key is taken")
	}
}
