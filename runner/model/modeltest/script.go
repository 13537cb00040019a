package modeltest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Script thinks of the next turn of a conversation.
type Script func(Request) Turn

// Turn is one reply.
type Turn struct {
	Say       string
	Reasoning string
	Calls     []Call
	// Finish is why it ended; "" is OpenAI's "tool_calls" if there are calls, else "stop".
	Finish string
	// Completion is the number of tokens it counts as; 0 counts its bytes.
	Completion int
}

// Call is a tool call: its arguments are JSON, or what a fault makes of it.
type Call struct {
	ID, Name, Arguments string
}

// Turns plays one turn after the other by the number of replies in the
// conversation; when they are used up the model says so, without a call.
func Turns(turns ...Turn) Script {
	return func(r Request) Turn {
		if n := r.Turn(); n <= len(turns) {
			return turns[n-1]
		}
		return Says("That was all.")
	}
}

// Says is a turn of words.
func Says(text string) Turn { return Turn{Say: text} }

// Calls is a turn with calls: a name and its arguments, a name and its arguments, …
func Calls(pairs ...string) Turn {
	t := Turn{Say: "I go on."}
	for i := 0; i+1 < len(pairs); i += 2 {
		t.Calls = append(t.Calls, Call{Name: pairs[i], Arguments: pairs[i+1]})
	}
	return t
}

// Request is a request to a model as it came, and what is read of it.
type Request struct {
	Number    int // of the requests to a model, from 1
	Path      string
	Header    http.Header
	Body      []byte
	Model     string
	MaxTokens int
	Messages  []Message
	Tools     []string // names
}

// Message is one of the conversation, in either format. The results that
// Anthropic's format packs into one message are one each.
type Message struct {
	Role, Text string
	Calls      []Call
	ID         string // of the call that it is the result of
}

// Turn is the number of the turn that is asked for, from 1.
func (r Request) Turn() int {
	n := 1
	for _, m := range r.Messages {
		if m.Role == "assistant" {
			n++
		}
	}
	return n
}

// Fields is the body as it came; nil if it is no JSON object.
func (r Request) Fields() map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(r.Body, &fields) != nil {
		return nil
	}
	return fields
}

// wireRequest is what both formats have in common, and what only one has.
type wireRequest struct {
	Model               string          `json:"model"`
	MaxTokens           int             `json:"max_tokens"`
	MaxCompletionTokens int             `json:"max_completion_tokens"`
	System              json.RawMessage `json:"system"`
	Messages            []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
		CallID  string          `json:"tool_call_id"`
		Calls   []struct {
			ID       string `json:"id"`
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
		} `json:"tool_calls"`
	} `json:"messages"`
	Tools []struct {
		Name     string `json:"name"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	} `json:"tools"`
}

// parse reads r.Body.
func (r *Request) parse() error {
	var w wireRequest
	if err := json.Unmarshal(r.Body, &w); err != nil {
		return err
	}
	r.Model, r.MaxTokens = w.Model, max(w.MaxTokens, w.MaxCompletionTokens)
	if text := textOf(w.System); text != "" {
		r.Messages = append(r.Messages, Message{Role: "system", Text: text})
	}
	for _, m := range w.Messages {
		out := Message{Role: m.Role, Text: textOf(m.Content), ID: m.CallID}
		for _, c := range m.Calls {
			out.Calls = append(out.Calls, Call{ID: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments})
		}
		r.Messages = append(r.Messages, anthropicParts(m.Content, &out)...)
		if m.Role != "user" || out.Text != "" { // not a message of results only
			r.Messages = append(r.Messages, out)
		}
	}
	for _, t := range w.Tools {
		r.Tools = append(r.Tools, t.Name+t.Function.Name)
	}
	return nil
}

// part is a block of content in either format.
type part struct {
	Type    string          `json:"type"`
	Text    string          `json:"text"`
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Input   json.RawMessage `json:"input"`
	Content json.RawMessage `json:"content"`
	CallID  string          `json:"tool_use_id"`
}

// anthropicParts adds the calls among the parts to m and returns the results.
func anthropicParts(content json.RawMessage, m *Message) (results []Message) {
	var parts []part
	if json.Unmarshal(content, &parts) != nil {
		return nil
	}
	for _, p := range parts {
		switch p.Type {
		case "tool_use":
			m.Calls = append(m.Calls, Call{ID: p.ID, Name: p.Name, Arguments: string(p.Input)})
		case "tool_result":
			results = append(results, Message{Role: "tool", Text: textOf(p.Content), ID: p.CallID})
		}
	}
	return results
}

// textOf is a content's text: it is text, or parts of which some are.
func textOf(content json.RawMessage) string {
	var s string
	if json.Unmarshal(content, &s) == nil {
		return s
	}
	var parts []part
	if json.Unmarshal(content, &parts) != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type == "text" {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}
