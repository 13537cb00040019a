package openai

import (
	"encoding/json"

	sdk "github.com/sashabaranov/go-openai"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// request is r in the SDK's types.
func (c *Client) request(r model.Request) sdk.ChatCompletionRequest {
	out := sdk.ChatCompletionRequest{
		Model:               c.config.Model,
		MaxCompletionTokens: r.MaxTokens, // renamed by the transport where needed
		ReasoningEffort:     c.config.Effort,
		ServiceTier:         sdk.ServiceTier(c.config.Tier),
		StreamOptions:       &sdk.StreamOptions{IncludeUsage: true},
	}
	for _, m := range r.Messages {
		out.Messages = append(out.Messages, message(m))
	}
	for _, t := range r.Tools {
		out.Tools = append(out.Tools, sdk.Tool{Type: sdk.ToolTypeFunction, Function: &sdk.FunctionDefinition{
			Name: t.Name, Description: t.Description, Parameters: json.RawMessage(t.Parameters),
		}})
	}
	return out
}

// message leaves what the model thought to the transport, which gives it its
// real name and form. It never leaves a content empty: the SDK drops an empty one, and
// servers answer 400 to a tool's result or a user's message without content.
func message(m model.Message) sdk.ChatCompletionMessage {
	out := sdk.ChatCompletionMessage{Role: string(m.Role), Content: m.Content, ToolCallID: m.CallID, ReasoningContent: string(m.Reasoning)}
	for _, call := range m.Calls {
		out.ToolCalls = append(out.ToolCalls, sdk.ToolCall{
			ID: call.ID, Type: sdk.ToolTypeFunction,
			Function: sdk.FunctionCall{Name: wire.FunctionName(call.Name), Arguments: wire.Object(call.Arguments)},
		})
	}
	if out.Content == "" && len(out.ToolCalls) == 0 {
		out.Content = "(empty)"
	}
	return out
}
