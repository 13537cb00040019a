package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// Everything an answer says arrives: text, who answered, tokens, cost.
func TestReply(t *testing.T) {
	got, err := ask(t, stream(said("Hello, "), said("world"), stopped, used, done1))
	if err != nil {
		t.Fatal(err)
	}
	if got.Latency <= 0 {
		t.Error("no latency")
	}
	got.Latency = 0
	cost := got.Usage.Cost
	got.Usage.Cost = model.Usage{}.Cost
	want := model.Reply{ID: "gen-1", Model: "a/b", Provider: "P", Content: "Hello, world", Finish: model.FinishStop,
		Usage: model.Usage{Known: true, Prompt: 1200, Completion: 80, Cached: 900, CacheWrite: 100, Reasoning: 20}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !cost.Valid || cost.Decimal.String() != "0.0032" {
		t.Errorf("cost %v", cost)
	}
}

// Shapes that servers in the field send and that all mean the same.
func TestReplyShapes(t *testing.T) {
	many := strings.Repeat(": OPENROUTER PROCESSING\n\n", 400)
	for name, handle := range map[string]http.HandlerFunc{
		"comments between":        stream(many+said("Hello, "), many+said("world"), stopped, used, done1),
		"a comment before":        stream(": hi", said("Hello, "), said("world"), stopped, used, done1),
		"CRLF":                    stream(strings.ReplaceAll(said("Hello, ")+"\n"+said("world")+"\n"+stopped+"\n"+used+"\n"+done1, "\n", "\r\n")),
		"no blank lines":          stream(strings.TrimSpace(said("Hello, ")), strings.TrimSpace(said("world")), strings.TrimSpace(stopped), done1),
		"no space after data":     stream(strings.ReplaceAll(said("Hello, ")+said("world")+stopped+done1, "data: ", "data:")),
		"no DONE":                 stream(said("Hello, "), said("world"), stopped, used),
		"no finish_reason":        stream(said("Hello, "), said("world"), done1),
		"no end of the last line": stream(said("Hello, "), said("world"), strings.TrimSpace(stopped)),
		"an event over two lines": stream("data: {\"model\":\"a/b\",\ndata: \"choices\":[{\"delta\":{\"content\":\"Hello, world\"},\"finish_reason\":\"stop\"}]}\n", done1),
		"ids and event names":     stream("id: 1\nevent: message\nretry: 10\n"+said("Hello, "), said("world"), stopped, done1),
		"a byte order mark":       stream("\ufeff"+said("Hello, "), said("world"), stopped, done1),
		"content in parts":        stream(data(`{"model":"a/b","choices":[{"delta":{"content":[{"type":"text","text":"Hello, world"}]},"finish_reason":"stop"}]}`), done1),
		"a whole document": status(200, `{"id":"x","model":"a/b","choices":[{"index":0,"message":{"content":"Hello, world"},"finish_reason":"stop"}]}`,
			"Content-Type", "application/json"),
		"a stream by another name": status(200, said("Hello, ")+said("world")+stopped+done1, "Content-Type", "text/plain"),
		"a second choice":          stream(said("Hello, "), data(`{"choices":[{"index":1,"delta":{"content":"nonsense"}}]}`), said("world"), stopped, done1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, handle)
			if err != nil || got.Content != "Hello, world" || got.Model != "a/b" {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// calls is a chunk with tool calls.
func calls(deltas string) string {
	return data(`{"model":"a/b","choices":[{"index":0,"delta":{"tool_calls":` + deltas + `}}]}`)
}

// Tool calls in all the pieces that servers make of them.
func TestCalls(t *testing.T) {
	ls, pwd := model.Call{ID: "c1", Name: "bash", Arguments: `{"command":"ls"}`}, model.Call{ID: "c2", Name: "bash", Arguments: `{"command":"pwd"}`}
	for name, c := range map[string]struct {
		chunks []string
		want   []model.Call
	}{
		"by the book": {[]string{
			calls(`[{"index":0,"id":"c1","type":"function","function":{"name":"bash","arguments":""}}]`),
			calls(`[{"index":0,"function":{"arguments":"{\"command\":"}}]`),
			calls(`[{"index":1,"id":"c2","type":"function","function":{"name":"bash","arguments":"{\"command\":\"pwd\"}"}}]`),
			calls(`[{"index":0,"function":{"arguments":"\"ls\"}"}}]`),
		}, []model.Call{ls, pwd}},
		"without index": {[]string{
			calls(`[{"id":"c1","function":{"name":"bash","arguments":"{\"command\":"}}]`),
			calls(`[{"function":{"arguments":"\"ls\"}"}}]`),
			calls(`[{"id":"c2","function":{"name":"bash","arguments":"{\"command\":\"pwd\"}"}}]`),
		}, []model.Call{ls, pwd}},
		"always index 0": {[]string{
			calls(`[{"index":0,"id":"c1","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}]`),
			calls(`[{"index":0,"id":"c2","function":{"name":"bash","arguments":"{\"command\":\"pwd\"}"}}]`),
		}, []model.Call{ls, pwd}},
		"id in every piece": {[]string{
			calls(`[{"index":0,"id":"c1","function":{"name":"bash","arguments":"{\"command\":"}}]`),
			calls(`[{"index":0,"id":"c1","function":{"name":"","arguments":"\"ls\"}"}}]`),
		}, []model.Call{ls}},
		"without ids": {[]string{
			calls(`[{"index":0,"function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}]`),
			calls(`[{"index":0,"function":{"name":"bash","arguments":"{\"command\":\"pwd\"}"}}]`),
		}, []model.Call{{ID: "call_1", Name: "bash", Arguments: ls.Arguments}, {ID: "call_2", Name: "bash", Arguments: pwd.Arguments}}},
		"the same id twice": {[]string{
			calls(`[{"index":0,"id":"c1","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}},{"index":1,"id":"c1","function":{"name":"bash","arguments":"{\"command\":\"pwd\"}"}}]`),
		}, []model.Call{ls, {ID: "call_2", Name: "bash", Arguments: pwd.Arguments}}},
		"an object":       {[]string{calls(`[{"index":0,"id":"c1","function":{"name":"bash","arguments":{"command":"ls"}}}]`)}, []model.Call{ls}},
		"empty":           {[]string{calls(`[{"index":0,"id":"c1","function":{"name":"look","arguments":""}}]`)}, []model.Call{{ID: "c1", Name: "look", Arguments: "{}"}}},
		"null":            {[]string{calls(`[{"index":0,"id":"c1","function":{"name":"look","arguments":null}}]`)}, []model.Call{{ID: "c1", Name: "look", Arguments: "{}"}}},
		"no JSON at all":  {[]string{calls(`[{"index":0,"id":"c1","function":{"name":"look","arguments":"{\"a\":"}}]`)}, []model.Call{{ID: "c1", Name: "look", Arguments: `{"a":`}}},
		"with null texts": {[]string{data(`{"model":"a/b","choices":[{"delta":{"content":null,"tool_calls":[{"id":"c1","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}]}}]}`)}, []model.Call{ls}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, stream(strings.Join(c.chunks, "\n"), stopped, used, done1))
			if err != nil || !reflect.DeepEqual(got.Calls, c.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got.Calls, err, c.want)
			}
		})
	}
}

// Nothing is understood in silence: what was not as agreed on is named.
func TestCallsTolerated(t *testing.T) {
	const whole = `"function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}`
	for name, c := range map[string]struct {
		deltas string
		want   []string
	}{
		"by the book":       {`[{"index":0,"id":"c1","type":"function",` + whole + `}]`, nil},
		"without index":     {`[{"id":"c1",` + whole + `}]`, []string{markNoIndex}},
		"always index 0":    {`[{"index":0,"id":"c1",` + whole + `},{"index":0,"id":"c2",` + whole + `}]`, []string{markSameSpot}},
		"without id":        {`[{"index":0,` + whole + `}]`, []string{wire.MarkNoID}},
		"the same id twice": {`[{"index":0,"id":"c1",` + whole + `},{"index":1,"id":"c1",` + whole + `}]`, []string{wire.MarkSameID}},
		"an object":         {`[{"index":0,"id":"c1","function":{"name":"bash","arguments":{"command":"ls"}}}]`, []string{markObject}},
		"empty":             {`[{"index":0,"id":"c1","function":{"name":"look","arguments":""}}]`, []string{markNoArgs}},
		"finished as text":  {`[{"index":0,"id":"c1","type":"function",` + whole + `}]`, []string{markFinish}},
	} {
		finish := strings.Replace(stopped, `"stop"`, `"tool_calls"`, 1)
		if name == "finished as text" {
			finish = stopped
		}
		got, err := ask(t, stream(calls(c.deltas), finish, used, done1))
		if err != nil || !reflect.DeepEqual(got.Tolerated, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got.Tolerated, err, c.want)
		}
	}
}

// Ids that we make up don't repeat those of earlier turns.
func TestMadeUpIDsAreNew(t *testing.T) {
	s, _ := server(t, stream(calls(`[{"function":{"name":"bash","arguments":"{}"}}]`), stopped, done1))
	r := hi()
	r.Messages = append(r.Messages,
		model.Message{Role: model.Assistant, Calls: []model.Call{{ID: "call_1", Name: "bash"}, {ID: "call_2", Name: "bash"}}})
	got, err := client(t, s, Config{}).Reply(context.Background(), r)
	if err != nil || got.Calls[0].ID != "call_3" {
		t.Errorf("%+v, %v", got.Calls, err)
	}
}

// A stream that names two models is from neither: the guard must not see the good one alone.
func TestTwoModels(t *testing.T) {
	got, err := ask(t, stream(said("Hello"), data(`{"model":"x-ai/grok-4","choices":[{"delta":{"content":"!"},"finish_reason":"stop"}]}`), done1))
	if err != nil || got.Model != "a/b then x-ai/grok-4" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Money: what is told, what is not, and what makes no sense.
func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		usage string
		known bool
		cost  string // "" is none
	}{
		"none":                     {`null`, false, ""},
		"without cost":             {`{"prompt_tokens":10,"completion_tokens":1}`, true, ""},
		"free":                     {`{"prompt_tokens":10,"completion_tokens":1,"cost":0}`, true, "0"},
		"tiny":                     {`{"prompt_tokens":10,"completion_tokens":1,"cost":1.5e-7}`, true, "0.00000015"},
		"as text":                  {`{"prompt_tokens":"10","completion_tokens":"1","cost":"0.5"}`, true, "0.5"},
		"a key of one's own":       {`{"prompt_tokens":10,"completion_tokens":1,"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}`, true, "0.21"},
		"not booked twice":         {`{"prompt_tokens":10,"completion_tokens":1,"cost":0.2,"is_byok":false,"cost_details":{"upstream_inference_cost":0.2}}`, true, "0.2"},
		"BYOK without upstream":    {`{"prompt_tokens":10,"completion_tokens":1,"cost":0,"is_byok":true}`, true, ""},
		"a negative cost":          {`{"prompt_tokens":10,"completion_tokens":1,"cost":-5}`, false, ""},
		"a bomb":                   {`{"prompt_tokens":10,"completion_tokens":1,"cost":1e999999999}`, false, ""},
		"negative tokens":          {`{"prompt_tokens":-10,"completion_tokens":1,"cost":0}`, false, ""},
		"fractions of tokens":      {`{"prompt_tokens":10.5,"completion_tokens":1}`, false, ""},
		"more tokens than exist":   {`{"prompt_tokens":1e30,"completion_tokens":1}`, false, ""},
		"zeroes (a cached answer)": {`{"prompt_tokens":0,"completion_tokens":0,"cost":0}`, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, stream(said("hi"), stopped, data(`{"choices":[],"usage":`+c.usage+`}`), done1))
			if err != nil {
				t.Fatal(err)
			}
			if got.Usage.Known != c.known || got.Usage.Cost.Valid != (c.cost != "") || c.cost != "" && got.Usage.Cost.Decimal.String() != c.cost {
				t.Errorf("got %+v", got.Usage)
			}
		})
	}
}

// What goes over the wire: the fields of ours, the right name for the bound
// of a reply, no empty content, arguments that are objects.
func TestRequest(t *testing.T) {
	s, last := server(t, stream(said("hi"), stopped, done1))
	r := model.Request{MaxTokens: 777, Messages: []model.Message{
		{Role: model.System, Content: "be brief"},
		{Role: model.User, Content: "go"},
		{Role: model.Assistant, Calls: []model.Call{{ID: "c1", Name: "bash", Arguments: ""}, {ID: "c2", Name: "bash", Arguments: `{"command": "l`}, {ID: "c3", Name: "bash", Arguments: `[1]`}}},
		{Role: model.ToolRole, CallID: "c1", Content: ""},
	}, Tools: []model.Tool{{Name: "bash", Description: "Run.", Parameters: []byte(`{"type":"object"}`)}}}
	c := client(t, s, Config{Extra: map[string]any{"provider": map[string]any{"sort": "price"}}, Header: http.Header{"X-Openrouter-Metadata": {"enabled"}}})
	if _, err := c.Reply(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if last.header.Get("X-OpenRouter-Metadata") != "enabled" || last.header.Get("Authorization") != "Bearer "+key {
		t.Errorf("headers %v", last.header)
	}
	got, err := json.Marshal(last.body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"max_tokens":777,"messages":[` +
		`{"content":"be brief","role":"system"},{"content":"go","role":"user"},` +
		`{"role":"assistant","tool_calls":[` +
		`{"function":{"arguments":"{}","name":"bash"},"id":"c1","type":"function"},` +
		`{"function":{"arguments":"{\"invalid\":\"{\\\"command\\\": \\\"l\"}","name":"bash"},"id":"c2","type":"function"},` +
		`{"function":{"arguments":"{\"invalid\":\"[1]\"}","name":"bash"},"id":"c3","type":"function"}]},` +
		`{"content":"(empty)","role":"tool","tool_call_id":"c1"}],` +
		`"model":"a/b","provider":{"sort":"price"},"stream":true,"stream_options":{"include_usage":true},` +
		`"tools":[{"function":{"description":"Run.","name":"bash","parameters":{"type":"object"}},"type":"function"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The SDK knows models by name and refuses max_tokens for some; a server of
// one's own may serve a model of that name and know nothing else.
func TestMaxTokens(t *testing.T) {
	for _, c := range []struct {
		config Config
		field  string
	}{
		{Config{Model: "gpt-5-mini"}, "max_tokens"},
		{Config{Model: "gpt-5-mini", CompletionTokens: true}, "max_completion_tokens"},
		{Config{Model: "gpt-6-luna", CompletionTokens: true, Effort: "none"}, "max_completion_tokens"},
	} {
		s, last := server(t, stream(said("hi"), stopped, done1))
		if _, err := client(t, s, c.config).Reply(context.Background(), hi()); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(last.body[c.field]) != "100" || (last.body["max_tokens"] != nil) == (last.body["max_completion_tokens"] != nil) {
			t.Errorf("%+v: sent %v", c.config.Model, last.body)
		}
	}
}

// OpenRouter's account of its routing arrives: every attempt, and the endpoint
// that answered. What can't be read, or changes in the middle, is nothing that
// a guard would accept.
func TestRouting(t *testing.T) {
	meta := func(m string) string { return data(`{"model":"a/b","choices":[],"openrouter_metadata":` + m + `}`) }
	good := `{"requested":"a/b","strategy":"direct","region":"iad","endpoints":{"total":2,"available":[{"provider":"Q","model":"a/dear","selected":false},` +
		`{"provider":"P","model":"a/b-1","selected":true}]},"attempts":[{"provider":"Z","model":"a/b-0","status":502},{"provider":"P","model":"a/b-1","status":200}]}`
	for name, c := range map[string]struct {
		chunks []string
		want   model.Routing
	}{
		"none": {nil, model.Routing{}},
		"null": {[]string{meta(`null`)}, model.Routing{}},
		"by the book": {[]string{meta(good)},
			model.Routing{Known: true, Strategy: "direct", Requested: "a/b", Models: []string{"a/b-0", "a/b-1"}, Providers: []string{"Z", "P"}}},
		"twice": {[]string{meta(good), meta(good)},
			model.Routing{Known: true, Strategy: "direct", Requested: "a/b", Models: []string{"a/b-0", "a/b-1"}, Providers: []string{"Z", "P"}}},
		"another in the middle": {[]string{meta(`{"requested":"a/b","strategy":"direct","attempts":[{"provider":"X","model":"x/y"}]}`), meta(good)},
			model.Routing{Known: true, Strategy: "direct", Requested: "a/b", Models: []string{"x/y", "a/b-0", "a/b-1"}, Providers: []string{"X", "Z", "P"}}},
		"two strategies": {[]string{meta(`{"requested":"a/b","strategy":"direct"}`), meta(`{"requested":"x/y","strategy":"auto"}`)},
			model.Routing{Known: true, Strategy: "direct then auto", Requested: "a/b then x/y"}},
		"nonsense": {[]string{meta(`"ok"`)}, model.Routing{Known: true, Strategy: "unreadable"}},
	} {
		got, err := ask(t, stream(said("hi")+strings.Join(c.chunks, ""), stopped, done1))
		if err != nil || !reflect.DeepEqual(got.Routing, c.want) {
			t.Errorf("%s: %+v, %v", name, got.Routing, err)
		}
	}
}

// A stream that breaks off tells who had begun it, for the guard.
func TestBrokenReplyNamesItsModel(t *testing.T) {
	_, err := ask(t, stream(data(`{"model":"x/y","choices":[{"delta":{"content":"hi"}}]}`)))
	if e := asError(t, err); e.Model != "x/y" || e.Fault != model.FaultServer {
		t.Errorf("%+v", e)
	}
}

// What a model thought goes back as it came, joined where the stream had cut
// it, with the message that it came with and no other.
func TestReasoningIsEchoed(t *testing.T) {
	thought := func(entries string) string {
		return data(`{"model":"a/b","choices":[{"delta":{"content":"","reasoning_details":` + entries + `}}]}`)
	}
	s, last := server(t, stream(
		thought(`[{"type":"reasoning.text","format":"f","index":0,"text":"I wil"}]`),
		thought(`[{"type":"reasoning.text","index":0,"text":"l <look>","signature":null}]`),
		thought(`[{"type":"reasoning.text","index":0,"signature":"SIG=="}]`),
		thought(`[{"type":"reasoning.text","index":0,"text":"next"},null]`),
		thought(`[{"type":"reasoning.encrypted","id":"e1","index":1,"data":"AAA"},{"type":"reasoning.encrypted","id":"e2","index":1,"data":"BBB"}]`),
		thought(`"nonsense"`), thought(`null`),
		thought(`[{"type":"reasoning.summary","id":"s","summary":"in "}]`), thought(`[{"type":"reasoning.summary","id":"s","summary":"short"}]`),
		calls(`[{"index":0,"id":"c1","function":{"name":"bash","arguments":"{}"}}]`), stopped, done1))
	c := client(t, s, Config{})
	r := hi()
	reply, err := c.Reply(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Messages = append(r.Messages,
		model.Message{Role: model.Assistant, Content: reply.Content, Calls: reply.Calls, Reasoning: reply.Reasoning},
		model.Message{Role: model.ToolRole, CallID: "c1", Content: "reasoning_content"},
		model.Message{Role: model.Assistant, Content: "plain"})
	if _, err := c.Reply(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	messages := last.body["messages"].([]any)
	got, err := json.Marshal(messages[1:])
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"reasoning_details":[{"format":"f","index":0,"signature":"SIG==","text":"I will \u003clook\u003e","type":"reasoning.text"},` +
		`{"index":0,"text":"next","type":"reasoning.text"},` +
		`{"data":"AAA","id":"e1","index":1,"type":"reasoning.encrypted"},{"data":"BBB","id":"e2","index":1,"type":"reasoning.encrypted"},` +
		`{"id":"s","summary":"in short","type":"reasoning.summary"}],` +
		`"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"bash"},"id":"c1","type":"function"}]},` +
		`{"content":"reasoning_content","role":"tool","tool_call_id":"c1"},{"content":"plain","role":"assistant"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Plain text of a thought goes back with the calls that it led to, and alone
// with no other message.
func TestPlainReasoningIsEchoed(t *testing.T) {
	thought := func(piece string) string {
		return data(`{"model":"a/b","choices":[{"delta":{"reasoning_content":` + piece + `}}]}`)
	}
	s, last := server(t, stream(thought(`"I will "`), thought(`null`), thought(`"<look>"`), thought(`{"odd":1}`),
		calls(`[{"index":0,"id":"c1","function":{"name":"bash","arguments":"{}"}}]`), stopped, done1))
	c := client(t, s, Config{})
	r := hi()
	reply, err := c.Reply(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Messages = append(r.Messages,
		model.Message{Role: model.Assistant, Calls: reply.Calls, Reasoning: reply.Reasoning},
		model.Message{Role: model.ToolRole, CallID: "c1", Content: "here"},
		model.Message{Role: model.Assistant, Content: "seen", Reasoning: reply.Reasoning})
	if _, err := c.Reply(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(last.body["messages"].([]any)[1:])
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"reasoning_content":"I will \u003clook\u003e","role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"bash"},"id":"c1","type":"function"}]},` +
		`{"content":"here","role":"tool","tool_call_id":"c1"},{"content":"seen","role":"assistant"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A request without a model would be answered by the account's default model.
func TestNoModelIsAskedNothing(t *testing.T) {
	s, last := server(t, stream(said("hi"), stopped, done1))
	c := New(Config{BaseURL: s.URL, Key: key})
	defer c.Close()
	if _, err := c.Reply(context.Background(), hi()); asError(t, err).Fault != model.FaultRequest || last.body != nil {
		t.Errorf("%v, sent %v", err, last.body)
	}
}
