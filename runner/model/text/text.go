// Package text lets a model work that calls tools in words: because it can't
// call them otherwise, or because its server hands its calls on as text.
//
// There are two wrappers. [Protocol] is outermost and turns a conversation
// with tools into one without: a call is a tag at the start of a line with raw
// content in it, a result is a message of the user's. [Calls] is next to the
// provider, so that the ledger sees what it has understood, and finds the call
// in the text of a reply. What the model is told of the form is part of the
// system prompt (prompts/system.md).
//
// The form is tags and not fences, because a fence ends at the first fence
// inside a README, and not JSON, because nothing has to be escaped. There is
// no XML in it: what is between the tags is taken as it is.
package text

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
)

// Marks in [model.Reply.Tolerated] of what this package has understood.
const (
	MarkTextCall = "text-call"        // a call as text where tools were offered
	MarkFence    = "fence"            // a shell fence in place of <bash>
	MarkForm     = "other form"       // a call in the form of another program
	MarkClosing  = "closing tag"      // it did not stand at the start of a line
	MarkLater    = "later commands"   // they were not run
	MarkImagined = "imagined result"  // it was cut off
	MarkNative   = "call unasked for" // tools were not offered
)

// Calls finds the calls in the text of next's replies. Where the request
// offers tools, text counts only if it holds exactly one call of a known tool
// with arguments that are right, and nothing was called otherwise. Where it
// offers none, the protocol holds: the first command is the call. A reply that
// was cut is left as it is: nothing of it may be executed.
func Calls(next model.Model) model.Model { return &calls{next} }

type calls struct{ next model.Model }

func (c *calls) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	reply, err := c.next.Reply(ctx, r)
	switch {
	case err != nil || reply.Finish == model.FinishLength:
		return reply, err
	case len(r.Tools) == 0:
		return commanded(reply), nil
	case len(reply.Calls) == 0:
		return slipped(reply), nil
	default:
		return reply, nil
	}
}

// commanded is a reply of the protocol with its call, if there is one.
func commanded(reply model.Reply) model.Reply {
	if len(reply.Calls) > 0 { // the server has taken the call out of the text
		reply.Calls = reply.Calls[:1]
		reply.Tolerated = append(reply.Tolerated, MarkNative)
		return reply
	}
	c := Parse(reply.Content)
	reply.Content = withoutThought(reply.Content)
	reply.Tolerated = append(reply.Tolerated, c.Marks...)
	if c.Call.Name != "" {
		reply.Calls = []model.Call{c.Call}
	}
	return reply
}

// slipped is a reply whose only call has slipped into its text.
func slipped(reply model.Reply) model.Reply {
	c, ok := only(reply.Content)
	if !ok {
		return reply
	}
	if _, err := tool.Parse(c.Call); err != nil {
		return reply
	}
	reply.Content = strings.TrimSpace(c.before)
	reply.Calls = []model.Call{c.Call}
	reply.Tolerated = append(reply.Tolerated, MarkTextCall)
	return reply
}

// Protocol asks next without tools: calls of the conversation are sent as the
// model wrote them, results as messages of the user's. The system message must
// say what the form is. A request that offers no tools is passed on as it is.
func Protocol(next model.Model) model.Model { return &protocol{next} }

type protocol struct{ next model.Model }

func (p *protocol) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if len(r.Tools) > 0 {
		r.Tools, r.Messages = nil, conversation(r.Messages)
	}
	return p.next.Reply(ctx, r)
}

// conversation is messages without tools. What the user says in a row becomes
// one message: templates of many local models insist on taking turns.
func conversation(messages []model.Message) []model.Message {
	var out []model.Message
	notes := ""
	for _, m := range messages {
		switch m.Role {
		case model.Assistant:
			if m, notes = asWritten(m); m.Content == "" {
				continue // it was a thought, or imagined, and nothing else
			}
		case model.ToolRole:
			m = model.Message{Role: model.User, Content: result(m.Content, notes)}
			notes = ""
		}
		if n := len(out); n > 0 && m.Role == model.User && out[n-1].Role == model.User {
			out[n-1].Content += "\n\n" + m.Content
			continue
		}
		out = append(out, m)
	}
	return out
}

// asWritten is a reply as it goes back to the model, and what its result has
// to say about its form.
func asWritten(m model.Message) (_ model.Message, notes string) {
	c := Parse(m.Content)
	out := model.Message{Role: m.Role, Content: c.Text, Reasoning: m.Reasoning}
	if c.Call.Name == "" {
		for _, call := range m.Calls {
			out.Content = strings.TrimSpace(out.Content + "\n\n" + Render(call))
		}
	}
	return out, c.notes()
}

// notes are what the model is told about the form of its command.
func (c Command) notes() string {
	if c.Call.Name == "" {
		return ""
	}
	var notes []string
	if c.has(MarkFence) {
		notes = append(notes, prompts.Message("E17-fence", nil))
	}
	if c.Later > 0 {
		notes = append(notes, prompts.Message("E17", map[string]any{"Later": c.Later}))
	}
	if c.has(MarkImagined) {
		notes = append(notes, prompts.Message("E17-imagined", nil))
	}
	return strings.Join(notes, "\n")
}

// ended is the first line of a script's result.
var ended = regexp.MustCompile(`^exit (-?\d{1,10}) · ([0-9.]{1,20}) s(?: · )?`)

// result is what a call came to, in a tag. Output can't end the tag itself.
func result(content, notes string) string {
	content = strings.ReplaceAll(content, "</result", `<\/result`)
	tag := "<result>"
	if m := ended.FindStringSubmatch(content); m != nil {
		tag = fmt.Sprintf("<result exit=%q seconds=%q>", m[1], m[2])
		content = strings.TrimPrefix(content[len(m[0]):], "\n")
	}
	if notes != "" {
		content += "\n" + notes
	}
	return tag + "\n" + strings.TrimRight(content, "\n") + "\n</result>"
}
