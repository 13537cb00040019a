package modeltest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain is an HTTP client that follows nothing and keeps no connection.
func plain() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// post sends a body and returns status and answer; err is what broke while the
// answer was read.
func post(t *testing.T, s *Server, path, body string) (status int, answer string, err error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+Key)
	r.Header.Set("X-Api-Key", Key)
	r.Header.Set("X-OpenRouter-Metadata", "enabled")
	resp, err := plain().Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

const (
	chat     = `{"model":"a/b","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
	messages = `{"model":"a/b","max_tokens":100,"stream":true,"system":"be brief","messages":[{"role":"user","content":"hi"}]}`
)

func sold() []Model {
	return []Model{{ID: "a/b", Canonical: "a/b-2026", Price: PerMillion("2", "10")}, {ID: "a/dear", Price: PerMillion("20", "100")}}
}

func calls() Script {
	return Turns(Calls("bash", `{"command":"ls"}`, "read", `{"path":"a"}`), Says("Done."))
}

// events are the data of a stream, comments left out.
func events(answer string) (out []string) {
	for _, line := range strings.Split(answer, "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			out = append(out, data)
		}
	}
	return out
}

// An honest server streams what the script says, in chunks, with what it bills.
func TestChatStream(t *testing.T) {
	s := New(t, OpenRouter, calls(), sold()...)
	status, answer, err := post(t, s, "/chat/completions", chat)
	if err != nil || status != 200 || !strings.HasPrefix(answer, ": OPENROUTER PROCESSING\n\n") {
		t.Fatalf("%d, %v: %s", status, err, answer)
	}
	list := events(answer)
	if list[len(list)-1] != "[DONE]" {
		t.Errorf("ends with %s", list[len(list)-1])
	}
	args, named := map[int]string{}, map[int]string{}
	var usage struct {
		Usage    struct{ Cost json.Number }
		Metadata struct{ Strategy string } `json:"openrouter_metadata"`
	}
	for _, data := range list[:len(list)-1] {
		var c struct {
			Model   string
			Choices []struct {
				Delta struct {
					Calls []struct {
						Index    int
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil || c.Model != "a/b" {
			t.Errorf("%v: %s", err, data)
		}
		if len(c.Choices) == 0 {
			if err := json.Unmarshal([]byte(data), &usage); err != nil {
				t.Error(err)
			}
			continue
		}
		for _, call := range c.Choices[0].Delta.Calls {
			args[call.Index] += call.Function.Arguments
			named[call.Index] += call.Function.Name
		}
	}
	if args[0] != `{"command":"ls"}` || args[1] != `{"path":"a"}` || named[0] != "bash" || named[1] != "read" {
		t.Errorf("calls %v %v", named, args)
	}
	if usage.Usage.Cost.String() != s.Billed().String() || !s.Billed().IsPositive() || usage.Metadata.Strategy != "direct" {
		t.Errorf("reports %+v, bills %s", usage, s.Billed())
	}
}

// The Messages API: its events in their order, and the usage in both places.
func TestMessagesStream(t *testing.T) {
	s := New(t, Anthropic, calls(), sold()...)
	s.Always(Cached(5, 3))
	status, answer, err := post(t, s, "/messages", messages)
	if err != nil || status != 200 {
		t.Fatalf("%d, %v: %s", status, err, answer)
	}
	var names []string
	inputs := map[float64]string{}
	var last map[string]any
	for _, data := range events(answer) {
		var e map[string]any
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		name := e["type"].(string)
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
		switch name {
		case "message_start":
			m := e["message"].(map[string]any)
			if m["model"] != "a/b" || m["usage"].(map[string]any)["cache_read_input_tokens"] != 5.0 {
				t.Errorf("starts with %s", data)
			}
		case "content_block_delta":
			if piece, ok := e["delta"].(map[string]any)["partial_json"].(string); ok {
				inputs[e["index"].(float64)] += piece
			}
		case "message_delta":
			last = e
		}
	}
	block := "content_block_start content_block_delta content_block_stop"
	if got, want := strings.Join(names, " "), "message_start ping "+block+" "+block+" "+block+" message_delta message_stop"; got != want {
		t.Errorf("events %s\nwant   %s", got, want)
	}
	if inputs[1] != `{"command":"ls"}` || inputs[2] != `{"path":"a"}` {
		t.Errorf("inputs %v", inputs)
	}
	if d := last["delta"].(map[string]any); d["stop_reason"] != "tool_use" {
		t.Errorf("ends with %v", last)
	}
	u := last["usage"].(map[string]any)
	e := s.Exchanges()[0]
	if got := u["input_tokens"].(float64); int(got)+8 != len(e.Body)/bytesPerToken+1 {
		t.Errorf("input_tokens %v count what the cache held: %v", got, u)
	}
	if e.MaxTokens != 100 || len(e.Messages) != 2 || e.Messages[0].Text != "be brief" {
		t.Errorf("read %+v", e.Request)
	}
}

// A conversation is read in both formats, so that scripts go on where it stands.
func TestTurnsInBothFormats(t *testing.T) {
	for wire, body := range map[Wire]string{
		OpenAI: `{"model":"a/b","messages":[{"role":"user","content":"hi"},
			{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"bash","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"c1","content":"a file"}]}`,
		Anthropic: `{"model":"a/b","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},
			{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"bash","input":{}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"a file"}]}]}]}`,
	} {
		s := New(t, wire, calls(), sold()...)
		path := map[Wire]string{OpenAI: "/chat/completions", Anthropic: "/messages"}[wire]
		if _, answer, err := post(t, s, path, body); err != nil || !strings.Contains(answer, "Do") || strings.Contains(answer, "bash") {
			t.Errorf("%s: the second turn is %s, %v", wire, answer, err)
		}
		m := s.Exchanges()[0].Messages
		if len(m) != 3 || m[1].Calls[0].Name != "bash" || m[2].Role != "tool" || m[2].Text != "a file" || m[2].ID != "c1" {
			t.Errorf("%s: read %+v", wire, m)
		}
	}
}

// What is billed does not depend on what the client got to see.
func TestBilled(t *testing.T) {
	honest := New(t, OpenRouter, calls(), sold()...)
	if _, _, err := post(t, honest, "/chat/completions", chat); err != nil {
		t.Fatal(err)
	}
	whole := honest.Billed().String()
	for _, c := range []struct {
		faults []Fault
		want   string
	}{
		{[]Fault{CutAfter(2)}, whole},
		{[]Fault{HangUp()}, whole},
		{[]Fault{ErrorIn200(502)}, whole},
		{[]Fault{ErrorMidStream(2, 502)}, whole},
		{[]Fault{NoUsage()}, whole},
		{[]Fault{Reports("0")}, whole},
		{[]Fault{Down(500)}, "0"},
		{[]Fault{Busy(time.Second)}, "0"},
		{[]Fault{Redirect(307)}, "0"},
		{[]Fault{Down(504), BillsTheReply()}, whole},
		{[]Fault{Down(500), Bills("0.5")}, "0.5"},
		{[]Fault{Costs("0.25")}, "0.25"},
		{[]Fault{OwnKey("0.125")}, "0.125"},
		{[]Fault{WrongModel("a/dear")}, honest.Billed().Shift(1).String()},
		{[]Fault{PriceIs(PerMillion("20", "100"))}, honest.Billed().Shift(1).String()},
	} {
		s := New(t, OpenRouter, calls(), sold()...)
		s.On(1, c.faults...)
		_, _, _ = post(t, s, "/chat/completions", chat) // broken ones too
		if got := s.Billed().String(); got != c.want {
			t.Errorf("%s: billed %s, want %s", Names(c.faults), got, c.want)
		}
	}
}

// Each fault does what its name says, on the wire.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		wire   Wire
		faults []Fault
		status int
		has    string
		lacks  string
		breaks bool
	}{
		{OpenRouter, []Fault{WrongModel("a/dear")}, 200, `"model":"a/dear"`, `"a/b"}`, false},
		{OpenRouter, []Fault{WrongModelMidStream(2, "a/dear")}, 200, `"model":"a/dear"`, "", false},
		{OpenRouter, []Fault{WrongEndpoint("a/dear")}, 200, `"available":[{"model":"a/dear"`, "", false},
		{OpenRouter, []Fault{WrongAttempt("a/dear")}, 200, `"attempts":[{"model":"a/dear"`, "", false},
		{OpenRouter, []Fault{Strategy("fallback")}, 200, `"strategy":"fallback"`, "", false},
		{OpenRouter, []Fault{Requested("x/y")}, 200, `"requested":"x/y"`, "", false},
		{OpenRouter, []Fault{NoMetadata()}, 200, "[DONE]", "openrouter_metadata", false},
		{OpenRouter, []Fault{Upstream("Q")}, 200, `"provider":"Q"`, `"provider":"P"`, false},
		{OpenRouter, []Fault{NoUsage()}, 200, "[DONE]", "usage", false},
		{OpenRouter, []Fault{NoCost()}, 200, "prompt_tokens", "cost", false},
		{OpenRouter, []Fault{UsageIs("-1", "1e30")}, 200, `"completion_tokens":1e30`, "", false},
		{OpenAI, []Fault{UsageNull()}, 200, `"usage":null`, "prompt_tokens", false},
		{OpenRouter, []Fault{CreditsInFlight(3 * time.Second)}, 402, "openrouter_in_flight_budget", "", false},
		{OpenRouter, []Fault{NoMoreToday(time.Now().Add(time.Hour))}, 429, "free-models-per-day", "", false},
		{OpenAI, []Fault{QuotaGone()}, 429, "insufficient_quota", "", false},
		{Anthropic, []Fault{QuotaGone()}, 429, "enforced_spend_limit_reached", "", false},
		{Anthropic, []Fault{Down(529)}, 529, `"type":"overloaded_error"`, "", false},
		{Anthropic, []Fault{TooLong()}, 400, "prompt is too long", "", false},
		{Anthropic, []Fault{WrongModel("a/dear")}, 200, `"model":"a/dear"`, `"model":"a/b"`, false},
		{Anthropic, []Fault{NoUsage()}, 200, "message_stop", "usage", false},
		{Anthropic, []Fault{ErrorMidStream(3, 529)}, 200, "event: error\ndata: {\"error\"", "message_stop", false},
		{Anthropic, []Fault{CutBeforeFinish()}, 200, "content_block_stop", "message_delta", true},
		{Anthropic, []Fault{Finish("length")}, 200, `"stop_reason":"max_tokens"`, "", false},
		{Anthropic, []Fault{OneDocument()}, 200, `"input":{"command":"ls"}`, "data:", false},
		{OpenAI, []Fault{OneDocument()}, 200, `"arguments":"{\"command\":\"ls\"}"`, "data:", false},
		{OpenAI, []Fault{ErrorMidStream(3, 502)}, 200, `"finish_reason":"error"`, "", false},
		{OpenAI, []Fault{CutBeforeFinish()}, 200, "tool_calls", "finish_reason\":\"tool_calls", true},
		{OpenAI, []Fault{EndBeforeFinish()}, 200, "tool_calls", "finish_reason\":\"tool_calls", false},
		{OpenAI, []Fault{CutInEvent(2)}, 200, "data:", "[DONE]", true},
		{OpenAI, []Fault{NoDone()}, 200, "usage", "[DONE]", false},
		{OpenAI, []Fault{CommentsOnly(3)}, 200, ": OPENROUTER PROCESSING", "data:", false},
		{OpenAI, []Fault{NoIndex()}, 200, `"tool_calls":[{"function"`, `"index":1`, false},
		{OpenAI, []Fault{IndexZero()}, 200, `"name":"read"`, `"index":1`, false},
		{OpenAI, []Fault{NoID()}, 200, `"type":"function"`, "call_1", false},
		{OpenAI, []Fault{SameID()}, 200, "call_same", "call_1", false},
		{OpenAI, []Fault{ArgumentsAsObject()}, 200, `"arguments":{"command":"ls"}`, "", false},
		{OpenAI, []Fault{NullContent()}, 200, `"content":null`, "I go on", false},
		{OpenAI, []Fault{BrokenArguments()}, 200, `\\"`, "", false},
		{OpenAI, []Fault{Length(false)}, 200, `"completion_tokens":100`, "", false},
		{OpenAI, []Fault{CallsAsText("json")}, 200, "tool_call", `"tool_calls":[`, false},
		{OpenAI, []Fault{HTMLPage(200)}, 200, "<html>", "", false},
		{OpenAI, []Fault{Status(418, "teapot")}, 418, "teapot", "", false},
		{OpenAI, []Fault{Down(503), ComeBack(time.Minute)}, 503, "not available", "", false},
		{OpenAI, []Fault{HangUp()}, 0, "", "", true},
	} {
		s := New(t, c.wire, calls(), sold()...)
		s.On(1, c.faults...)
		path, body := "/chat/completions", chat
		if c.wire == Anthropic {
			path, body = "/messages", messages
		}
		status, answer, err := post(t, s, path, body)
		if status != c.status || !strings.Contains(answer, c.has) || c.lacks != "" && strings.Contains(answer, c.lacks) || (err != nil) != c.breaks {
			t.Errorf("%s, %s: %d, %v: %s", c.wire, Names(c.faults), status, err, answer)
		}
		if e := s.Exchanges()[0]; e.Status != c.status {
			t.Errorf("%s: remembers status %d", Names(c.faults), e.Status)
		}
	}
}

// Faults have their place.
func TestPlaces(t *testing.T) {
	s := New(t, OpenAI, calls(), sold()...)
	s.On(2, Down(500))
	s.From(4, Down(503))
	for _, want := range []int{200, 500, 200, 503, 503} {
		if got, _, _ := post(t, s, "/chat/completions", chat); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	if e := s.Exchanges(); len(e) != 5 || Names(e[1].Faults) != "500" || len(e[2].Faults) != 0 {
		t.Errorf("remembers %v", e)
	}
}

// recorder is a test that remembers that it failed.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// A fault that the format does not have, and a request that its server would
// refuse, fail the test.
func TestFailsLoudly(t *testing.T) {
	for name, c := range map[string]struct {
		wire  Wire
		body  string
		fault Fault
	}{
		"a fault of the other format":  {Anthropic, messages, NoIndex()},
		"a misspelt field":             {OpenAI, strings.Replace(chat, `"stream"`, `"streem"`, 1), NoUsage()},
		"a misspelt pin":               {OpenRouter, strings.Replace(chat, `"stream":true`, `"provider":{"allow_fallback":false}`, 1), NoUsage()},
		"pins where nobody knows them": {OpenAI, strings.Replace(chat, `"stream":true`, `"provider":{"sort":"price"}`, 1), NoUsage()},
		"a null text":                  {OpenAI, strings.Replace(chat, `"hi"`, `null`, 1), NoUsage()},
		"no messages":                  {OpenAI, `{"model":"a/b","messages":[]}`, NoUsage()},
		"a result of no call":          {OpenAI, strings.Replace(chat, `{"role":"user"`, `{"role":"tool","tool_call_id":"c1"`, 1), NoUsage()},
		"a call without a result": {OpenAI, strings.Replace(chat, `]}`,
			`,{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"bash","arguments":"{}"}}]}]}`, 1), NoUsage()},
		"arguments that are no object": {OpenAI, strings.Replace(chat, `]}`,
			`,{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"bash","arguments":"{"}}]},{"role":"tool","tool_call_id":"c1","content":""}]}`, 1), NoUsage()},
		"a call without a type": {OpenAI, strings.Replace(chat, `]}`,
			`,{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"bash","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":""}]}`, 1), NoUsage()},
	} {
		r := &recorder{TB: t}
		s := New(r, c.wire, calls(), sold()...)
		s.On(1, c.fault)
		path := "/chat/completions"
		if c.wire == Anthropic {
			path = "/messages"
		}
		if _, _, err := post(t, s, path, c.body); err != nil || len(r.failures) != 1 {
			t.Errorf("%s: %v, %v", name, r.failures, err)
		}
	}
}

// Nobody gets in without the key, and the catalogue is the format's.
func TestCatalogue(t *testing.T) {
	for wire, words := range map[Wire]string{OpenRouter: `"prompt":"0.000002"`, OpenAI: `"object":"list"`, Local: `"object":"list"`, Anthropic: `"has_more":false`} {
		s := New(t, wire, calls(), sold()...)
		resp, err := plain().Get(s.URL + "/models")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if (resp.StatusCode == 200) != (wire == Local) {
			t.Errorf("%s: %d without a key", wire, resp.StatusCode)
		}
		if answer := get(t, s, "/models"); !strings.Contains(answer, words) || !strings.Contains(answer, "a/dear") {
			t.Errorf("%s: %s", wire, answer)
		}
	}
	s := New(t, OpenRouter, calls(), sold()...)
	s.On(1, CutAfter(2))
	_, _, _ = post(t, s, "/chat/completions", chat)
	for path, words := range map[string]string{
		"/model/a/b": `"canonical_slug":"a/b-2026"`, "/models/a/b/endpoints": `"provider_name":"P"`, "/key": `"limit"`,
		"/generation?id=gen-1": `"total_cost":` + s.Billed().String(),
	} {
		if answer := get(t, s, path); !strings.Contains(answer, words) {
			t.Errorf("%s: %s", path, answer)
		}
	}
	s.Sell(Model{ID: "a/b", Price: PerMillion("3", "10")})
	if answer := get(t, s, "/models"); !strings.Contains(answer, `"prompt":"0.000003"`) {
		t.Errorf("after a change: %s", answer)
	}
	s.Catalogue(Down(500))
	if answer := get(t, s, "/models"); !strings.Contains(answer, "not available") {
		t.Errorf("a broken one: %s", answer)
	}
}

func get(t *testing.T, s *Server, path string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+Key)
	resp, err := plain().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A redirect leads to a server of its own, which tells who followed.
func TestRedirect(t *testing.T) {
	s := New(t, OpenAI, calls(), sold()...)
	s.Always(Redirect(307))
	r, err := http.NewRequest(http.MethodPost, s.URL+"/chat/completions", strings.NewReader(chat))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+Key)
	follower := plain()
	follower.CheckRedirect = nil
	resp, err := follower.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(s.Strays()) != 1 {
		t.Errorf("strays: %v", s.Strays())
	}
}

// The licence of what the schema was made from stands in it.
func TestSchemaKeepsItsNotice(t *testing.T) {
	text, err := os.ReadFile("requests.schema.json")
	if err != nil || !strings.Contains(string(text), "Copyright (c) OpenAI (https://openai.com). Permission is hereby granted") {
		t.Errorf("no notice, %v", err)
	}
}
