package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/modeltest"
)

// Every request of a long job is one that OpenAI's published schema allows,
// whatever the replies before it were: cut, empty, without ids, with arguments
// that are no JSON. The server checks each as it comes ([modeltest.Valid]).
func TestRequestsAreValid(t *testing.T) {
	tool := model.Tool{Name: "bash", Description: "Run a script.", Parameters: []byte(`{"type":"object","properties":{"command":{"type":"string"}},"required":["command"]}`)}
	for name, c := range map[string]struct {
		wire   modeltest.Wire
		config Config
	}{
		"openai": {modeltest.OpenAI, Config{CompletionTokens: true, Effort: "none"}},
		"local":  {modeltest.Local, Config{}},
		"openrouter": {modeltest.OpenRouter, Config{Extra: map[string]any{
			"provider": map[string]any{"allow_fallbacks": false, "require_parameters": true, "sort": "price",
				"max_price": map[string]any{"prompt": json.Number("2"), "completion": json.Number("10")}},
			"plugins": []any{map[string]any{"id": "web", "enabled": false}},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := modeltest.New(t, c.wire, script, modeltest.Model{ID: "a/b"})
			for i, faults := range strangeTurns() {
				s.On(i+1, faults...)
			}
			c.config.BaseURL, c.config.Key, c.config.Model = s.URL, modeltest.Key, "a/b"
			client := New(c.config)
			t.Cleanup(client.Close)
			conversation := []model.Message{{Role: model.System, Content: "be brief"}, {Role: model.User, Content: "go"}}
			for i := range strangeTurns() {
				reply, err := client.Reply(context.Background(), model.Request{Messages: conversation, Tools: []model.Tool{tool}, MaxTokens: 500})
				if err != nil {
					t.Fatalf("turn %d: %v", i+1, err)
				}
				conversation = append(conversation, answered(reply)...)
			}
			if n := len(s.Exchanges()); n != len(strangeTurns()) {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// script calls twice in each turn.
func script(r modeltest.Request) modeltest.Turn {
	command := fmt.Sprintf(`{"command":"echo %d"}`, r.Turn())
	return modeltest.Calls("bash", command, "bash", command)
}

// strangeTurns are the faults of one turn after the other, all understood.
func strangeTurns() [][]modeltest.Fault {
	return [][]modeltest.Fault{
		nil, {modeltest.NullContent()}, {modeltest.Empty()}, {modeltest.BrokenArguments()}, {modeltest.NoArguments(false)},
		{modeltest.NoArguments(true)}, {modeltest.ArgumentsAsObject()}, {modeltest.NoID()}, {modeltest.SameID()}, {modeltest.NoType(), modeltest.NoIndex()},
		{modeltest.Length(false)}, {modeltest.Length(true)}, {modeltest.OneDocument(), modeltest.NoID()}, {modeltest.CallsAsText("json")},
		{modeltest.Tool("no such tool?")}, {modeltest.Tool("")}, {modeltest.Tool(strings.Repeat("ä", 99))}, {modeltest.IndexZero()}, {modeltest.NoFinish()}, nil,
	}
}

// answered is a reply as it goes back, with a result for each call, one of them empty.
func answered(r model.Reply) []model.Message {
	out := []model.Message{{Role: model.Assistant, Content: r.Content, Calls: r.Calls}}
	for i, c := range r.Calls {
		out = append(out, model.Message{Role: model.ToolRole, CallID: c.ID, Content: []string{"done", ""}[i%2]})
	}
	if len(r.Calls) == 0 {
		out = append(out, model.Message{Role: model.User, Content: ""})
	}
	return out
}
