package tool

// Numbers bound what the model gets to see.
type Numbers struct {
	// Head and Tail are bytes of a command's output kept from both ends. Test
	// summaries stand at the end, so the tail is the larger part.
	Head, Tail int
	// Line is the longest line in bytes; the rest of it is counted.
	Line int
	// ReadLines and ReadBytes bound one read of a file.
	ReadLines, ReadBytes int
}

// DefaultNumbers are for a model with a window of 64k tokens or more.
func DefaultNumbers() Numbers {
	return Numbers{Head: 4 << 10, Tail: 8 << 10, Line: 1000, ReadLines: 400, ReadBytes: 16 << 10}
}

// bytesPerToken is the usual size of a token of program text, for turning a
// window in tokens into bytes.
const bytesPerToken = 4

// NumbersFor are the numbers for a window of so many tokens; 0 is unknown and
// treated as large. One read may take a tenth of the window at most.
func NumbersFor(window int) Numbers {
	n := DefaultNumbers()
	switch {
	case window <= 0:
		return n
	case window < 32_000:
		n.Head, n.Tail = 1<<10, 2<<10
	case window < 64_000:
		n.Head, n.Tail = 2<<10, 4<<10
	}
	n.ReadBytes = min(n.ReadBytes, window/10*bytesPerToken)
	return n
}
