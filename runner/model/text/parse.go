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
	text := strings.TrimSpace(withoutThought(reply))
	found, result := commands(text)
	switch {
	case len(found) == 0:
		return untagged(text)
	case len(found) > 1 && found[0].fenced:
		return Command{Text: text, Form: form("bash"), Fault: fmt.Sprintf("No command found, but %d in fences: one command a reply", len(found))}
	default:
		return first(text, found, result)
	}
}

// only is the one command of a reply that was offered tools. ok is false if
// there is none, or more than one.
func only(reply string) (c Command, ok bool) {
	text := strings.TrimSpace(withoutThought(reply))
	found, result := commands(text)
	if len(found) != 1 {
		return c, false
	}
	c = first(text, found, result)
	return c, c.Call.Name != ""
}

// commands are those of a text before result, where the model began to imagine
// one, or the text's end. A command that is all that a fence holds was meant,
// if no other stands outside of a fence: then it was an example.
func commands(text string) (found []piece, result int) {
	var examples []piece
	result = len(text)
	for p := range pieces(text) {
		if p.kind == kindLine && strings.HasPrefix(text[p.at:p.end], resultTag) {
			result = p.at
			break
		}
		switch {
		case p.kind != kindTag && p.kind != kindForm:
		case p.fenced:
			examples = append(examples, p)
		default:
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		found = examples
	}
	return found, result
}

// untagged is a reply without a command at the start of a line, which may have
// one in a fence.
func untagged(text string) Command {
	c := Command{Text: text, Form: form("bash")}
	result := atLineStart(text, resultTag)
	if result >= 0 {
		c.mark(MarkImagined)
		c.Text = strings.TrimSpace(text[:result])
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

// first is the first of the commands that were found in text before result.
func first(text string, found []piece, result int) Command {
	c := Command{Form: form("bash"), Fault: "No command found"}
	p := found[0]
	switch {
	case p.kind == kindTag:
		c = tagged(text, p.open)
	case p.call.Name != "":
		c = Command{Call: p.call, Form: form("bash")}
		c.mark(MarkForm)
	}
	if c.before, c.Text = text[:p.at], text; c.Call.Name == "" {
		return c
	}
	if result < len(text) {
		c.mark(MarkImagined)
		c.Text = strings.TrimSpace(text[:result])
	}
	if c.Later = min(len(found)-1, maxLater); c.Later > 0 {
		c.mark(MarkLater)
	}
	return c
}

// tagged is the command whose opening tag is at at.
func tagged(text string, at int) Command {
	t, _ := opening(line(text[at:]))
	c := Command{Form: form(t.name)}
	if t.broken {
		c.Fault = fmt.Sprintf("The tag <%s …> can't be read", t.name)
		return c
	}
	body, end, closed := body(text, at+t.length, t)
	switch {
	case !closed:
		c.Fault = fmt.Sprintf("<%s> is not closed", t.name)
		return c
	case end.loose:
		c.mark(MarkClosing)
	}
	c.Call, c.Fault = t.call(body)
	return c
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
