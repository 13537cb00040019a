package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// catalogue is OpenRouter's, cut down to what can go wrong.
const catalogue = `{"data":[
 {"id":"a/plain","canonical_slug":"a/plain-20260907","context_length":200000,"top_provider":{"context_length":131072,"max_completion_tokens":32768},
  "pricing":{"prompt":"0.000002","completion":"0.00001","request":"0","input_cache_read":"0.0000002","input_cache_write":"0.0000025"}},
 {"id":"a/gift:free","canonical_slug":"a/gift-20260907","context_length":32768,"pricing":{"prompt":"0","completion":"0"}},
 {"id":"a/stepped","pricing":{"prompt":"0.000001","completion":"0.000004","internal_reasoning":"0.000005","overrides":[{"min_prompt_tokens":272000,"prompt":"0.000002"}]}},
 {"id":"a/varies","pricing":{"prompt":"-1","completion":"-1"}},
 {"id":"a/halfpriced","pricing":{"prompt":"0.000001"}},
 {"id":"a/priceless"},
 {"id":"a/odd","pricing":{"prompt":0.5,"completion":"1"}},
 {"id":"a/renamed","alias_target":"a/plain","pricing":{"prompt":"0.000001","completion":"0.000004"}},
 {"id":"a/bomb","pricing":{"prompt":"1e999999999","completion":"0"}},
 "nonsense"
]}`

// api is a server with both catalogues and a model that answers as answered.
func api(t *testing.T, answered string, sent *map[string]any) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, catalogue) })
	mux.HandleFunc("GET /plain/models", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"data":[{"id":"gpt-5-mini"},{"id":"gpt-5-mini-2025-08-07"},{"id":"gpt-5-mini-high"},{"id":"gpt-4o"},{"id":"gpt-4o-2024-05-13"},{"id":"gpt-4o-2024-08-06"},{"id":"gpt-6-sol"},{"id":"my-own"},{"id":"llama3.2:latest"},{"id":"qwen3:8b"}]}`)
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if sent != nil {
			if err := json.NewDecoder(r.Body).Decode(sent); err != nil {
				t.Error(err)
			}
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"model\":%q,\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", answered)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func keys(name string) string {
	return map[string]string{"OPENROUTER_API_KEY": "sk-or-test-key", "OPENAI_API_KEY": "sk-test-key", "ANTHROPIC_API_KEY": "sk-ant-test-key"}[name]
}

func noKeys(string) string { return "" }

// ending is a context that ends with the test, and what belongs to a model with it.
func ending(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}

func faultOf(err error) model.Fault {
	var e *model.Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return model.Fault(fmt.Sprint(err))
}

// Names that are refused before anything is sent anywhere.
func TestRefusedNames(t *testing.T) {
	for name, want := range map[string]struct {
		fault model.Fault
		words string
	}{
		"":                                {model.FaultUnknownName, "openrouter, anthropic, openai, ollama, custom, scripted"},
		"gpt-5":                           {model.FaultUnknownName, "names begin with"},
		"google/gemini":                   {model.FaultUnknownName, "names begin with"},
		"anthropic/claude-opus-5-5":       {model.FaultMissingKey, "ANTHROPIC_API_KEY"},
		"anthropic/claude-opus-latest":    {model.FaultUnknownName, "the latest of a family"},
		"openai/gpt-5.5-chat-latest":      {model.FaultUnknownName, "the latest of a family"},
		"auto":                            {model.FaultMissingKey, "OPENROUTER_API_KEY"},
		"auto/x":                          {model.FaultUnknownName, "names begin with"},
		"openrouter/":                     {model.FaultUnknownName, "comes the model's id"},
		"openrouter/claude":               {model.FaultUnknownName, "vendor/model"},
		"openrouter/a/b/c":                {model.FaultUnknownName, "vendor/model"},
		"openrouter/openrouter/auto":      {model.FaultUnknownName, "chooses one"},
		"openrouter/openrouter/free":      {model.FaultUnknownName, "chooses one"},
		"openrouter/~anthropic/latest":    {model.FaultUnknownName, "chooses one"},
		"openrouter/@preset/mine":         {model.FaultUnknownName, "chooses one"},
		"openrouter/a/plain@preset/mine":  {model.FaultUnknownName, "chooses one"},
		"openrouter/a/plain:nitro":        {model.FaultUnknownName, ":free"},
		"openrouter/a/plain:deepinfra":    {model.FaultUnknownName, ":free"},
		"openrouter/a/plain:free:nitro":   {model.FaultUnknownName, ":free"},
		"openrouter/a/plain:":             {model.FaultUnknownName, ":free"},
		"openrouter/a/pl ain":             {model.FaultUnknownName, "is no model"},
		"openai/gpt\n5":                   {model.FaultUnknownName, "is no model"},
		"openrouter/a/plain":              {model.FaultMissingKey, "OPENROUTER_API_KEY"},
		"openai/gpt-5-mini":               {model.FaultMissingKey, "OPENAI_API_KEY"},
		"custom/my-own":                   {model.FaultUnknownName, "--base-url"},
		"scripted/none":                   {model.FaultUnknownName, "todo"},
		"scripted/testdata/missing.yaml":  {model.FaultUnknownName, "no such file"},
		"scripted/../../../../etc/passwd": {model.FaultUnknownName, "no script"},
	} {
		_, _, err := Resolve(ending(t), name, noKeys, Options{})
		if faultOf(err) != want.fault || !strings.Contains(fmt.Sprint(err), want.words) {
			t.Errorf("%q: %v: %v", name, faultOf(err), err)
		}
	}
}

// What the catalogue makes of a name.
func TestOpenRouter(t *testing.T) {
	base := api(t, "", nil) + "/v1"
	for name, want := range map[string]struct {
		accept    []string
		price     string
		context   int
		maxOutput int
		fault     model.Fault
	}{
		"a/plain":      {accept: []string{"a/plain", "a/plain-20260907"}, price: "2/10 USD per million tokens", context: 131072, maxOutput: 32768},
		"a/gift:free":  {accept: []string{"a/gift:free", "a/gift-20260907:free"}, price: "0/0 USD per million tokens", context: 32768},
		"a/stepped":    {accept: []string{"a/stepped"}, price: "1/5 USD per million tokens"},
		"a/varies":     {fault: model.FaultNoPrice},
		"a/halfpriced": {fault: model.FaultNoPrice},
		"a/priceless":  {fault: model.FaultNoPrice},
		"a/odd":        {fault: model.FaultNoPrice},
		"a/bomb":       {fault: model.FaultNoPrice},
		"a/renamed":    {fault: model.FaultUnknownName},
		"a/gift":       {fault: model.FaultNotFound},
		"A/plain":      {fault: model.FaultNotFound},
	} {
		m, info, err := Resolve(ending(t), "openrouter/"+name, keys, Options{BaseURL: base})
		if want.fault != "" {
			if faultOf(err) != want.fault || m != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(info.Accept, want.accept) || describe(info.Price) != want.price ||
			info.Context != want.context || info.MaxOutput != want.maxOutput || info.PriceSource == "" || info.ID != name || info.Provider != "openrouter" {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	_, info, err := Resolve(ending(t), "openrouter/a/stepped", keys, Options{BaseURL: base})
	if err != nil || info.Price.At(272000).Prompt.String() != "0.000001" || info.Price.At(272001).Prompt.String() != "0.000002" {
		t.Errorf("long prompts: %+v, %v", info.Price, err)
	}
}

func TestOpenAI(t *testing.T) {
	base := api(t, "", nil) + "/plain"
	_, info, err := Resolve(ending(t), "openai/gpt-5-mini", keys, Options{BaseURL: base})
	if err != nil || describe(info.Price) != "0.25/2 USD per million tokens" || info.Context != 400000 {
		t.Errorf("%+v, %v", info, err)
	}
	if want := []string{"gpt-5-mini", "gpt-5-mini-2025-08-07"}; !reflect.DeepEqual(info.Accept, want) {
		t.Errorf("accepts %v", info.Accept)
	}
	if !strings.Contains(info.PriceSource, "20") {
		t.Errorf("a price without a date: %s", info.PriceSource)
	}
	if _, _, err = Resolve(ending(t), "openai/my-own", keys, Options{BaseURL: base}); faultOf(err) != model.FaultNoPrice {
		t.Errorf("an unknown price: %v", err)
	}
	if _, info, err = Resolve(ending(t), "openai/my-own", keys, Options{BaseURL: base, Price: "1/2"}); err != nil || info.PriceSource != "--price 1/2" {
		t.Errorf("a stated price: %+v, %v", info, err)
	}
	// May be answered by a snapshot that is dearer than its alias.
	if _, info, err = Resolve(ending(t), "openai/gpt-4o", keys, Options{BaseURL: base}); err != nil || describe(info.Price) != "5/15 USD per million tokens" {
		t.Errorf("%+v, %v", info, err)
	}
	if _, info, err = Resolve(ending(t), "openai/gpt-4o", keys, Options{BaseURL: base, Price: "1/2"}); err != nil || describe(info.Price) != "1/2 USD per million tokens" {
		t.Errorf("a stated price: %+v, %v", info, err)
	}
	if _, _, err = Resolve(ending(t), "openai/gpt-4o-mini", keys, Options{BaseURL: base}); faultOf(err) != model.FaultNotFound {
		t.Errorf("a model that the account does not have: %v", err)
	}
}

// What a reply cost is taken from OpenRouter itself, not from a gateway that
// may leave its own price out.
func TestCostReported(t *testing.T) {
	base := api(t, "", nil) + "/v1"
	gateway, itself := Options{BaseURL: base}, official(base)
	for _, c := range []struct {
		o    Options
		want bool
	}{{gateway, false}, {itself, true}} {
		if _, info, err := Resolve(ending(t), "openrouter/a/plain", keys, c.o); err != nil || info.CostReported != c.want {
			t.Errorf("%v, %v", info.CostReported, err)
		}
	}
}

// official are options with which OpenRouter itself is asked, which is at base.
func official(base string) Options {
	return Options{Wrap: func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			rest, ok := strings.CutPrefix(r.URL.String(), openrouterURL)
			if !ok {
				return nil, fmt.Errorf("a request to %s", r.URL)
			}
			there, err := http.NewRequestWithContext(r.Context(), r.Method, base+rest, r.Body)
			if err != nil {
				return nil, err
			}
			there.Header = r.Header
			return next.RoundTrip(there)
		})
	}}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOllama(t *testing.T) {
	base := api(t, "", nil) + "/plain"
	_, info, err := Resolve(ending(t), "ollama/llama3.2", noKeys, Options{BaseURL: base})
	if err != nil || !info.Price.Free() || !reflect.DeepEqual(info.Accept, []string{"llama3.2", "llama3.2:latest"}) {
		t.Errorf("%+v, %v", info, err)
	}
	if _, info, err = Resolve(ending(t), "ollama/qwen3:8b", noKeys, Options{BaseURL: base}); err != nil || len(info.Accept) != 1 {
		t.Errorf("%+v, %v", info, err)
	}
	if _, _, err = Resolve(ending(t), "ollama/qwen3", noKeys, Options{BaseURL: base}); faultOf(err) != model.FaultNotFound || !strings.Contains(err.Error(), "ollama pull qwen3") {
		t.Errorf("a model that is not there: %v", err)
	}
}

func TestOllamaURL(t *testing.T) {
	for host, want := range map[string]string{
		"":                       "http://127.0.0.1:11434/v1",
		"0.0.0.0":                "http://127.0.0.1:11434/v1",
		"0.0.0.0:9999":           "http://127.0.0.1:9999/v1",
		":9999":                  "http://127.0.0.1:9999/v1",
		"box.lan":                "http://box.lan:11434/v1",
		"http://box.lan:80/":     "http://box.lan:80/v1",
		"https://ollama.example": "https://ollama.example/v1",
		"[::1]:11434":            "http://[::1]:11434/v1",
	} {
		if got := ollamaURL(host); got != want {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
	}
}

// A server of the user's own needs an address and a price, and no key.
func TestCustom(t *testing.T) {
	base := api(t, "my-own", nil) + "/plain"
	if _, _, err := Resolve(ending(t), "custom/my-own", noKeys, Options{BaseURL: base}); faultOf(err) != model.FaultNoPrice {
		t.Errorf("without a price: %v", err)
	}
	if _, _, err := Resolve(ending(t), "custom/gpt-5-mini", noKeys, Options{BaseURL: base}); !strings.Contains(fmt.Sprint(err), "--price 0.25/2") {
		t.Errorf("no suggestion: %v", err)
	}
	if _, _, err := Resolve(ending(t), "custom/my-own", noKeys, Options{BaseURL: base, Price: "cheap"}); faultOf(err) != model.FaultNoPrice {
		t.Errorf("a price that is none: %v", err)
	}
	m, info, err := Resolve(ending(t), "custom/my-own", noKeys, Options{BaseURL: base, Price: "0/0"})
	if err != nil || !info.Price.Free() || !reflect.DeepEqual(info.Accept, []string{"my-own"}) {
		t.Fatalf("%+v, %v", info, err)
	}
	if r, err := model.Guard(m, info).Reply(context.Background(), model.Request{MaxTokens: 1}); err != nil || r.Content != "hi" {
		t.Errorf("%+v, %v", r, err)
	}
}

// An address must neither hold a key nor carry one in the open.
func TestBaseURL(t *testing.T) {
	for url, words := range map[string]string{
		"ftp://example.org/v1":           "no address",
		"example.org/v1":                 "no address",
		"https://me:secret@host/v1":      "keys belong in the environment",
		"http://openrouter.example/v1":   "unencrypted",
		"http://192.168.1.7:8080/api/v1": "unencrypted",
	} {
		_, _, err := Resolve(ending(t), "openrouter/a/plain", keys, Options{BaseURL: url})
		if !strings.Contains(fmt.Sprint(err), words) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A budget of zero is proven before the first request.
func TestZeroBudget(t *testing.T) {
	base := api(t, "", nil) + "/v1"
	zero := decimal.Zero
	if _, _, err := Resolve(ending(t), "openrouter/a/plain", keys, Options{BaseURL: base, Budget: &zero}); faultOf(err) != model.FaultPaid || !strings.Contains(err.Error(), "2/10") {
		t.Errorf("a paid model: %v", err)
	}
	if _, _, err := Resolve(ending(t), "openrouter/a/gift:free", keys, Options{BaseURL: base, Budget: &zero}); err != nil {
		t.Errorf("a free model: %v", err)
	}
	var sent struct {
		Provider struct {
			Max map[string]json.Number `json:"max_price"`
		} `json:"provider"`
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			io.WriteString(w, catalogue)
		} else if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	m, _, err := Resolve(ending(t), "openrouter/a/gift:free", keys, Options{BaseURL: s.URL, Budget: &zero})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = m.Reply(context.Background(), model.Request{MaxTokens: 1})
	if max := sent.Provider.Max; max["prompt"] != "0" || max["completion"] != "0" {
		t.Errorf("requests carry max_price %v", max)
	}
}

// A catalogue that fails keeps its kind of failure.
func TestCatalogueFails(t *testing.T) {
	for status, want := range map[int]model.Fault{401: model.FaultKey, 500: model.FaultServer, 404: model.FaultNotFound} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		for _, name := range []string{"openrouter/a/plain", "openai/gpt-5-mini", "ollama/x"} {
			if _, _, err := Resolve(ending(t), name, keys, Options{BaseURL: s.URL}); faultOf(err) != want {
				t.Errorf("%s, %d: %v", name, status, err)
			}
		}
		s.Close()
	}
	if _, _, err := Resolve(ending(t), "ollama/x", noKeys, Options{BaseURL: "http://127.0.0.1:1/v1"}); faultOf(err) != model.FaultUnreachable {
		t.Errorf("nobody there: %v", err)
	}
}

// The scripted model is a model like any other, and says that it costs nothing.
func TestScripted(t *testing.T) {
	m, info, err := Resolve(ending(t), "scripted/todo", noKeys, Options{})
	if err != nil || info.PriceSource != "scripted model, no tokens are bought" || !info.Price.Free() {
		t.Fatalf("%+v, %v", info, err)
	}
	r, err := model.Guard(m, info).Reply(context.Background(), model.Request{MaxTokens: 1000,
		Tools:    []model.Tool{{Name: "bash", Parameters: []byte(`{"type":"object"}`)}},
		Messages: []model.Message{{Role: model.User, Content: "<spec>\n</spec>\n\nSession: initializer\n"}}})
	if err != nil || len(r.Calls) != 1 || r.Calls[0].Name != "bash" || !r.Usage.Known || !r.Usage.Cost.Decimal.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}

// What a reply was billed is in OpenRouter's record of it; what is no record of
// this reply settles nothing.
func TestOpenRouterCost(t *testing.T) {
	records := map[string]string{
		"gen-plain": `{"data":{"id":"gen-plain","total_cost":0.0032,"upstream_inference_cost":0.003}}`,
		"gen-tiny":  `{"data":{"id":"gen-tiny","total_cost":3.2e-05}}`,
		"gen-byok":  `{"data":{"id":"gen-byok","total_cost":0.01,"is_byok":true,"upstream_inference_cost":0.2}}`,
		"gen-half":  `{"data":{"id":"gen-half","total_cost":0.01,"is_byok":true}}`,
		"gen-other": `{"data":{"id":"gen-plain","total_cost":0}}`,
		"gen-null":  `{"data":{"id":"gen-null","total_cost":null}}`,
		"gen-minus": `{"data":{"id":"gen-minus","total_cost":-1}}`,
		"gen-bomb":  `{"data":{"id":"gen-bomb","total_cost":1e999999999}}`,
		"gen-html":  `<html>`,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, catalogue) })
	mux.HandleFunc("GET /v1/generation", func(w http.ResponseWriter, r *http.Request) {
		record, ok := records[r.URL.Query().Get("id")]
		if !ok || r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, record)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	m, _, err := Resolve(ending(t), "openrouter/a/plain", keys, official(s.URL+"/v1"))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"gen-plain": "0.0032", "gen-tiny": "0.000032", "gen-byok": "0.21",
		"gen-half": "", "gen-other": "", "gen-null": "", "gen-minus": "", "gen-bomb": "", "gen-html": "", "gen-late": "",
	} {
		cost, err := m.(model.Records).Cost(context.Background(), id)
		if (err == nil) != (want != "") || err == nil && cost.String() != want {
			t.Errorf("%s: %s, %v", id, cost, err)
		}
	}
}

// A recording is a model: the same names are accepted, the same price holds,
// and the same answers come.
func TestRecordingIsAModel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.jsonl")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	r := record.New(f, record.Options{Redact: func(s string) string { return s }})
	m, info, err := Resolve(ending(t), "openrouter/a/plain", keys, Options{BaseURL: api(t, "a/plain-20260907", nil) + "/v1", Wrap: r.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	r.Model(info)
	request := model.Request{Messages: []model.Message{{Role: model.User, Content: "hi"}}, MaxTokens: 10}
	if _, err := model.Guard(m, info).Reply(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	f.Close()
	m, again, err := Resolve(ending(t), "scripted/"+file, noKeys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.Accept, info.Accept) || describe(again.Price) != "2/10 USD per million tokens" || !strings.Contains(again.PriceSource, "no tokens are bought") {
		t.Errorf("%+v", again)
	}
	if reply, err := model.Guard(m, again).Reply(context.Background(), request); err != nil || reply.Content != "hi" || reply.Model != "a/plain-20260907" {
		t.Errorf("%+v, %v", reply, err)
	}
}

// Only a provider that keeps records is asked for them.
func TestNoRecordsElsewhere(t *testing.T) {
	m, _, err := Resolve(ending(t), "scripted/todo", noKeys, Options{})
	if _, keeps := m.(model.Records); keeps || err != nil {
		t.Errorf("%v", err)
	}
}
