package scripted

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/text"
)

// request is what is read of a chat-completions request.
type request struct {
	Model               string    `json:"model"`
	Messages            []message `json:"messages"`
	MaxTokens           int       `json:"max_tokens"`
	MaxCompletionTokens int       `json:"max_completion_tokens"`
	Stream              bool      `json:"stream"`
	// Tools are not looked at: where there are none the model writes its calls as text.
	Tools []json.RawMessage `json:"tools"`
	bytes int
}

// inText says that the model is asked for commands in words.
func (r request) inText() bool { return len(r.Tools) == 0 }

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// text is a message's content where it is text.
func (m message) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) != nil {
		return ""
	}
	return s
}

// answer is the turn that comes next in the conversation.
func (s *Script) answer(r request) Turn {
	title := sessionTitle(r.Messages)
	for _, session := range s.Sessions {
		if session.title() != title {
			continue
		}
		turns := session.Turns
		if r.inText() {
			turns = oneCallEach(turns)
		}
		n := turnsSoFar(r.Messages)
		if n >= len(turns) {
			return Turn{Say: "I have done all that I was going to do in this session."}
		}
		turn := turns[n]
		if result := lastResult(r.Messages); !turn.matches(result) {
			return turn.baffled(result)
		}
		return turn
	}
	if title == "" {
		return Turn{Say: "I don't know what this session is for."}
	}
	return Turn{Say: fmt.Sprintf("My script %s has no session %q.", s.Name, title),
		Calls: []Call{finish("blocked", fmt.Sprintf("The scripted model %s has no session %q.", s.Name, title))}}
}

// oneCallEach are turns for a model that may give one command a reply.
func oneCallEach(turns []Turn) []Turn {
	var out []Turn
	for _, t := range turns {
		calls := t.Calls
		t.Calls = calls[:min(len(calls), 1)]
		out = append(out, t)
		for i := 1; i < len(calls); i++ {
			out = append(out, Turn{Say: "Next.", Calls: calls[i : i+1]})
		}
	}
	return out
}

func (t Turn) matches(result string) bool {
	return t.expect == nil || t.expect.MatchString(result)
}

// baffled is what a model does whose plan has met another world.
func (t Turn) baffled(result string) Turn {
	line, _, _ := strings.Cut(result, "\n")
	if len(line) > 200 {
		line = line[:200]
	}
	say := fmt.Sprintf("I expected something that matches %q, but got: %s", t.Expect, strings.ToValidUTF8(line, "?"))
	return Turn{Say: say + "\nI can't go on from here.", Calls: []Call{finish("blocked", say)}}
}

var sessionLine = regexp.MustCompile(`(?m)^Session: (initializer|acceptance|(?:coding|revision), feature \S+)\s*$`)

// sessionTitle finds the runner's line that says what the session is for: the
// first after the spec, whose own lines are anybody's.
func sessionTitle(messages []message) string {
	for _, m := range messages {
		if m.Role != "user" {
			continue
		}
		text := m.text()
		if i := strings.Index(text, "\n</spec>"); i >= 0 {
			text = text[i:]
		}
		if found := sessionLine.FindStringSubmatch(text); found != nil {
			return found[1]
		}
	}
	return ""
}

func turnsSoFar(messages []message) int {
	n := 0
	for _, m := range messages {
		if m.Role == "assistant" {
			n++
		}
	}
	return n
}

// lastResult is what the conversation ends with: a tool's result mostly.
func lastResult(messages []message) string {
	if len(messages) == 0 {
		return ""
	}
	return messages[len(messages)-1].text()
}

// reply is a turn as it goes over the wire.
type reply struct {
	turn                int // in the session, from 1
	model, text, finish string
	calls               []Call
	prompt, completion  int
	cost                json.RawMessage
	noUsage, cut        bool
}

// bytesPerToken is a plausible length of a token in English and code.
const bytesPerToken = 4

// reply counts the turn's tokens and cuts it where the request's bound is, as
// any server does.
func (s *Script) reply(t Turn, r request) reply {
	out := reply{turn: turnsSoFar(r.Messages) + 1, model: s.Name, text: t.Say, calls: t.Calls, finish: "stop", cut: t.Cut, cost: json.RawMessage("0")}
	if t.Model != "" {
		out.model = t.Model
	}
	switch {
	case r.inText():
		out.text, out.calls = t.inText(), nil
	case len(t.Calls) > 0:
		out.finish = "tool_calls"
	}
	out.prompt = r.bytes/bytesPerToken + 1
	out.bound(max(r.MaxTokens, r.MaxCompletionTokens))
	if t.Finish != "" {
		out.finish = t.Finish
	}
	if u := t.Usage; u != nil {
		out.prompt, out.completion, out.noUsage = u.Prompt, u.Completion, u.None
		if u.Cost != "" {
			out.cost = json.RawMessage(u.Cost)
		}
	}
	return out
}

// inText is a turn whose calls are part of what it says.
func (t Turn) inText() string {
	parts := []string{t.Say}
	for _, c := range t.Calls {
		parts = append(parts, text.Render(model.Call{Name: c.Name, Arguments: c.Arguments}))
	}
	return strings.TrimSpace(strings.Join(parts, "\n\n"))
}

// bound cuts a reply that is longer than limit tokens; 0 is no limit.
func (r *reply) bound(limit int) {
	left := limit * bytesPerToken
	if limit <= 0 {
		left = int(^uint(0) >> 1)
	}
	take := func(s string) string {
		if len(s) > left {
			r.finish = "length"
			s = strings.ToValidUTF8(s[:left], "")
			left = len(s)
		}
		left -= len(s)
		r.completion += len(s)
		return s
	}
	r.text = take(r.text)
	calls := r.calls
	r.calls = nil
	for _, c := range calls {
		if left == 0 {
			r.finish = "length"
			break
		}
		r.calls = append(r.calls, Call{Name: c.Name, Arguments: take(c.Arguments)})
	}
	r.completion = r.completion/bytesPerToken + 1
	if limit > 0 {
		r.completion = min(r.completion, limit)
	}
}
