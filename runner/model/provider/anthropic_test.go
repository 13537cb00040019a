package provider

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model"
)

const anthropicModels = `{"data":[
 {"type":"model","id":"claude-opus-5-5","display_name":"Claude Opus 5.5","max_input_tokens":1000000,"max_tokens":128000,"lifecycle":"active",
  "capabilities":{"effort":{"supported":true,"low":{"supported":true},"medium":{"supported":true},"high":{"supported":true},"max":{"supported":false},"xhigh":{"supported":false}}}},
 {"type":"model","id":"claude-haiku-4-5-20251001","max_input_tokens":200000,"max_tokens":64000,"capabilities":{"effort":{"supported":false}}},
 {"type":"model","id":"claude-opus-4-20250514","lifecycle":"retired"},
 {"type":"model","id":"claude-new-9","max_input_tokens":1000000,"max_tokens":128000}
],"has_more":false}`

func anthropicServer(t *testing.T, answer string) (base string, body *map[string]any) {
	t.Helper()
	body = &map[string]any{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "sk-ant-test-key" || !strings.HasPrefix(r.UserAgent(), "glovebox/") {
			t.Errorf("headers %v", r.Header)
		}
		io.WriteString(w, anthropicModels)
	})
	mux.HandleFunc("POST /v1/messages", func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(body); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"m","type":"message","model":"`+answer+`","stop_reason":"end_turn","content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":1,"output_tokens":1}}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/v1", body
}

// What Anthropic's list and the table make of a name: an undated alias answers
// with its snapshot, a snapshot costs what its alias does, and writing to the
// cache always has a price.
func TestAnthropic(t *testing.T) {
	base, _ := anthropicServer(t, "")
	for id, want := range map[string]struct {
		accept []string
		price  string
		limits [2]int
		effort bool
		stated string
		fault  model.Fault
	}{
		"claude-opus-5-5":           {accept: []string{"claude-opus-5-5"}, price: "4/20", limits: [2]int{1000000, 128000}, effort: true},
		"claude-haiku-4-5":          {accept: []string{"claude-haiku-4-5", "claude-haiku-4-5-20251001"}, price: "1/5", limits: [2]int{200000, 64000}},
		"claude-haiku-4-5-20251001": {accept: []string{"claude-haiku-4-5-20251001"}, price: "1/5", limits: [2]int{200000, 64000}},
		"claude-haiku-4":            {fault: model.FaultNoPrice},
		"claude-opus-4":             {fault: model.FaultNotFound},
		"claude-sonnet-5":           {fault: model.FaultNotFound},
		"claude-new-9":              {fault: model.FaultNoPrice},
	} {
		m, info, err := Resolve(ending(t), "anthropic/"+id, keys, Options{BaseURL: base})
		if want.fault != "" {
			if faultOf(err) != want.fault || m != nil {
				t.Errorf("%s: %v", id, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(info.Accept, want.accept) || describe(info.Price) != want.price+" USD per million tokens" ||
			info.Context != want.limits[0] || info.MaxOutput != want.limits[1] || info.Effort != want.effort || info.Tools != model.Supported ||
			!strings.Contains(info.PriceSource, "20") {
			t.Errorf("%s: %+v, %v", id, info, err)
		}
	}
	_, info, err := Resolve(ending(t), "anthropic/claude-new-9", keys, Options{BaseURL: base, Price: "2/10"})
	if err != nil || info.Price.CacheWrite.Decimal.String() != "0.0000025" || info.PriceSource != "--price 2/10" {
		t.Errorf("a stated price: %+v, %v", info, err)
	}
}

// The whole way: resolved, asked, guarded; and a model that is another one.
func TestAnthropicIsGuarded(t *testing.T) {
	for answer, ok := range map[string]bool{"claude-haiku-4-5-20251001": true, "claude-haiku-4-5": true, "claude-opus-5-5": false, "claude-haiku-4-5-20990101": false} {
		base, body := anthropicServer(t, answer)
		m, info, err := Resolve(ending(t), "anthropic/claude-haiku-4-5", keys, Options{BaseURL: base})
		if err != nil {
			t.Fatal(err)
		}
		r, err := model.Guard(m, info).Reply(context.Background(), model.Request{MaxTokens: 7, Messages: []model.Message{{Role: model.User, Content: "x"}}})
		if ok && (err != nil || r.Content != "hi") || !ok && faultOf(err) != model.FaultWrongModel || (*body)["model"] != "claude-haiku-4-5" {
			t.Errorf("%s: %+v, %v, sent %v", answer, r, err, *body)
		}
	}
}

func TestAnthropicEffort(t *testing.T) {
	base, body := anthropicServer(t, "claude-opus-5-5")
	for effort, want := range map[string]any{"": nil, "low": map[string]any{"effort": "low"}} {
		m, _, err := Resolve(ending(t), "anthropic/claude-opus-5-5", keys, Options{BaseURL: base, Effort: effort})
		if err != nil {
			t.Fatal(err)
		}
		clear(*body)
		if _, err := m.Reply(context.Background(), model.Request{MaxTokens: 7, Messages: []model.Message{{Role: model.User, Content: "x"}}}); err != nil || !reflect.DeepEqual((*body)["output_config"], want) {
			t.Errorf("%q: %v, %v", effort, *body, err)
		}
	}
	for _, c := range [][2]string{{"claude-opus-5-5", "max"}, {"claude-opus-5-5", "none"}, {"claude-haiku-4-5", "low"}} {
		if _, _, err := Resolve(ending(t), "anthropic/"+c[0], keys, Options{BaseURL: base, Effort: c[1]}); faultOf(err) != model.FaultOption {
			t.Errorf("%v: %v", c, err)
		}
	}
}
