package text

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Command is what the text of a reply asks for: one call, or why there is none.
type Command struct {
	Call  model.Call // without an id; no name: there is none
	Fault string     // why there is none, for the model, without a full stop
	Form  string     // the shortest example of what was probably meant
	Text  string     // the reply as it goes back: without thought and imagined results
	Later int        // commands after the first, which are not run; maxLater and more are maxLater
	Marks []string   // of what was tolerated

	before string // the text before the call
}

// maxLater is where commands that are ignored are not counted any further.
const maxLater = 20

func (c Command) has(mark string) bool { return slices.Contains(c.Marks, mark) }

func (c *Command) mark(mark string) { c.Marks = append(c.Marks, mark) }

// Parse finds the command in the text of a reply. Whatever a model writes,
// there is a call or a fault. It takes time in proportion to the text.
func Parse(reply string) Command {
	text := withoutThought(reply)
	at, isResult := firstTag(text)
	if at < 0 || isResult {
		return untagged(text, at)
	}
	c := tagged(text, at)
	if c.Call.Name == "" {
		c.Text = strings.TrimSpace(text)
	}
	return c
}

// only is the one command of a reply that was offered tools. ok is false if
// there is none, or more than one.
func only(reply string) (c Command, ok bool) {
	text := withoutThought(reply)
	at, isResult := firstTag(text)
	forms := countForms(text)
	switch {
	case at >= 0 && !isResult:
		c = tagged(text, at)
		return c, c.Call.Name != "" && c.Later == 0 && forms == 0
	case forms == 1:
		c, ok = otherForm(text)
		return c, ok
	default:
		return c, false
	}
}

// untagged is a reply without a command of the protocol before result, where
// the model began to imagine one; -1 if it did not.
func untagged(text string, result int) Command {
	c := Command{Text: strings.TrimSpace(text), Form: form("bash")}
	if result >= 0 {
		c.mark(MarkImagined)
		c.Text = strings.TrimSpace(text[:result])
	}
	if call, ok := otherForm(c.Text); ok {
		c.Call, c.before, c.Later = call.Call, call.before, min(countForms(c.Text)-1, maxLater)
		c.mark(MarkForm)
		return c
	}
	script, fault := fenced(c.Text)
	switch {
	case fault != "":
		c.Fault = fault
	case script != "":
		c.Call = call("bash", map[string]string{"command": script})
		c.mark(MarkFence)
	case result >= 0:
		c.Fault = "No command found before the <result> that you wrote yourself"
	default:
		c.Fault = "No command found"
	}
	return c
}

// tagged is the command whose opening tag is at at.
func tagged(text string, at int) Command {
	c := Command{before: text[:at]}
	t, _ := opening(line(text[at:]))
	c.Form = form(t.name)
	if t.broken {
		c.Fault = fmt.Sprintf("The tag <%s …> can't be read", t.name)
		return c
	}
	start := at + t.length
	body, end, closed := body(text, start, t)
	switch {
	case !closed:
		c.Fault = fmt.Sprintf("<%s> is not closed", t.name)
		return c
	case end.loose:
		c.mark(MarkClosing)
	}
	if c.Call, c.Fault = t.call(body); c.Fault != "" {
		return c
	}
	c.rest(text, end.at)
	return c
}

// rest looks at what follows the command, from at on.
func (c *Command) rest(text string, at int) {
	after := text[at:]
	whole := at
	for {
		next, isResult := firstTag(after)
		if next < 0 {
			whole = len(text)
			break
		}
		if isResult {
			whole = len(text) - len(after) + next
			c.mark(MarkImagined)
			break
		}
		if c.Later++; c.Later == maxLater {
			whole = len(text)
			break
		}
		t, _ := opening(line(after[next:]))
		skip := next + max(t.length, 1)
		if _, end, closed := body(after, skip, t); closed {
			skip = end.at
		}
		after = after[skip:]
	}
	if c.Later > 0 {
		c.mark(MarkLater)
	}
	c.Text = strings.TrimSpace(text[:whole])
}

// call is a tool call with these arguments.
func call(name string, args map[string]string) model.Call {
	raw, err := json.Marshal(args)
	if err != nil { // a map of strings always marshals
		raw = []byte("{}")
	}
	return model.Call{Name: name, Arguments: string(raw)}
}

// call is the call that a tag and what is in it mean.
func (t tag) call(body string) (_ model.Call, fault string) {
	args := map[string]string{}
	for k, v := range t.attributes {
		args[k] = v
	}
	switch t.name {
	case "bash":
		args["command"] = unwrapped(body)
	case "write":
		args["content"] = lineEnded(strings.TrimPrefix(strings.TrimPrefix(body, "\r"), "\n"))
	case "edit":
		old, rest, ok := section(body, "old")
		if !ok {
			return model.Call{}, "<edit> has no <old>…</old>"
		}
		replacement, _, ok := section(rest, "new")
		if !ok {
			return model.Call{}, "<edit> has no <new>…</new> after its <old>…</old>"
		}
		args["old_string"], args["new_string"] = old, replacement
	case "read":
		if path := strings.TrimSpace(body); args["path"] == "" && path != "" {
			args["path"] = path
		}
	case "finish":
		args["note"] = strings.TrimSpace(body)
	}
	return call(t.name, args), ""
}

// section is what is between <name> and </name> at the start of lines, and
// what follows it. Both may stand on one line.
func section(body, name string) (inside, rest string, ok bool) {
	open, shut := "<"+name+">", "</"+name+">"
	start := atLineStart(body, open)
	if start < 0 {
		return "", "", false
	}
	start += len(open)
	if one := line(body[start:]); strings.HasSuffix(strings.TrimRight(one, " \t\r"), shut) {
		end := start + strings.LastIndex(one, shut)
		return body[start:end], body[end+len(shut):], true
	}
	end := atLineStart(body[start:], shut)
	if end < 0 {
		return "", "", false
	}
	return unwrapped(body[start : start+end]), body[start+end+len(shut):], true
}

// unwrapped is a body without the line break after its opening tag and the
// one before its closing tag.
func unwrapped(body string) string {
	body = strings.TrimPrefix(strings.TrimPrefix(body, "\r"), "\n")
	return strings.TrimSuffix(strings.TrimSuffix(body, "\n"), "\r")
}

// lineEnded is a file's content with the end of its last line.
func lineEnded(content string) string {
	if content == "" || strings.HasSuffix(content, "\n") {
		return content
	}
	return content + "\n"
}

// form is the shortest example of a command.
func form(name string) string {
	switch name {
	case "read":
		return `<read path="file"/>`
	case "write":
		return "<write path=\"file\">\nthe whole file\n</write>"
	case "edit":
		return "<edit path=\"file\">\n<old>\nlines copied exactly\n</old>\n<new>\nlines that replace them\n</new>\n</edit>"
	case "finish":
		return `<finish status="done">note</finish>`
	default:
		return "<bash>\nthe command\n</bash>"
	}
}
