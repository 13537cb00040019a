package text

import (
	"encoding/json"
	"strings"
	"unicode"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Models write calls in the form that they were trained on, and some servers
// don't see them: Hermes' and Qwen's <tool_call>{json}</tool_call>, and
// Qwen-Coder's <function=name><parameter=key>value</parameter></function>.
const (
	toolCall, toolCallEnd   = "<tool_call>", "</tool_call>"
	function, functionEnd   = "<function=", "</function>"
	parameter, parameterEnd = "<parameter=", "</parameter>"
)

// readForm reads the call in one of these forms that text begins with. One
// that can't be read has no name, and no end either: what follows may be a file
// that it was to write.
func readForm(text string) (c model.Call, length int, ok bool) {
	rest := strings.TrimLeft(text, " ")
	if len(text)-len(rest) > maxIndent {
		return c, 0, false
	}
	inside, tagged := strings.CutPrefix(rest, toolCall)
	if tagged {
		inside = strings.TrimLeftFunc(inside, unicode.IsSpace)
	}
	after, isFunction := strings.CutPrefix(inside, function)
	switch {
	case isFunction:
		c, rest, ok = functionCall(after)
	case tagged && strings.HasPrefix(inside, "{"):
		c, rest, ok = jsonCall(inside)
	default:
		return c, 0, false
	}
	if !ok {
		return model.Call{}, len(text), true
	}
	if tagged {
		rest = strings.TrimPrefix(strings.TrimLeftFunc(rest, unicode.IsSpace), toolCallEnd)
	}
	return c, len(text) - len(rest), true
}

// jsonCall reads {"name": …, "arguments": {…}} up to the end of its tag, which
// only the end of the text may stand for.
func jsonCall(text string) (_ model.Call, rest string, ok bool) {
	var c struct {
		Name       string          `json:"name"`
		Arguments  json.RawMessage `json:"arguments"`
		Parameters json.RawMessage `json:"parameters"`
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&c); err != nil || c.Name == "" {
		return model.Call{}, "", false
	}
	rest = strings.TrimLeftFunc(text[decoder.InputOffset():], unicode.IsSpace)
	if rest != "" && !strings.HasPrefix(rest, toolCallEnd) {
		return model.Call{}, "", false
	}
	args := c.Arguments
	if args == nil {
		args = c.Parameters
	}
	if args == nil {
		args = json.RawMessage("{}")
	}
	var inner string
	if json.Unmarshal(args, &inner) == nil {
		return model.Call{Name: c.Name, Arguments: inner}, rest, true
	}
	return model.Call{Name: c.Name, Arguments: string(args)}, rest, true
}

// functionCall reads what follows "<function=", up to its end.
func functionCall(text string) (_ model.Call, rest string, ok bool) {
	name, text, ok := strings.Cut(text, ">")
	if name = strings.TrimSpace(name); !ok || name == "" || len(name) > 64 {
		return model.Call{}, "", false
	}
	args := map[string]string{}
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if rest, ended := strings.CutPrefix(text, functionEnd); ended {
			return call(name, args), rest, true
		}
		rest, isParameter := strings.CutPrefix(text, parameter)
		key, rest, named := strings.Cut(rest, ">")
		value, rest, closed := strings.Cut(rest, parameterEnd)
		if !isParameter || !named || !closed || len(key) > 64 || len(args) == maxAttributes {
			return model.Call{}, "", false
		}
		args[strings.TrimSpace(key)] = unwrapped(value)
		text = rest
	}
}

// Render is a call as the model should have written it: a tag of the protocol,
// or, where its arguments fit into none, the form with JSON.
func Render(c model.Call) string {
	args, ok := arguments(c.Arguments)
	take := func(name string) string {
		value := args[name]
		delete(args, name)
		return value
	}
	path := `path="` + take("path") + `"`
	out := ""
	switch c.Name {
	case "bash":
		timeout := take("timeout")
		if timeout != "" {
			timeout = ` timeout="` + timeout + `"`
		}
		out = "<bash" + timeout + ">\n" + take("command") + "\n</bash>"
	case "read":
		for _, name := range []string{"offset", "limit"} {
			if value := take(name); value != "" {
				path += " " + name + `="` + value + `"`
			}
		}
		out = "<read " + path + "/>"
	case "write":
		out = "<write " + path + ">\n" + lineEnded(take("content")) + "</write>"
	case "edit":
		if all := take("replace_all"); all != "" {
			path += ` replace_all="` + all + `"`
		}
		out = "<edit " + path + ">\n<old>\n" + take("old_string") + "\n</old>\n<new>\n" + take("new_string") + "\n</new>\n</edit>"
	case "finish":
		out = `<finish status="` + take("status") + `">` + take("note") + "</finish>"
	}
	if ok && out != "" && len(args) == 0 {
		return out
	}
	raw, err := json.Marshal(map[string]any{"name": c.Name, "arguments": c.Arguments})
	if err != nil { // two strings always marshal
		return ""
	}
	return toolCall + string(raw) + toolCallEnd
}

// arguments are a call's, each as text.
func arguments(text string) (map[string]string, bool) {
	var raw map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, false
	}
	args := map[string]string{}
	for name, value := range raw {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = string(value)
		}
		args[name] = s
	}
	return args, true
}
