package text

import (
	"iter"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
)

// kind is what a piece of a reply is.
type kind int

const (
	kindLine  kind = iota // none of the others
	kindTag               // a command of the protocol, or the tag of one that has no end
	kindForm              // a call in the form of another program
	kindQuote             // a block of code
)

// resultTag begins a result, which a model must not write.
const resultTag = "<result"

// piece is a part of a reply that is one thing. What looks like a command in a
// file that is written, or in a block of code, is part of that piece.
type piece struct {
	kind    kind
	at, end int
	fenced  bool       // it is a command that is all that a fence holds
	open    int        // where a command's own text begins, behind the fence
	call    model.Call // of kindForm; without a name it can't be read
}

// pieces cuts a text into its pieces. What follows a command on the same line
// begins a line of its own, so that a second command is seen; after maxLater of
// them it is looked at no more, for each looks at the whole line.
func pieces(text string) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		quotes, onLine := true, 0
		for at := 0; at < len(text); {
			p, ok := piece{}, false
			if startsLine(text, at) {
				onLine = 0
			}
			if onLine++; onLine <= maxLater+1 {
				p, ok = command(text, at)
			}
			if !ok && quotes {
				p, ok, quotes = quote(text, at)
			}
			if !ok {
				p = piece{at: at, end: lineEnd(text, at)}
			}
			if !yield(p) {
				return
			}
			at = p.end
		}
	}
}

// opensCommand says that text begins with a command, whole or not.
func opensCommand(text string) bool {
	_, isTag := opening(line(text))
	_, _, isForm := readForm(text)
	return isTag || isForm
}

// command is the one that begins at at.
func command(text string, at int) (p piece, ok bool) {
	if p, _, ok = tagAt(text, at); ok {
		return p, true
	}
	call, length, ok := readForm(text[at:])
	return piece{kind: kindForm, at: at, end: behind(text, at+length), open: at, call: call}, ok
}

// tagAt is the command whose tag opens at at. One that is not closed ends with
// its line.
func tagAt(text string, at int) (p piece, closed, ok bool) {
	t, ok := opening(line(text[at:]))
	if !ok {
		return piece{}, false, false
	}
	p = piece{kind: kindTag, at: at, end: lineEnd(text, at), open: at}
	if t.broken {
		return p, false, true
	}
	_, end, closed := body(text, at+t.length, t)
	if closed {
		p.end = behind(text, end.at)
	}
	return p, closed, true
}

// behind is at without the blanks there.
func behind(text string, at int) int {
	return len(text) - len(strings.TrimLeft(text[at:], " \t"))
}

// quote is the block of code that begins at at, or the command that is all
// there is in it. Behind a fence that is never closed there are no more blocks,
// and what is there is taken as if it stood outside: that is a slip, and no
// quotation.
func quote(text string, at int) (p piece, ok, more bool) {
	if p, ok = fencedTag(text, at); ok {
		return p, true, true
	}
	b, ok := readBlock(text[at:])
	switch {
	case !ok:
		return piece{}, false, true
	case !b.closed:
		return piece{}, false, false
	}
	p = piece{kind: kindQuote, at: at, end: at + b.length}
	inside := strings.TrimSpace(b.inside)
	if call, length, isForm := readForm(inside); isForm && length == len(inside) && call.Name != "" {
		p.kind, p.fenced, p.call = kindForm, true, call
	}
	return p, true, true
}

// fencedTag is a command that is all there is between two fences. A fence in
// what it writes does not end it.
func fencedTag(text string, at int) (p piece, ok bool) {
	open, ok := readFence(strings.TrimRight(line(text[at:]), "\r"))
	if !ok {
		return piece{}, false
	}
	inside := strings.TrimLeft(text[lineEnd(text, at):], "\r\n")
	p, closed, ok := tagAt(text, len(text)-len(inside))
	if !ok || !closed {
		return piece{}, false
	}
	after := strings.TrimLeft(text[p.end:], " \t\r\n")
	last := line(after)
	if f, isFence := readFence(strings.TrimSpace(last)); !isFence || !f.closes(open) {
		return piece{}, false
	}
	p.at, p.end, p.fenced = at, len(text)-len(after)+len(last), true
	return p, true
}
