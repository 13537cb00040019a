package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
)

// listing is a catalogue of models that differ in what they take.
const listing = `{"data":[
 {"id":"a/thinks","context_length":200000,"pricing":{"prompt":"0.000002","completion":"0.00001"},"supported_parameters":["tools","max_tokens","reasoning","reasoning_effort"]},
 {"id":"a/short","context_length":200000,"pricing":{"prompt":"0.000002","completion":"0.00001"},"supported_parameters":["tools","max_completion_tokens","reasoning_effort"]},
 {"id":"a/some","context_length":200000,"pricing":{"prompt":"0.000002","completion":"0.00001"},"supported_parameters":["tools","max_tokens","reasoning"],"reasoning":{"supported_efforts":["high","max"]}},
 {"id":"a/plain","context_length":200000,"pricing":{"prompt":"0.000002","completion":"0.00001"},"supported_parameters":["max_tokens"]},
 {"id":"f/small:free","context_length":32000,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools","max_tokens"]},
 {"id":"f/large-b:free","context_length":262144,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools","max_tokens"]},
 {"id":"f/large-a:free","context_length":262144,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools","max_tokens"]},
 {"id":"f/toolless:free","context_length":1000000,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["max_tokens"]},
 {"id":"f/unsaid:free","context_length":1000000,"pricing":{"prompt":"0","completion":"0"}},
 {"id":"f/mute:free","context_length":1000000,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools"],"top_provider":{"max_completion_tokens":500}},
 {"id":"f/gone:free","context_length":1000000,"expiration_date":"2020-01-01","pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools"]},
 {"id":"f/request-fee:free","context_length":1000000,"pricing":{"prompt":"0","completion":"0","request":"0.01"},"supported_parameters":["tools"]},
 {"id":"f/later","context_length":1000000,"pricing":{"prompt":"0","completion":"0","overrides":[{"min_prompt_tokens":1000,"prompt":"0.000001"}]},"supported_parameters":["tools"]},
 {"id":"f/pictures:free","context_length":1000000,"architecture":{"output_modalities":["image"]},"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools"]},
 {"id":"f/paid","context_length":9000000,"pricing":{"prompt":"0.000001","completion":"0"},"supported_parameters":["tools"]},
 {"id":"f/unpriced:free","context_length":9000000,"supported_parameters":["tools"]},
 {"id":"openrouter/free","context_length":9000000,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools"]},
 {"id":"f/\u001b[2Jclear:free","context_length":9000000,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools"]}
]}`

const endpoints = `{"data":{"id":"a/thinks","endpoints":[
 {"provider_name":"DeepInfra","tag":"deepinfra/fp8","context_length":131072,"max_completion_tokens":16384,"pricing":{"prompt":"0.000001","completion":"0.000009","input_cache_write":"0.0000015"},"supported_parameters":["tools","max_tokens","reasoning"]},
 {"provider_name":"Google","tag":"google-vertex/us-east5","context_length":200000,"max_completion_tokens":8192,"pricing":{"prompt":"0.000003","completion":"0.000008"},"supported_parameters":["tools","max_tokens","seed"]},
 {"provider_name":"Google","tag":"google-vertex/europe","context_length":200000,"max_completion_tokens":8192,"pricing":{"prompt":"0.000003","completion":"0.000008"},"supported_parameters":["tools","max_tokens","seed"]},
 {"provider_name":"Odd","tag":"odd","pricing":{"prompt":"-1","completion":"1"}}
]}}`

// sent is what a server got last.
type sent struct {
	body   string
	header http.Header
}

// openrouterServer answers with the listing, the endpoints, and a model's few words.
func openrouterServer(t *testing.T) (base string, last *sent) {
	t.Helper()
	last = &sent{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/models", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, listing) })
	mux.HandleFunc("GET /api/v1/models/a/thinks/endpoints", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, endpoints) })
	mux.HandleFunc("GET /", http.NotFound)
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		last.body, last.header = string(body), r.Header
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/api/v1", last
}

// bodyOf is the raw body of a request to the resolved model.
func bodyOf(t *testing.T, name string, o Options) (string, model.Info) {
	t.Helper()
	base, last := openrouterServer(t)
	o.BaseURL = base
	m, info, err := Resolve(ending(t), name, keys, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Reply(context.Background(), model.Request{MaxTokens: 10, Messages: []model.Message{{Role: model.User, Content: "hi"}},
		Tools: []model.Tool{{Name: "bash", Description: "Run.", Parameters: []byte(`{}`)}}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Openrouter-Metadata": "enabled", "X-Openrouter-Cache": "false", "Authorization": "Bearer sk-or-test-key"} {
		if got := last.header.Get(name); got != want {
			t.Errorf("header %s: %q", name, got)
		}
	}
	return last.body, info
}

// All that a request to OpenRouter says, to the byte: one model and no list of
// others, no preset, nothing that an account's settings could change.
func TestOpenRouterPins(t *testing.T) {
	const (
		head    = `{"max_tokens":10,"messages":[{"role":"user","content":"hi"}],"model":"a/thinks",`
		plugins = `"plugins":[{"enabled":false,"id":"auto-router"},{"enabled":false,"id":"auto-beta-router"},{"enabled":false,"id":"pareto-router"},{"enabled":false,"id":"fusion"},{"enabled":false,"id":"web"},{"enabled":false,"id":"file-parser"},{"enabled":false,"id":"response-healing"},{"enabled":false,"id":"context-compression"}],`
		tail    = `"stream":true,"stream_options":{"include_usage":true},"tools":[{"function":{"name":"bash","description":"Run.","parameters":{}},"type":"function"}]}`
	)
	got, info := bodyOf(t, "openrouter/a/thinks", Options{})
	want := head + plugins +
		`"provider":{"allow_fallbacks":false,"max_price":{"completion":10,"prompt":2,"request":0},"require_parameters":true,"sort":"price"},` +
		`"reasoning":{"effort":"low"},` + tail
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if info.Tools != model.Supported || !info.Effort || info.Upstreams != nil {
		t.Errorf("%+v", info)
	}

	// Narrowed to upstreams: their price, their limits, and what all of them take.
	got, info = bodyOf(t, "openrouter/a/thinks", Options{Upstreams: []string{"google-vertex", "deepinfra/fp8"}})
	want = head + plugins +
		`"provider":{"allow_fallbacks":false,"max_price":{"completion":9,"prompt":3,"request":0},"only":["google-vertex","deepinfra/fp8"],"order":["google-vertex","deepinfra/fp8"],"require_parameters":true},` + tail
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !reflect.DeepEqual(info.Upstreams, []string{"DeepInfra", "Google"}) || info.Context != 131072 || info.MaxOutput != 8192 || info.Effort ||
		info.Price.CacheWrite.Decimal.String() != "0.000003" {
		t.Errorf("%+v", info)
	}
}

// The upstream must serve the model at a known price, and only OpenRouter has any.
func TestUpstreams(t *testing.T) {
	base, _ := openrouterServer(t)
	for _, c := range []struct {
		model, upstream string
		fault           model.Fault
		words           string
	}{
		{"openrouter/a/thinks", "nobody", model.FaultOption, "deepinfra/fp8, google-vertex/europe"},
		{"openrouter/a/thinks", "deepinfra/fp4", model.FaultOption, "deepinfra/fp8"},
		{"openrouter/a/thinks", "odd", model.FaultNoPrice, "no fixed price"},
		{"openrouter/a/short", "deepinfra", model.FaultNotFound, ""},
		{"ollama/x", "deepinfra", model.FaultOption, "--provider"},
		{"scripted/todo", "deepinfra", model.FaultOption, "--provider"},
	} {
		_, _, err := Resolve(ending(t), c.model, keys, Options{BaseURL: base, Upstreams: []string{c.upstream}})
		if faultOf(err) != c.fault || !strings.Contains(fmt.Sprint(err), c.words) {
			t.Errorf("%s at %s: %v", c.model, c.upstream, err)
		}
	}
}

// Reasoning is asked for as the model lists it: low unless somebody says
// otherwise, nothing where there is nothing to set, and never what is not listed.
func TestEffort(t *testing.T) {
	base, _ := openrouterServer(t)
	for _, c := range []struct {
		model, effort string
		want          string // in the body, or "" for nothing of it
		fault         model.Fault
	}{
		{"openrouter/a/thinks", "", `"reasoning":{"effort":"low"}`, ""},
		{"openrouter/a/thinks", "high", `"reasoning":{"effort":"high"}`, ""},
		{"openrouter/a/thinks", "none", `"reasoning":{"effort":"none"}`, ""},
		{"openrouter/a/short", "", `"reasoning_effort":"low"`, ""},
		{"openrouter/a/some", "", "", ""},
		{"openrouter/a/some", "high", `"reasoning":{"effort":"high"}`, ""},
		{"openrouter/a/some", "low", "", model.FaultOption},
		{"openrouter/a/plain", "", "", ""},
		{"openrouter/a/plain", "none", "", ""},
		{"openrouter/a/plain", "low", "", model.FaultOption},
		{"openrouter/a/thinks", "much", "", model.FaultOption},
		{"scripted/todo", "low", "", model.FaultOption},
	} {
		if c.fault != "" {
			if _, _, err := Resolve(ending(t), c.model, keys, Options{BaseURL: base, Effort: c.effort}); faultOf(err) != c.fault {
				t.Errorf("%s %s: %v", c.model, c.effort, err)
			}
			continue
		}
		body, _ := bodyOf(t, c.model, Options{Effort: c.effort})
		if c.want == "" && strings.Contains(body, "effort") || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %s", c.model, c.effort, body)
		}
	}
	if body, _ := bodyOf(t, "openrouter/a/short", Options{}); !strings.Contains(body, `"max_completion_tokens":10`) || strings.Contains(body, `"max_tokens"`) {
		t.Errorf("the bound of a reply by another name: %s", body)
	}
}

// OpenAI's models that take tools only without reasoning are asked without it,
// and with nothing else.
func TestOpenAIEffort(t *testing.T) {
	var body map[string]any
	base := api(t, "gpt-6-sol", &body) + "/plain"
	for _, c := range []struct {
		model, effort string
		want          any
		fault         model.Fault
	}{
		{"openai/gpt-6-sol", "", "none", ""},
		{"openai/gpt-6-sol", "none", "none", ""},
		{"openai/gpt-6-sol", "high", nil, model.FaultOption},
		{"openai/gpt-5-mini", "", nil, ""},
		{"openai/gpt-5-mini", "high", "high", ""},
		{"custom/gpt-6-sol", "", "none", ""},
		{"ollama/qwen3:8b", "high", "high", ""},
	} {
		m, _, err := Resolve(ending(t), c.model, keys, Options{BaseURL: base, Effort: c.effort, Price: "1/1"})
		if c.fault != "" {
			if faultOf(err) != c.fault {
				t.Errorf("%s %s: %v", c.model, c.effort, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		clear(body)
		if _, err := m.Reply(context.Background(), model.Request{MaxTokens: 10}); err != nil || body["reasoning_effort"] != c.want {
			t.Errorf("%s %s: %v, %v", c.model, c.effort, body, err)
		}
	}
}

// auto is always the same model, surely free, and one that can do the work.
func TestAuto(t *testing.T) {
	base, last := openrouterServer(t)
	_, info, err := Resolve(ending(t), "auto", keys, Options{BaseURL: base})
	if err != nil || info.Provider != "openrouter" || info.ID != "f/large-a:free" || !info.Price.Free() {
		t.Errorf("%+v, %v", info, err)
	}
	if _, info, err = Resolve(ending(t), "auto", keys, Options{BaseURL: base, Fences: []Fence{{"openrouter/f/s*"}}}); err != nil || info.ID != "f/small:free" {
		t.Errorf("within a fence: %+v, %v", info, err)
	}
	if _, _, err = Resolve(ending(t), "auto", keys, Options{BaseURL: base, Fences: []Fence{{"openrouter/a/*", "openrouter/f/paid"}}}); faultOf(err) != model.FaultNotFound {
		t.Errorf("never a paid one: %v", err)
	}
	if last.body != "" {
		t.Errorf("a request was sent: %s", last.body)
	}
}

// Fences are decided before anything is asked, each must allow, and none that
// can't be read lets anything through.
func TestFences(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) }))
	defer s.Close()
	for name, fences := range map[string][]Fence{
		"another":             {{"openrouter/b/*"}},
		"one star, one level": {{"openrouter/*"}},
		"the paid one":        {{"openrouter/*/*:free"}},
		"both must":           {{"openrouter/a/*"}, {"openrouter/b/*"}},
		"either order":        {{"openrouter/b/*"}, {"openrouter/a/*"}},
		"nothing is allowed":  {{}},
		"letter by letter":    {{"openrouter/A/thinks"}},
	} {
		if _, _, err := Resolve(ending(t), "openrouter/a/thinks", keys, Options{BaseURL: s.URL, Fences: fences}); faultOf(err) != model.FaultNotAllowed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Resolve(ending(t), "openrouter/a/thinks", keys, Options{BaseURL: s.URL, Fences: []Fence{{"["}}}); faultOf(err) != model.FaultOption {
		t.Errorf("a pattern that is none: %v", err)
	}
	base, _ := openrouterServer(t)
	for _, fences := range [][]Fence{nil, {nil}, {{"openrouter/*/*"}}, {{"x", "openrouter/a/t*"}, {"openrouter/?/thinks"}}} {
		if _, _, err := Resolve(ending(t), "openrouter/a/thinks", keys, Options{BaseURL: base, Fences: fences}); err != nil {
			t.Errorf("%v: %v", fences, err)
		}
	}
	for text, want := range map[string]Fence{"": nil, "  ": nil, ",": {}, " a/b , c/* ": {"a/b", "c/*"}} {
		if got, err := ParseFence(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseFence("a/b,[x"); faultOf(err) != model.FaultOption {
		t.Errorf("a pattern that is none: %v", err)
	}
}

// Paid models can be blocked whatever the budget.
func TestBlockPaid(t *testing.T) {
	base, _ := openrouterServer(t)
	budget := decimal.NewFromInt(100)
	o := Options{BaseURL: base, Budget: &budget, BlockPaid: true}
	if _, _, err := Resolve(ending(t), "openrouter/a/thinks", keys, o); faultOf(err) != model.FaultPaid || !strings.Contains(err.Error(), "2/10") {
		t.Errorf("a paid model: %v", err)
	}
	for _, name := range []string{"openrouter/f/later", "openrouter/f/request-fee:free"} {
		if _, _, err := Resolve(ending(t), name, keys, o); faultOf(err) != model.FaultPaid {
			t.Errorf("%s, which is not always free: %v", name, err)
		}
	}
	if _, _, err := Resolve(ending(t), "openrouter/f/small:free", keys, o); err != nil {
		t.Errorf("a free model: %v", err)
	}
}
