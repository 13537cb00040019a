package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/record"
)

const twoModels = `{"data":[
 {"id":"f/gift","canonical_slug":"f/gift-1","context_length":262144,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools","max_tokens"]},
 {"id":"p/paid","canonical_slug":"p/paid-1","context_length":262144,"pricing":{"prompt":"0.000002","completion":"0.00001"},"supported_parameters":["tools","max_tokens"]}
]}`

// purse is a Book that only counts.
type purse struct{ spent decimal.Decimal }

func (b *purse) Spent() decimal.Decimal        { return b.spent }
func (b *purse) Reserve(decimal.Decimal) error { return nil }
func (b *purse) Settle(s decimal.Decimal, _ model.Reply) error {
	b.spent = b.spent.Add(s)
	return nil
}
func (b *purse) Failed(s decimal.Decimal, _ error) error { return b.Settle(s, model.Reply{}) }

// service answers a list of models and every reply with the same.
func service(t *testing.T, list, reply string) (url string, replies *int) {
	t.Helper()
	replies = new(int)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, list) })
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		*replies++
		if strings.HasPrefix(reply, "{") && !strings.Contains(reply, "\n") {
			w.Header().Set("Content-Type", "application/json")
		} else {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		io.WriteString(w, reply)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/v1", replies
}

func sse(chunks ...string) string {
	var b strings.Builder
	for _, c := range append(chunks, "[DONE]") {
		fmt.Fprintf(&b, "data: %s\n\n", c)
	}
	return b.String()
}

func hello() model.Request {
	return model.Request{Messages: []model.Message{{Role: model.User, Content: "hi"}}, MaxTokens: 9000}
}

// What a reply costs is booked whatever it looks like, and one that costs more
// than it can ends the job.
func TestCostsThatHide(t *testing.T) {
	for name, c := range map[string]struct {
		model, list, reply string
		o                  Options
		official           bool // as if OpenRouter itself were asked
		limit, booked      string
		fault              model.Fault
	}{
		"thoughts counted beside the reply": {"custom/grok-4", "", sse(`{"id":"1","model":"grok-4","choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":37,"completion_tokens":530,"total_tokens":8759,"completion_tokens_details":{"reasoning_tokens":8192}}}`),
			Options{Price: "3/15"}, false, "5", "0.130941", ""},
		"thoughts counted in the reply": {"custom/m", "", sse(`{"id":"1","model":"m","choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":37,"completion_tokens":8722,"total_tokens":8759,"completion_tokens_details":{"reasoning_tokens":8192}}}`),
			Options{Price: "3/15"}, false, "5", "0.130941", ""},
		"one's own key, free model": {"openrouter/f/gift", twoModels, sse(`{"id":"gen-1","model":"f/gift","choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":9,"completion_tokens":2,"cost":0.5,"is_byok":true}}`), Options{}, true, "0", "0.5", model.FaultPaid},
		"one's own key, paid model": {"openrouter/p/paid", twoModels, sse(`{"id":"gen-1","model":"p/paid","choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":9,"completion_tokens":2,"cost":0.5,"is_byok":true}}`), Options{}, true, "5", "0.5", model.FaultNoPrice},
		"a cost that a later usage leaves out": {"openrouter/f/gift", twoModels, sse(
			`{"id":"gen-1","model":"f/gift","choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"cost":0.5}}`,
			`{"id":"gen-1","model":"f/gift","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}`), Options{}, true, "0", "0.5", model.FaultPaid},
		"a region that costs more": {"anthropic/claude-opus-5-5", `{"data":[{"id":"claude-opus-5-5"}]}`, `{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5",` +
			`"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":50,"inference_geo":"us"}}`,
			Options{}, false, "5", "", model.FaultNoPrice},
		"a region whose price was given": {"anthropic/claude-opus-5-5", `{"data":[{"id":"claude-opus-5-5"}]}`, `{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5",` +
			`"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":50,"inference_geo":"us"}}`,
			Options{Price: "10/20"}, false, "5", "0.011", ""},
	} {
		url, _ := service(t, c.list, c.reply)
		c.o.BaseURL = url
		limit := decimal.RequireFromString(c.limit)
		m, info, err := Resolve(ending(t), c.model, keys, c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info.CostReported = c.official
		book := &purse{}
		_, err = model.Budget(model.Guard(m, info), info, limit, book).Reply(context.Background(), hello())
		var e *model.Error
		if errors.As(err, &e) != (c.fault != "") || e != nil && e.Fault != c.fault || c.booked != "" && book.spent.String() != c.booked {
			t.Errorf("%s: %v, booked %s", name, err, book.spent)
		}
	}
}

// Auto takes free models only, also if a price has risen since it looked, or an
// upstream that was asked for takes money.
func TestAutoStaysFree(t *testing.T) {
	five := decimal.NewFromInt(5)
	for name, o := range map[string]Options{"risen": {}, "upstream": {Upstreams: []string{"dear"}}} {
		asked := 0
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 1 || name == "upstream" {
				io.WriteString(w, twoModels)
				return
			}
			io.WriteString(w, strings.ReplaceAll(twoModels, `"prompt":"0"`, `"prompt":"0.00001"`))
		})
		mux.HandleFunc("GET /v1/models/f/gift/endpoints", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"data":{"endpoints":[{"provider_name":"Dear","tag":"dear","pricing":{"prompt":"0.00001","completion":"0.00005"},"supported_parameters":["tools","max_tokens"]}]}}`)
		})
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		o.BaseURL, o.Budget = s.URL+"/v1", &five
		if _, _, err := Resolve(ending(t), "auto", keys, o); faultOf(err) != model.FaultPaid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A chunk that can't be read still says who answers: another model is asked once.
func TestUnreadableChunkOfAnotherModel(t *testing.T) {
	for name, chunk := range map[string]string{
		"odd field":  `{"id":"gen-1","model":"x-ai/grok-4","choices":[{"delta":{"content":"hello","refusal":{}},"finish_reason":null}]}`,
		"odd finish": `{"id":"gen-1","model":"x-ai/grok-4","choices":[{"delta":{"content":"hello"},"finish_reason":5}]}`,
	} {
		url, replies := service(t, twoModels, sse(chunk))
		m, info, err := Resolve(ending(t), "openrouter/p/paid", keys, Options{BaseURL: url})
		if err != nil {
			t.Fatal(err)
		}
		all := model.Retry(model.Budget(model.Guard(m, info), info, decimal.NewFromInt(5), &purse{}), model.RetryOptions{
			Sleep: func(context.Context, time.Duration) error { return nil }})
		if _, err = all.Reply(context.Background(), hello()); faultOf(err) != model.FaultWrongModel || *replies != 1 {
			t.Errorf("%s: %d requests, %v", name, *replies, err)
		}
	}
}

// Models of Ollama's cloud are billed, whatever server passes requests on.
func TestOllamaCloud(t *testing.T) {
	url, _ := service(t, `{"data":[{"id":"gpt-oss:120b-cloud"},{"id":"qwen3:8b"}]}`, "")
	if _, _, err := Resolve(ending(t), "ollama/gpt-oss:120b-cloud", noKeys, Options{BaseURL: url}); faultOf(err) != model.FaultNoPrice {
		t.Errorf("without a price: %v", err)
	}
	_, info, err := Resolve(ending(t), "ollama/gpt-oss:120b-cloud", noKeys, Options{BaseURL: url, Price: "5/10"})
	if err != nil || describe(info.Price) != "5/10 USD per million tokens" {
		t.Errorf("%v, %v", describe(info.Price), err)
	}
	if _, _, err := Resolve(ending(t), "ollama/gpt-oss:120b-cloud", noKeys, Options{BaseURL: url, Price: "5/10", BlockPaid: true}); faultOf(err) != model.FaultPaid {
		t.Errorf("blocked: %v", err)
	}
	for base, want := range map[string]bool{"https://ollama.com/v1": true, "https://api.ollama.com/v1": true, "http://127.0.0.1:11434/v1": false, "https://notollama.com/v1": false} {
		if got := (request{id: "qwen3:8b"}).inCloud(base); got != want {
			t.Errorf("%s: %v", base, got)
		}
	}
}

// A recording of OpenRouter is played with the routing that it tells.
func TestReplayWithRouting(t *testing.T) {
	url, _ := service(t, twoModels, sse(
		`{"id":"gen-1","model":"p/paid","choices":[{"delta":{"content":"hello"},"finish_reason":"stop"}]}`,
		`{"id":"gen-1","model":"p/paid","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"cost":0.00004},"openrouter_metadata":{"requested":"p/paid","strategy":"direct",`+
			`"endpoints":{"available":[{"provider":"P","model":"p/paid-1","selected":true}]}}}`))
	file := filepath.Join(t.TempDir(), "r.jsonl")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	recorder := record.New(f, record.Options{Redact: func(s string) string { return s }})
	m, info, err := Resolve(ending(t), "openrouter/p/paid", keys, Options{BaseURL: url, Wrap: recorder.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	recorder.Model(info)
	if _, err := model.Guard(m, info).Reply(context.Background(), hello()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	played, info, err := Resolve(ending(t), "scripted/"+file, noKeys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := model.Guard(played, info).Reply(context.Background(), hello()); err != nil || r.Content != "hello" {
		t.Errorf("%+v, %v", r, err)
	}
}

// The record of a gateway is believed as little as its replies.
func TestGatewayKeepsNoRecords(t *testing.T) {
	url, _ := service(t, twoModels, "")
	m, _, err := Resolve(ending(t), "openrouter/p/paid", keys, Options{BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.(model.Records); ok {
		t.Error("a gateway's records are asked")
	}
}

// A price that is stated holds for all that the table knows of the model.
func TestStatedPriceKeepsItsShape(t *testing.T) {
	url, _ := service(t, `{"data":[{"id":"gpt-6-sol"}]}`, "")
	_, tabled, err := Resolve(ending(t), "openai/gpt-6-sol", keys, Options{BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	same := tabled.Price.Prompt.Shift(6).String() + "/" + tabled.Price.Completion.Shift(6).String()
	_, stated, err := Resolve(ending(t), "openai/gpt-6-sol", keys, Options{BaseURL: url, Price: same})
	if err != nil {
		t.Fatal(err)
	}
	u := model.Usage{Known: true, Prompt: 300_000, CacheWrite: 300_000, Completion: 1000}
	if got, want := stated.Price.Cost(u), tabled.Price.Cost(u); !got.Equal(want) {
		t.Errorf("with --price %s it costs %s, by the table %s", same, got, want)
	}
}

func TestPriceOfOpenRouterIsItsOwn(t *testing.T) {
	var e *model.Error
	if _, _, err := Resolve(ending(t), "openrouter/a/plain", keys, Options{Price: "1/2"}); !errors.As(err, &e) || e.Fault != model.FaultOption {
		t.Errorf("%v", err)
	}
}
