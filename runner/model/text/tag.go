package text

import "strings"

// names are the tools that have a tag.
func names() []string { return []string{"bash", "read", "write", "edit", "finish"} }

// tag is an opening tag.
type tag struct {
	name       string
	attributes map[string]string
	length     int  // bytes up to and including ">"
	empty      bool // it ends in "/>": nothing is in it
	broken     bool // it has no end on its line, or no sense
}

// maxAttributes of a tag; no tool has so many parameters.
const maxAttributes = 16

// opening reads the opening tag of a tool at the beginning of a line.
func opening(line string) (t tag, ok bool) {
	rest, ok := strings.CutPrefix(line, "<")
	if !ok {
		return tag{}, false
	}
	for _, name := range names() {
		after, found := strings.CutPrefix(rest, name)
		if found && after != "" && strings.IndexByte(" \t/>", after[0]) >= 0 {
			t = tag{name: name, attributes: map[string]string{}}
			left, ok := t.read(after)
			t.length, t.broken = len(line)-len(left), !ok
			return t, true
		}
	}
	return tag{}, false
}

// read reads attributes up to the end of the tag and returns what follows it.
// Values stand in quotes of either kind or in none; nothing in them is escaped.
func (t *tag) read(s string) (rest string, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t")
		if rest, ok := strings.CutPrefix(s, ">"); ok {
			return rest, true
		}
		if rest, ok := strings.CutPrefix(s, "/>"); ok {
			t.empty = true
			return rest, true
		}
		n := 0
		for n < len(s) && (s[n] == '_' || s[n] == '-' || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z') {
			n++
		}
		if n == 0 || len(t.attributes) == maxAttributes {
			return s, false
		}
		name := s[:n]
		value, left, ok := attribute(strings.TrimLeft(s[n:], " \t"))
		if !ok {
			return s, false
		}
		t.attributes[name], s = value, left
	}
}

// attribute reads ="value", ='value', =value, or nothing, which is "true".
func attribute(s string) (value, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "=")
	if !ok {
		return "true", s, true
	}
	s = strings.TrimLeft(s, " \t")
	if s == "" {
		return "", "", false
	}
	if quote := s[:1]; quote == `"` || quote == "'" {
		return strings.Cut(s[1:], quote)
	}
	n := strings.IndexAny(s, " \t>")
	if n > 0 && s[n] == '>' && s[n-1] == '/' {
		n--
	}
	if n <= 0 {
		return "", "", false
	}
	return s[:n], s[n:], true
}

// ending is where a command ends.
type ending struct {
	at    int  // behind its closing tag
	loose bool // which does not stand where it should
}

// body is what is in a tag that was opened before start. It ends at the first
// closing tag at the start of a line. What does not go over its line's end,
// and notes of finish, may also end elsewhere; so may a command whose closing
// tag was put at the end of a line, if nothing says that it goes on: such a
// one is loose. A second opening tag of the same kind says that the first was
// never closed.
func body(text string, start int, t tag) (inside string, end ending, ok bool) {
	shut := "</" + t.name + ">"
	if t.empty {
		return "", ending{at: start}, true
	}
	first := line(text[start:])
	if i := strings.Index(first, shut); i >= 0 {
		if after := strings.TrimSpace(first[i+len(shut):]); after == "" || after[0] == '<' {
			loose := t.name != "finish" && t.name != "read"
			return first[:i], ending{start + i + len(shut), loose}, true
		}
	}
	if t.name == "read" && t.attributes["path"] != "" {
		return "", ending{at: start}, true
	}
	region := text[start:]
	if again := nextOpening(region, t.name); again >= 0 {
		region = region[:again]
	}
	if i := atLineStart(region, shut); i >= 0 {
		return region[:i], ending{at: start + i + len(shut)}, true
	}
	if t.name == "finish" {
		if i := strings.Index(region, shut); i >= 0 {
			return region[:i], ending{at: start + i + len(shut)}, true
		}
	}
	if i := atLineEnd(region, shut); i >= 0 {
		return region[:i], ending{start + i + len(shut), true}, true
	}
	return "", ending{}, false
}

// nextOpening is where the next tool called name is opened after a first line.
func nextOpening(text, name string) int {
	for at := len(line(text)) + 1; at < len(text); {
		l := line(text[at:])
		if t, ok := opening(l); ok && t.name == name {
			return at
		}
		at += len(l) + 1
	}
	return -1
}

// withoutThought is a reply without what a reasoning model thinks before it
// acts: <think>…</think> at the start of lines before the first command, a
// last one without its end, and a first one whose beginning the server has
// swallowed. What is in a command stays.
func withoutThought(reply string) string {
	if i := thoughtsEnd(reply); i >= 0 {
		reply = reply[i:]
	}
	var b strings.Builder
	for at := 0; at < len(reply); {
		rest := reply[at:]
		l := line(rest)
		switch {
		case opensCommand(rest) || strings.HasPrefix(l, resultTag):
			b.WriteString(rest)
			return b.String()
		case strings.HasPrefix(l, "<think>") || strings.HasPrefix(l, "<thinking>"):
			shut := "</" + strings.TrimPrefix(l[:strings.IndexByte(l, '>')+1], "<")
			i := strings.Index(rest, shut)
			if i < 0 {
				return b.String()
			}
			at += i + len(shut)
			// What follows on the same line begins a line of its own.
			at += len(reply[at:]) - len(strings.TrimLeft(reply[at:], " \t\r\n"))
		default:
			b.WriteString(rest[:min(len(l)+1, len(rest))])
			at += len(l) + 1
		}
	}
	return b.String()
}

// thoughtsEnd is behind the first </think> that has a line for itself and was
// never opened, or -1. One in a file that is written, or quoted, ends no thought.
func thoughtsEnd(reply string) int {
	for p := range pieces(reply) {
		if p.kind != kindLine {
			continue
		}
		switch l := reply[p.at:p.end]; {
		case strings.Contains(l, "<think"):
			return -1
		case startsLine(reply, p.at) && strings.TrimRight(l, " \t\r\n") == "</think>":
			return len(reply) - len(strings.TrimLeft(reply[p.end:], " \t\r\n"))
		}
	}
	return -1
}

// line is the first line of text, without its end.
func line(text string) string {
	l, _, _ := strings.Cut(text, "\n")
	return l
}

// lineEnd is where the line ends that begins at at, behind its line break.
func lineEnd(text string, at int) int { return min(at+len(line(text[at:]))+1, len(text)) }

func startsLine(text string, at int) bool { return at == 0 || text[at-1] == '\n' }

// atLineStart is where what first stands at the start of a line, -1 if nowhere.
func atLineStart(text, what string) int {
	if strings.HasPrefix(text, what) {
		return 0
	}
	if i := strings.Index(text, "\n"+what); i >= 0 {
		return i + 1
	}
	return -1
}

// atLineEnd is where what first stands at the end of a line, -1 if nowhere.
func atLineEnd(text, what string) int {
	for at := 0; at < len(text); {
		l := line(text[at:])
		if short := strings.TrimRight(l, " \t\r"); strings.HasSuffix(short, what) {
			return at + len(short) - len(what)
		}
		at += len(l) + 1
	}
	return -1
}
