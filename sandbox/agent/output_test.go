//go:build linux

package agent

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A tail is the end of all that was written, in whatever pieces it came, and
// holds little more than it keeps.
func TestTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kept := tail{max: rapid.SampledFrom([]int{0, 1, 100, minBlock, blockSize - 1, blockSize, 3*blockSize + 5}).Draw(t, "max")}
		var all []byte
		for range rapid.IntRange(0, 12).Draw(t, "writes") {
			p := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.OneOf(
				rapid.IntRange(0, 200), rapid.IntRange(0, 2*blockSize)).Draw(t, "length"))
			kept.write(p)
			all = append(all, p...)
		}
		want := all[max(0, len(all)-kept.max):]
		if got := slices.Concat(slices.Collect(kept.pieces())...); !bytes.Equal(got, want) || kept.total != int64(len(all)) {
			t.Fatalf("%d bytes are kept of %d, want %d", len(got), len(all), len(want))
		}
		if held := len(kept.blocks) * blockSize; held > kept.max+2*blockSize {
			t.Fatalf("%d blocks are held to keep %d bytes", len(kept.blocks), kept.max)
		}
	})
}
