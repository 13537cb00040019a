package text

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// fence is a line that opens or closes a block of code in Markdown: at most
// three blanks, three or more of one of two characters, and on an opening
// fence what the block is (https://spec.commonmark.org/0.31.2/#fenced-code-blocks).
type fence struct {
	mark byte
	size int
	info string
}

func readFence(line string) (f fence, ok bool) {
	s := strings.TrimLeft(line, " ")
	if len(line)-len(s) > 3 || s == "" || s[0] != '`' && s[0] != '~' {
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

// block is a block of code: the lines from first up to last.
type block struct {
	open        fence
	first, last int
	closed      bool
}

// fenced is the script of the only shell block of a text, "" if there is none;
// fault says why there might be one and can't be run.
func fenced(text string) (script, fault string) {
	lines := strings.Split(text, "\n")
	var shell []block
	for _, b := range blocks(lines) {
		if b.open.isShell() {
			shell = append(shell, b)
		}
	}
	switch {
	case len(shell) == 0:
		return "", ""
	case len(shell) > 1:
		return "", fmt.Sprintf("No command found, but %d fences: one command a reply", len(shell))
	case !shell[0].closed:
		return "", "The fence is not closed"
	}
	b := shell[0]
	script = strings.Join(lines[b.first:b.last], "\n")
	if !inHeredoc(script) {
		return strings.TrimSpace(script), ""
	}
	// A fence inside a file that the script writes has closed the block too
	// early: then it is the last line of the reply that closes it.
	last := len(lines) - 1
	for last > b.last && strings.TrimSpace(lines[last]) == "" {
		last--
	}
	if f, ok := readFence(lines[last]); !ok || !f.closes(b.open) || last <= b.last {
		return "", "The fence ends inside a file that the script writes"
	}
	return strings.Join(lines[b.first:last], "\n"), ""
}

// blocks are the outermost blocks of code. A fence that says what it opens
// opens something also inside of a block, which CommonMark does not know: a
// README in a script has both its fences.
func blocks(lines []string) (out []block) {
	var open []fence
	for i, l := range lines {
		f, ok := readFence(strings.TrimRight(l, "\r"))
		switch n := len(open); {
		case !ok:
		case n == 0:
			open = append(open, f)
			out = append(out, block{open: f, first: i + 1, last: len(lines)})
		case f.closes(open[n-1]):
			if open = open[:n-1]; n == 1 {
				out[len(out)-1].last, out[len(out)-1].closed = i, true
			}
		case f.info != "" && f.mark == open[n-1].mark && f.size >= open[n-1].size:
			open = append(open, f)
		}
	}
	return out
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
