package anthropic

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// Everything an answer says arrives: text, who answered, tokens. The three
// figures of the prompt are one sum.
func TestReply(t *testing.T) {
	got, err := ask(t, stream(begun, hello, ends("end_turn")))
	if err != nil {
		t.Fatal(err)
	}
	if got.Latency <= 0 {
		t.Error("no latency")
	}
	got.Latency = 0
	want := model.Reply{ID: "msg_1", Model: "claude-x", Content: "Hello, world", Finish: model.FinishStop,
		Usage: model.Usage{Known: true, Prompt: 1000, Completion: 80, Cached: 850, CacheWrite: 50, Reasoning: 20}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A server that does not stream says the same in one document.
func TestWholeDocument(t *testing.T) {
	got, err := ask(t, status(200, `{"id":"msg_1","type":"message","model":"claude-x","stop_reason":"tool_use","content":[{"type":"text","text":"go"},`+
		`{"type":"tool_use","id":"t1","name":"bash","input":{"command":"ls"}}],"usage":{"input_tokens":7,"output_tokens":3}}`, "Content-Type", "application/json"))
	if err != nil || got.Content != "go" || got.Model != "claude-x" || len(got.Calls) != 1 || got.Calls[0].Arguments != `{"command":"ls"}` || got.Usage.Prompt != 7 {
		t.Errorf("%+v, %v", got, err)
	}
}

// call is a block with a tool call whose input comes in pieces.
func call(index, id string, pieces ...string) string {
	out := ev(`{"type":"content_block_start","index":` + index + `,"content_block":{"type":"tool_use","id":"` + id + `","name":"bash","input":{}}}`)
	for _, p := range pieces {
		piece, _ := json.Marshal(p)
		out += ev(`{"type":"content_block_delta","index":` + index + `,"delta":{"type":"input_json_delta","partial_json":` + string(piece) + `}}`)
	}
	return out
}

func TestCalls(t *testing.T) {
	got, err := ask(t, stream(begun, hello, call("1", "t1", `{"comm`, `and":"ls"}`), call("2", "t2"), call("3", "t2", `{"command":`), call("4", ""),
		ev(`{"type":"content_block_start","index":5,"content_block":{"type":"something_new","x":1}}`), ends("tool_use")))
	want := []model.Call{
		{ID: "t1", Name: "bash", Arguments: `{"command":"ls"}`}, {ID: "t2", Name: "bash", Arguments: "{}"},
		{ID: "call_3", Name: "bash", Arguments: `{"command":`}, {ID: "call_4", Name: "bash", Arguments: "{}"},
	}
	if err != nil || got.Finish != model.FinishCalls || !reflect.DeepEqual(got.Calls, want) ||
		!slices.Equal(got.Tolerated, []string{wire.MarkSameID, wire.MarkNoID}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Why an answer ended decides what may be done with it.
func TestStopReasons(t *testing.T) {
	for reason, want := range map[string]model.Finish{
		"end_turn": model.FinishStop, "stop_sequence": model.FinishStop, "tool_use": model.FinishCalls,
		"max_tokens": model.FinishLength,
	} {
		if got, err := ask(t, stream(begun, hello, ends(reason))); err != nil || got.Finish != want {
			t.Errorf("%s: %q, %v", reason, got.Finish, err)
		}
	}
	for reason, want := range map[string]model.Fault{
		"refusal": model.FaultRequest, "model_context_window_exceeded": model.FaultContext,
		"pause_turn": model.FaultRequest, "news": model.FaultRequest, // of which nobody knows whether they end an answer
	} {
		got, err := ask(t, stream(begun, hello, ends(reason)))
		if e := asError(t, err); e.Fault != want || got.Content != "" || e.Usage.Completion != 80 || e.Model != "claude-x" {
			t.Errorf("%s: %+v, %+v", reason, e, got)
		}
	}
}

// Tokens that were not told, or make no sense, are not taken for few.
func TestUsage(t *testing.T) {
	start := func(usage string) string {
		return ev(`{"type":"message_start","message":{"id":"m","model":"claude-x","content":[],"usage":` + usage + `}}`)
	}
	end := func(usage string) string {
		return ev(`{"type":"message_delta","delta":{"stop_reason":"end_turn"}`+usage+`}`) + stopped
	}
	for name, c := range map[string]struct {
		events []string
		known  bool
		prompt int
	}{
		"none":              {[]string{start("null"), end("")}, false, 0},
		"only at the start": {[]string{start(`{"input_tokens":5,"output_tokens":1}`), end("")}, false, 0},
		"only at the end":   {[]string{start("null"), end(`,"usage":{"input_tokens":5,"output_tokens":9}`)}, true, 5},
		"corrected":         {[]string{start(`{"input_tokens":5,"output_tokens":1}`), end(`,"usage":{"input_tokens":7,"output_tokens":9}`)}, true, 7},
		"negative":          {[]string{start(`{"input_tokens":-5,"output_tokens":1}`), end(`,"usage":{"output_tokens":9}`)}, false, 0},
		"too many":          {[]string{start(`{"input_tokens":5,"output_tokens":1}`), end(`,"usage":{"output_tokens":9000000000000}`)}, false, 0},
		"zeroes":            {[]string{start(`{"input_tokens":0,"output_tokens":0}`), end(`,"usage":{"output_tokens":0}`)}, false, 0},
	} {
		got, err := ask(t, stream(append([]string{c.events[0], hello}, c.events[1:]...)...))
		if err != nil || got.Usage.Known != c.known || got.Usage.Prompt != c.prompt {
			t.Errorf("%s: %+v, %v", name, got.Usage, err)
		}
	}
}

// What goes over the wire: results of one turn in one message and first, no
// invalid input, no blank text, breakpoints for the cache; and nothing of what
// the environment says.
func TestRequest(t *testing.T) {
	for name, value := range map[string]string{
		"ANTHROPIC_API_KEY": "sk-ant-of-the-environment", "ANTHROPIC_AUTH_TOKEN": "token-of-the-environment", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
		"ANTHROPIC_CUSTOM_HEADERS": "X-Strange: yes", "ANTHROPIC_PROFILE": "nobody",
	} {
		t.Setenv(name, value)
	}
	s, last := server(t, stream(begun, hello, ends("end_turn")))
	r := model.Request{MaxTokens: 777, Messages: []model.Message{
		{Role: model.System, Content: "be brief"},
		{Role: model.User, Content: "go"},
		{Role: model.Assistant, Content: " ", Calls: []model.Call{{ID: "c1", Name: "bash", Arguments: `{"command":"ls"}`}, {ID: "c2", Name: "bash", Arguments: `{"command": "l`}}},
		{Role: model.ToolRole, CallID: "c1", Content: ""},
		{Role: model.User, Content: "note"},
		{Role: model.ToolRole, CallID: "c2", Content: "bad"},
	}, Tools: []model.Tool{{Name: "bash", Description: "Run.", Parameters: []byte(`{"type":"object","properties":{"command":{"type":"string"}},"required":["command"]}`)}}}
	if _, err := client(t, s, Config{Effort: "low", UserAgent: "glovebox/1"}).Reply(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if last.path != "/v1/messages" || last.header.Get("X-Api-Key") != key || last.header.Get("Anthropic-Version") != "2023-06-01" ||
		last.header.Get("Authorization") != "" || last.header.Get("X-Strange") != "" || last.header.Get("User-Agent") != "glovebox/1" {
		t.Errorf("%s %v", last.path, last.header)
	}
	got, err := json.Marshal(last.body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"max_tokens":777,"messages":[` +
		`{"content":[{"cache_control":{"type":"ephemeral"},"text":"go","type":"text"}],"role":"user"},` +
		`{"content":[{"id":"c1","input":{"command":"ls"},"name":"bash","type":"tool_use"},` +
		`{"id":"c2","input":{"invalid":"{\"command\": \"l"},"name":"bash","type":"tool_use"}],"role":"assistant"},` +
		`{"content":[{"content":[{"text":"(empty)","type":"text"}],"tool_use_id":"c1","type":"tool_result"},` +
		`{"content":[{"text":"bad","type":"text"}],"tool_use_id":"c2","type":"tool_result"},` +
		`{"cache_control":{"type":"ephemeral"},"text":"note","type":"text"}],"role":"user"}],` +
		`"model":"claude-x","output_config":{"effort":"low"},"service_tier":"standard_only","stream":true,` +
		`"system":[{"cache_control":{"type":"ephemeral"},"text":"be brief","type":"text"}],` +
		`"tools":[{"description":"Run.","input_schema":{"properties":{"command":{"type":"string"}},"required":["command"],"type":"object"},"name":"bash"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The breakpoint moves with the conversation, and what was sent stays as it
// was: else each turn would pay the whole prompt again. There are never more
// than the four breakpoints that the service allows.
func TestCacheBreakpointMoves(t *testing.T) {
	s, last := server(t, stream(begun, hello, ends("end_turn")))
	c := client(t, s, Config{})
	r := model.Request{MaxTokens: 9, Messages: []model.Message{{Role: model.System, Content: "s"}, {Role: model.User, Content: "go"}},
		Tools: []model.Tool{{Name: "bash", Parameters: []byte(`{"type":"object"}`)}}}
	before := ""
	for turn := range 30 {
		if _, err := c.Reply(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(last.body["messages"])
		if err != nil {
			t.Fatal(err)
		}
		const mark = `"cache_control":{"type":"ephemeral"},`
		if n := strings.Count(string(text), mark); n != min(turn+1, 2) {
			t.Fatalf("turn %d: %d breakpoints", turn, n)
		}
		if end := string(text[strings.LastIndex(string(text), `{"content"`):]); !strings.Contains(end, mark) {
			t.Fatalf("turn %d: no breakpoint at the end: %s", turn, end)
		}
		plain := strings.ReplaceAll(string(text), mark, "")
		if !strings.HasPrefix(plain, strings.TrimSuffix(before, "]")) {
			t.Fatalf("turn %d: what was sent before has changed", turn)
		}
		before = plain
		r.Messages = append(r.Messages,
			model.Message{Role: model.Assistant, Calls: []model.Call{{ID: "c", Name: "bash", Arguments: `{}`}}},
			model.Message{Role: model.ToolRole, CallID: "c", Content: "done"})
	}
}

// Thinking is signed and bound to its place: it goes back unchanged, between
// the same blocks.
func TestThinkingIsEchoed(t *testing.T) {
	think := func(index, text, signature string) string {
		return ev(`{"type":"content_block_start","index":`+index+`,"content_block":{"type":"thinking","thinking":"","signature":"","extra":1.50}}`) +
			ev(`{"type":"content_block_delta","index":`+index+`,"delta":{"type":"thinking_delta","thinking":"`+text+`"}}`) +
			ev(`{"type":"content_block_delta","index":`+index+`,"delta":{"type":"thinking_delta","thinking":"!"}}`) +
			ev(`{"type":"content_block_delta","index":`+index+`,"delta":{"type":"signature_delta","signature":"`+signature+`"}}`)
	}
	text := func(index, text string) string {
		return ev(`{"type":"content_block_start","index":` + index + `,"content_block":{"type":"text","text":"` + text + `"}}`)
	}
	s, last := server(t, stream(begun, think("0", "first <a>", "SIG1=="), text("1", "one "), call("2", "t1", `{"a":1}`),
		think("3", "second", "SIG2"), ev(`{"type":"content_block_start","index":4,"content_block":{"type":"redacted_thinking","data":"xyz"}}`),
		text("5", "two"), call("6", "t2"), ends("tool_use")))
	c := client(t, s, Config{})
	r := hi()
	reply, err := c.Reply(context.Background(), r)
	if err != nil || reply.Content != "one two" || len(reply.Calls) != 2 {
		t.Fatalf("%+v, %v", reply, err)
	}
	echo := func(m model.Message) string {
		next := r
		next.Messages = append(next.Messages[:1:1], m, model.Message{Role: model.ToolRole, CallID: "t1", Content: "x"}, model.Message{Role: model.ToolRole, CallID: "t2", Content: "y"})
		if _, err := c.Reply(context.Background(), next); err != nil {
			t.Fatal(err)
		}
		content := last.body["messages"].([]any)[1].(map[string]any)["content"]
		raw, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	m := model.Message{Role: model.Assistant, Content: reply.Content, Calls: reply.Calls, Reasoning: reply.Reasoning}
	want := `[{"extra":1.5,"signature":"SIG1==","thinking":"first \u003ca\u003e!","type":"thinking"},{"text":"one ","type":"text"},{"id":"t1","input":{"a":1},"name":"bash","type":"tool_use"},` +
		`{"extra":1.5,"signature":"SIG2","thinking":"second!","type":"thinking"},{"data":"xyz","type":"redacted_thinking"},{"text":"two","type":"text"},{"id":"t2","input":{},"name":"bash","type":"tool_use"}]`
	if got := echo(m); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Where the loop keeps less of a message than was said, what it keeps counts.
	m.Content, m.Calls = "shorter", m.Calls[:1]
	got := echo(m)
	if strings.Contains(got, "one ") || strings.Contains(got, `"t2"`) || !strings.Contains(got, "shorter") || !strings.Contains(got, "SIG2") {
		t.Errorf("got %s", got)
	}
	// Nor does what another adapter has kept do harm.
	m.Reasoning = json.RawMessage(`{"what":"else"}`)
	if got := echo(m); got != `[{"text":"shorter","type":"text"},{"id":"t1","input":{"a":1},"name":"bash","type":"tool_use"}]` {
		t.Errorf("got %s", got)
	}
}

// The list of models is read with the same care.
func TestGet(t *testing.T) {
	s, last := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.RawQuery != "limit=1000" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		_, _ = w.Write([]byte(`{"data":[]}`))
	})
	c := client(t, s, Config{})
	got, err := c.Get(context.Background(), "/models?limit=1000", 100)
	if err != nil || string(got) != `{"data":[]}` || last.path != "/v1/models" || last.header.Get("X-Api-Key") != key {
		t.Errorf("%s, %v, %s", got, err, last.path)
	}
	if _, err := c.Get(context.Background(), "/models?limit=1000", 5); asError(t, err).Fault != model.FaultServer {
		t.Errorf("too long: %v", err)
	}
}
