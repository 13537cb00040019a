package modeltest

import (
	"encoding/json"
	"strings"
)

// onCalls is a fault of each piece of a call; n counts the calls.
func onCalls(name string, change func(n int, piece map[string]any)) Fault {
	return openAIOnly(name, func(a *answer) { a.calls = append(a.calls, change) })
}

// onTurn is a fault of what the model says, in any format.
func onTurn(name string, change func(*Turn)) Fault {
	return Fault{Name: name, do: func(a *answer) {
		a.turn.Calls = append([]Call(nil), a.turn.Calls...)
		change(&a.turn)
	}}
}

// NoIndex leaves the calls' index out.
func NoIndex() Fault {
	return onCalls("index missing", func(_ int, p map[string]any) { delete(p, "index") })
}

// IndexZero gives every call the index 0, each in one piece.
func IndexZero() Fault {
	return openAIOnly("index repeated", func(a *answer) {
		a.whole = true
		a.calls = append(a.calls, func(_ int, p map[string]any) { p["index"] = 0 })
	})
}

// NoID leaves the calls' ids out.
func NoID() Fault { return onCalls("id missing", func(_ int, p map[string]any) { delete(p, "id") }) }

// SameID gives all calls the same id.
func SameID() Fault {
	return onCalls("id repeated", func(_ int, p map[string]any) {
		if _, ok := p["id"]; ok {
			p["id"] = "call_same"
		}
	})
}

// NoType leaves the calls' type out.
func NoType() Fault {
	return onCalls("type missing", func(_ int, p map[string]any) { delete(p, "type") })
}

// NameAgain repeats the function's name and id in every piece of a call, or has the name empty there.
func NameAgain(name string) Fault {
	return onCalls("name in every piece", func(_ int, p map[string]any) {
		if f := p["function"].(map[string]any); f["name"] == nil {
			f["name"] = name
		}
	})
}

// ArgumentsAsObject sends arguments as an object, not as text.
func ArgumentsAsObject() Fault {
	return openAIOnly("arguments as object", func(a *answer) {
		a.whole = true
		a.calls = append(a.calls, func(_ int, p map[string]any) {
			f := p["function"].(map[string]any)
			if text, ok := f["arguments"].(string); ok && json.Valid([]byte(text)) {
				f["arguments"] = json.RawMessage(text)
			}
		})
	})
}

// NoArguments empties the arguments: "", or null.
func NoArguments(null bool) Fault {
	name := "arguments empty"
	if null {
		name = "arguments null"
	}
	return openAIOnly(name, func(a *answer) {
		a.whole = true
		a.calls = append(a.calls, func(_ int, p map[string]any) {
			f := p["function"].(map[string]any)
			if f["arguments"] = ""; null {
				f["arguments"] = nil
			}
		})
	})
}

// NullContent has the words be null.
func NullContent() Fault {
	return openAIOnly("null content", func(a *answer) {
		a.turn.Say = ""
		a.chunks = append(a.chunks, func(_ int, c map[string]any) {
			if choice := choiceOf(c); choice != nil {
				for _, part := range []string{"delta", "message"} {
					if d, ok := choice[part].(map[string]any); ok {
						d["content"] = nil
					}
				}
			}
		})
	})
}

// Finish has the reply end for this reason, in OpenAI's words.
func Finish(reason string) Fault {
	return onTurn("finish "+reason, func(t *Turn) { t.Finish = reason })
}

// NoFinish has the reply end without a reason.
func NoFinish() Fault {
	return openAIOnly("finish missing", func(a *answer) {
		a.chunks = append(a.chunks, func(_ int, c map[string]any) {
			if choice := choiceOf(c); choice != nil {
				choice["finish_reason"] = nil
			}
		})
	})
}

// Length cuts the reply at the request's bound, in the middle of its last
// call. With lie the reason is still "tool_calls".
func Length(lie bool) Fault {
	name := "cut by max_tokens"
	if lie {
		name = "cut by max_tokens, finish tool_calls"
	}
	return Fault{Name: name, do: func(a *answer) {
		a.turn.Calls = append([]Call(nil), a.turn.Calls...)
		if n := len(a.turn.Calls); n > 0 {
			last := &a.turn.Calls[n-1]
			last.Arguments = last.Arguments[:len(last.Arguments)/2]
		}
		a.usage.Completion = a.asked.MaxTokens
		if a.turn.Finish = "length"; lie {
			a.turn.Finish = "tool_calls"
		}
	}}
}

// BrokenArguments has the last call's arguments end in the middle, of a reply
// that says it is complete.
func BrokenArguments() Fault {
	return onTurn("arguments are no JSON", func(t *Turn) {
		if n := len(t.Calls); n > 0 {
			t.Calls[n-1].Arguments = strings.TrimSuffix(t.Calls[n-1].Arguments, "}") + `\`
		}
	})
}

// Tool renames the tools that are called.
func Tool(name string) Fault {
	return onTurn("tool "+name, func(t *Turn) {
		for i := range t.Calls {
			t.Calls[i].Name = name
		}
	})
}

// Parameter renames a parameter of the calls.
func Parameter(from, to string) Fault {
	return onTurn("parameter "+to, func(t *Turn) {
		for i := range t.Calls {
			t.Calls[i].Arguments = strings.ReplaceAll(t.Calls[i].Arguments, `"`+from+`":`, `"`+to+`":`)
		}
	})
}

// CallsAsText writes the calls into the words, in one of three forms that
// servers leave behind whose templates don't fit: "json" as <tool_call>,
// "function" as <function=name>, "tag" as the tags of Glovebox's own protocol.
func CallsAsText(form string) Fault {
	return onTurn("calls as text ("+form+")", func(t *Turn) {
		var b strings.Builder
		b.WriteString(t.Say + "\n")
		for _, c := range t.Calls {
			b.WriteString(asText(form, c))
		}
		t.Say, t.Calls = b.String(), nil
	})
}

func asText(form string, c Call) string {
	var args map[string]string
	_ = json.Unmarshal([]byte(c.Arguments), &args) // what is no text is left out
	var b strings.Builder
	switch form {
	case "json":
		b.WriteString("<tool_call>\n{\"name\": \"" + c.Name + "\", \"arguments\": " + c.Arguments + "}\n</tool_call>\n")
	case "function":
		b.WriteString("<function=" + c.Name + ">\n")
		for name, value := range args {
			b.WriteString("<parameter=" + name + ">\n" + value + "\n</parameter>\n")
		}
		b.WriteString("</function>\n")
	default:
		b.WriteString("<" + c.Name)
		for _, attribute := range []string{"path", "status"} {
			if value, ok := args[attribute]; ok {
				b.WriteString(" " + attribute + `="` + value + `"`)
			}
		}
		b.WriteString(">\n" + args["command"] + args["content"] + args["note"] + "\n</" + c.Name + ">\n")
	}
	return b.String()
}
