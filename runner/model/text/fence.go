package text

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxIndent is how many blanks may stand before what begins a block in
// Markdown; with more the line is quoted itself.
const maxIndent = 3

// fence is a line that opens or closes a block of code in Markdown: at most
// maxIndent blanks, three or more of one of two characters, and on an opening
// fence what the block is (https://spec.commonmark.org/0.31.2/#fenced-code-blocks).
type fence struct {
	mark byte
	size int
	info string
}

func readFence(line string) (f fence, ok bool) {
	s := strings.TrimLeft(line, " ")
	if len(line)-len(s) > maxIndent || s == "" || s[0] != '`' && s[0] != '~' {
		return f, false
	}
	f.mark = s[0]
	f.size = len(s) - len(strings.TrimLeft(s, s[:1]))
	f.info = strings.TrimSpace(s[f.size:])
	return f, f.size >= 3 && !(f.mark == '`' && strings.Contains(f.info, "`"))
}

func (f fence) closes(open fence) bool {
	return f.info == "" && f.mark == open.mark && f.size >= open.size
}

// isShell says that the block is a script.
func (f fence) isShell() bool {
	word, _, _ := strings.Cut(strings.ToLower(f.info), " ")
	return slices.Contains([]string{"bash", "sh", "shell"}, word)
}

// block is a block of code, which only the end of the text may leave open.
type block struct {
	open   fence
	inside string
	length int // bytes with its fences
	closed bool
}

// fenced is the script of the only shell block of a text, "" if there is none;
// fault says why there might be one and can't be run.
func fenced(text string) (script, fault string) {
	shell, at := shellBlocks(text)
	switch {
	case len(shell) == 0:
		return "", ""
	case len(shell) > 1:
		return "", fmt.Sprintf("No command found, but %d fences: one command a reply", len(shell))
	case !shell[0].closed:
		return "", "The fence is not closed"
	}
	b := shell[0]
	if !inHeredoc(b.inside) {
		return strings.TrimSpace(b.inside), ""
	}
	// A fence inside a file that the script writes has closed the block too
	// early: then it is the last line of the reply that closes it.
	_, script, _ = strings.Cut(strings.TrimSpace(text[at:]), "\n")
	last := strings.LastIndex(script, "\n") + 1
	if f, ok := readFence(script[last:]); !ok || !f.closes(b.open) || last <= len(b.inside) {
		return "", "The fence ends inside a file that the script writes"
	}
	return script[:last-1], ""
}

// shellBlocks are the outermost blocks that are scripts, and where the last begins.
func shellBlocks(text string) (shell []block, begins int) {
	for at := 0; at < len(text); {
		b, ok := readBlock(text[at:])
		if !ok {
			at = lineEnd(text, at)
			continue
		}
		if b.open.isShell() {
			shell, begins = append(shell, b), at
		}
		at += b.length
	}
	return shell, begins
}

// readBlock reads the block that text begins with. A fence that says what it
// opens opens something also inside of a block, which CommonMark does not know:
// a README in a script has both its fences.
func readBlock(text string) (b block, ok bool) {
	outer, ok := readFence(strings.TrimRight(line(text), "\r"))
	if !ok {
		return block{}, false
	}
	start := lineEnd(text, 0)
	open := []fence{outer}
	for at := start; at < len(text); {
		end := lineEnd(text, at)
		f, ok := readFence(strings.TrimRight(text[at:end], "\r\n"))
		switch inner := open[len(open)-1]; {
		case !ok:
		case f.closes(inner) && len(open) == 1:
			return block{outer, text[start:at], end, true}, true
		case f.closes(inner):
			open = open[:len(open)-1]
		case f.info != "" && f.mark == inner.mark && f.size >= inner.size:
			open = append(open, f)
		}
		at = end
	}
	return block{outer, text[start:], len(text), false}, true
}

var heredoc = regexp.MustCompile(`<<-?[ \t]*['"]?([A-Za-z_]\w*)`)

// inHeredoc says that a script ends in the middle of a text that it writes.
func inHeredoc(script string) bool {
	word := ""
	for l := range strings.SplitSeq(script, "\n") {
		if word != "" {
			if strings.TrimLeft(strings.TrimRight(l, "\r"), "\t") == word {
				word = ""
			}
		} else if m := heredoc.FindStringSubmatch(l); m != nil {
			word = m[1]
		}
	}
	return word != ""
}
