package anthropic

import (
	"encoding/json"
	"strings"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// request is r in the SDK's types, with breakpoints for the prompt cache: one
// behind tools and system prompt, which never change, one at the end of the
// conversation, and one where the end was a turn ago. That one finds the cache
// also after a turn of more blocks than the service looks back for (20).
func (c *Client) request(r model.Request) sdk.MessageNewParams {
	out := sdk.MessageNewParams{Model: c.config.Model, MaxTokens: int64(r.MaxTokens),
		ServiceTier: sdk.MessageNewParamsServiceTierStandardOnly} // what the known price is for
	if c.config.Effort != "" {
		out.OutputConfig = sdk.OutputConfigParam{Effort: sdk.OutputConfigEffort(c.config.Effort)}
	}
	for _, t := range r.Tools {
		out.Tools = append(out.Tools, sdk.ToolUnionParam{OfTool: &sdk.ToolParam{
			Name: t.Name, Description: sdk.String(t.Description),
			InputSchema: param.Override[sdk.ToolInputSchemaParam](json.RawMessage(t.Parameters)),
		}})
	}
	for _, m := range r.Messages {
		if m.Role == model.System {
			out.System = append(out.System, sdk.TextBlockParam{Text: orEmpty(m.Content)})
			continue
		}
		out.Messages = add(out.Messages, m)
	}
	if n := len(out.System); n > 0 {
		out.System[n-1].CacheControl = sdk.NewCacheControlEphemeralParam()
	} else if n := len(out.Tools); n > 0 {
		out.Tools[n-1].OfTool.CacheControl = sdk.NewCacheControlEphemeralParam()
	}
	mark(out.Messages)
	return out
}

// add appends m. What the user says and the results of all calls of a turn are
// one message, the results first, as the service wants it.
func add(messages []sdk.MessageParam, m model.Message) []sdk.MessageParam {
	if m.Role == model.Assistant {
		return append(messages, sdk.NewAssistantMessage(said(m)...))
	}
	if n := len(messages); n == 0 || messages[n-1].Role != sdk.MessageParamRoleUser {
		messages = append(messages, sdk.NewUserMessage())
	}
	last := &messages[len(messages)-1]
	if m.Role != model.ToolRole {
		last.Content = append(last.Content, sdk.NewTextBlock(orEmpty(m.Content)))
		return messages
	}
	at := 0
	for at < len(last.Content) && last.Content[at].OfToolResult != nil {
		at++
	}
	last.Content = append(last.Content, sdk.ContentBlockParamUnion{})
	copy(last.Content[at+1:], last.Content[at:])
	last.Content[at] = sdk.ContentBlockParamUnion{OfToolResult: &sdk.ToolResultBlockParam{
		ToolUseID: m.CallID,
		Content:   []sdk.ToolResultBlockParamContentUnion{{OfText: &sdk.TextBlockParam{Text: orEmpty(m.Content)}}},
	}}
	return messages
}

// said are the blocks of an assistant's message: as they came where the
// message has kept that, for thinking is signed and bound to its place; else
// the text and the calls.
func said(m model.Message) []sdk.ContentBlockParamUnion {
	calls := map[string]model.Call{}
	for _, call := range m.Calls {
		calls[call.ID] = call
	}
	var out []sdk.ContentBlockParamUnion
	text := m.Content
	for _, b := range remembered(m.Reasoning) {
		switch b.Type {
		case kindThinking:
			out = append(out, sdk.ContentBlockParamUnion{OfThinking: thinking(b.Raw)})
		case kindRedacted:
			out = append(out, sdk.ContentBlockParamUnion{OfRedactedThinking: redacted(b.Raw)})
		case kindText:
			// Only as long as the message still says what the model said.
			if rest, ok := strings.CutPrefix(text, b.Text); ok && strings.TrimSpace(b.Text) != "" {
				out, text = append(out, sdk.NewTextBlock(b.Text)), rest
			}
		case kindCall:
			if call, ok := calls[b.ID]; ok {
				out = append(out, use(call))
				delete(calls, b.ID)
			}
		}
	}
	if strings.TrimSpace(text) != "" {
		out = append(out, sdk.NewTextBlock(text))
	}
	for _, call := range m.Calls {
		if _, missing := calls[call.ID]; missing {
			out = append(out, use(call))
		}
	}
	if len(out) == 0 {
		out = append(out, sdk.NewTextBlock(orEmpty("")))
	}
	return out
}

func use(call model.Call) sdk.ContentBlockParamUnion {
	return sdk.NewToolUseBlock(call.ID, json.RawMessage(wire.Object(call.Arguments)), wire.FunctionName(call.Name))
}

func thinking(raw json.RawMessage) *sdk.ThinkingBlockParam {
	p := param.Override[sdk.ThinkingBlockParam](raw)
	return &p
}

func redacted(raw json.RawMessage) *sdk.RedactedThinkingBlockParam {
	p := param.Override[sdk.RedactedThinkingBlockParam](raw)
	return &p
}

// mark sets breakpoints at the ends of the last two messages of the user.
func mark(messages []sdk.MessageParam) {
	left := 2
	for i := len(messages) - 1; i >= 0 && left > 0; i-- {
		if messages[i].Role != sdk.MessageParamRoleUser {
			continue
		}
		last := messages[i].Content[len(messages[i].Content)-1]
		if cache := last.GetCacheControl(); cache != nil {
			*cache = sdk.NewCacheControlEphemeralParam()
		}
		left--
	}
}

// orEmpty never is blank: the service answers 400 to texts that are.
func orEmpty(s string) string {
	if strings.TrimSpace(s) == "" {
		return "(empty)"
	}
	return s
}
