package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/price"
)

// maxCatalogue bounds a catalogue in bytes; OpenRouter's has about 1 MB.
const maxCatalogue = 32 << 20

// variants are the suffixes that are models of their own, with an entry and a
// price in the catalogue. Others (:nitro, :floor, :online, a provider's name)
// change the routing and with it the price.
func variants() []string { return []string{"free", "thinking", "extended", "batch"} }

// lister is a client that can read lists of models.
type lister interface {
	Get(ctx context.Context, path string, limit int64) ([]byte, error)
}

// openrouterModel is an entry of OpenRouter's catalogue.
type openrouterModel struct {
	ID        string            `json:"id"`
	Canonical string            `json:"canonical_slug"`
	Alias     string            `json:"alias_target"`
	Expires   string            `json:"expiration_date"`
	Context   int               `json:"context_length"`
	Pricing   openrouterPricing `json:"pricing"`
	Top       struct {
		Context   int `json:"context_length"`
		MaxOutput int `json:"max_completion_tokens"`
	} `json:"top_provider"`
	// Parameters are the fields of a request that it takes; nil is unknown.
	Parameters []string `json:"supported_parameters"`
	Reasoning  struct {
		Efforts []string `json:"supported_efforts"`
	} `json:"reasoning"`
	Architecture struct {
		Output []string `json:"output_modalities"`
	} `json:"architecture"`
}

// takes says that a request may have a field.
func (m openrouterModel) takes(parameter string) bool {
	return slices.Contains(m.Parameters, parameter)
}

func (m openrouterModel) tools() model.Support {
	switch {
	case m.Parameters == nil:
		return model.SupportUnknown
	case m.takes("tools"):
		return model.Supported
	default:
		return model.Unsupported
	}
}

func (m openrouterModel) window() int { return smaller(m.Context, m.Top.Context) }

// usable says that the entry is one model, and one that writes text.
func (m openrouterModel) usable() bool {
	_, err := openrouterVariant(m.ID)
	text := len(m.Architecture.Output) == 0 || slices.Contains(m.Architecture.Output, "text")
	return err == nil && checkID(m.ID) == nil && (m.Alias == "" || m.Alias == m.ID) && text
}

// openrouterPricing are USD for one token, as text; absent is unknown for the
// first two and free for the others, and negative is "it varies".
type openrouterPricing struct {
	Prompt     string `json:"prompt"`
	Completion string `json:"completion"`
	Request    string `json:"request"`
	Reasoning  string `json:"internal_reasoning"`
	CacheRead  string `json:"input_cache_read"`
	CacheWrite string `json:"input_cache_write"`
	Overrides  []struct {
		openrouterPricing
		Above int `json:"min_prompt_tokens"`
	} `json:"overrides"`
}

// openrouter asks OpenRouter, of which everything can be pinned.
func (r request) openrouter(ctx context.Context) (model.Model, model.Info, error) {
	variant, err := openrouterVariant(r.id)
	if err != nil {
		return nil, model.Info{}, err
	}
	key, err := r.key()
	if err != nil {
		return nil, model.Info{}, err
	}
	config := r.openrouterConfig(key)
	c := r.client(ctx, config)
	entry, err := r.openrouterEntry(ctx, c)
	if err != nil {
		return nil, model.Info{}, err
	}
	info := model.Info{Accept: accept(entry, variant), Variant: variant, PriceSource: openrouterCatalogue, CostReported: r.asksOpenRouter()}
	var ok bool
	if info.Price, ok = entry.Pricing.price(); !ok {
		return nil, model.Info{}, r.varies()
	}
	if len(r.Upstreams) > 0 {
		if entry, info.Price, info.Upstreams, err = r.narrow(ctx, c, entry); err != nil {
			return nil, model.Info{}, err
		}
	}
	info.Context, info.MaxOutput, info.Tools = entry.window(), entry.Top.MaxOutput, entry.tools()
	info.Effort = entry.takes("reasoning") || entry.takes("reasoning_effort")
	level, err := r.effortAmong(info.Effort, entry.Reasoning.Efforts, defaultEffort)
	if err != nil {
		return nil, model.Info{}, err
	}
	config.Extra = pins(info.Price, r.Upstreams)
	switch {
	case level != "" && entry.takes("reasoning"):
		config.Extra["reasoning"] = map[string]any{"effort": level}
	default:
		config.Effort = level
	}
	// Only endpoints that list the field are asked.
	config.CompletionTokens = !entry.takes("max_tokens") && entry.takes("max_completion_tokens")
	asked := r.client(ctx, config)
	if !info.CostReported {
		return asked, info, nil // whose records are not believed, either
	}
	return openrouterClient{asked}, info, nil
}

const openrouterURL = "https://openrouter.ai/api/v1"

// asksOpenRouter says that it is OpenRouter itself that is asked. A gateway in
// between may leave its own costs out.
func (r request) asksOpenRouter() bool {
	u, err := url.Parse(orName(r.BaseURL, openrouterURL))
	return err == nil && u.Hostname() == "openrouter.ai"
}

func (r request) openrouterConfig(key string) openai.Config {
	return openai.Config{
		BaseURL: orName(r.BaseURL, openrouterURL), Key: key, Model: r.id,
		// The metadata names the model and the endpoint that answered; the
		// response cache would answer with a cost and a usage of zero.
		Header: http.Header{"X-Openrouter-Metadata": {"enabled"}, "X-Openrouter-Cache": {"false"}, "X-Openrouter-Title": {"glovebox"}},
	}
}

func (r request) varies() error {
	return &model.Error{Fault: model.FaultNoPrice, Message: fmt.Sprintf("OpenRouter's catalogue has no fixed price for %s", r.id)}
}

// openrouterVariant refuses names behind which stands no single model: a
// router, a preset, an alias, an unknown suffix.
func openrouterVariant(id string) (string, error) {
	base, variant, suffixed := strings.Cut(id, ":")
	vendor, slug, _ := strings.Cut(base, "/")
	switch {
	case vendor == "openrouter" || strings.HasPrefix(vendor, "~") || strings.Contains(id, "@"):
		return "", unknown("openrouter/%.80s is not one model but chooses one; name the model itself", id)
	case vendor == "" || slug == "" || strings.Contains(slug, "/"):
		return "", unknown("openrouter/%.80s is no model: names are openrouter/vendor/model[:variant]", id)
	case suffixed && !slices.Contains(variants(), variant):
		return "", unknown("openrouter/%.80s: the suffix :%.40s is none of :%s", id, variant, strings.Join(variants(), ", :"))
	}
	return variant, nil
}

// rawList are the entries of a catalogue as they come: one that can't be read
// does not spoil the others. whose names the catalogue for people.
func rawList(ctx context.Context, c lister, path, whose string) ([]json.RawMessage, error) {
	data, err := c.Get(ctx, path, maxCatalogue)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", whose, err)
	}
	var list struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, &model.Error{Fault: model.FaultServer, Status: 200, Message: whose + " can't be read", Err: err}
	}
	return list.Data, nil
}

// entries are the entries of a catalogue that can be read.
func entries[T any](ctx context.Context, c lister, path, whose string) ([]T, error) {
	raw, err := rawList(ctx, c, path, whose)
	var out []T
	for _, text := range raw {
		var entry T
		if json.Unmarshal(text, &entry) == nil {
			out = append(out, entry)
		}
	}
	return out, err
}

const openrouterCatalogue = "OpenRouter's catalogue"

func openrouterEntries(ctx context.Context, c lister) ([]openrouterModel, error) {
	return entries[openrouterModel](ctx, c, "/models", openrouterCatalogue)
}

// openrouterEntry finds the model in the catalogue by its exact id.
func (r request) openrouterEntry(ctx context.Context, c lister) (openrouterModel, error) {
	raw, err := rawList(ctx, c, "/models", openrouterCatalogue)
	if err != nil {
		return openrouterModel{}, err
	}
	for _, text := range raw {
		var id struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(text, &id) != nil || id.ID != r.id {
			continue
		}
		var m openrouterModel
		if err := json.Unmarshal(text, &m); err != nil {
			return m, &model.Error{Fault: model.FaultNoPrice, Message: "the catalogue's entry of " + r.id + " can't be read", Err: err}
		}
		if m.Alias != "" && m.Alias != m.ID {
			return m, unknown("openrouter/%s stands for %.80q now; name that", r.id, m.Alias)
		}
		return m, nil
	}
	return openrouterModel{}, &model.Error{Fault: model.FaultNotFound, Message: "OpenRouter's catalogue has no model " + r.id}
}

// accept are the names that may answer: the id, and the canonical slug with
// the same variant.
func accept(m openrouterModel, variant string) []string {
	names := []string{m.ID}
	canonical := m.Canonical
	if variant != "" && !strings.HasSuffix(canonical, ":"+variant) {
		canonical += ":" + variant
	}
	if m.Canonical != "" && canonical != m.ID {
		names = append(names, canonical)
	}
	return names
}

// pins leave nothing to be chosen: one model, no other endpoint than one that
// has every parameter and is no dearer than the catalogue says, the cheapest
// first (else requests with tools are reordered by quality) or those that the
// user has named, and none of the account's plugins, which cost extra or cut
// the prompt.
func pins(p model.Price, upstreams []string) map[string]any {
	provider := map[string]any{
		"allow_fallbacks":    false,
		"require_parameters": true,
		"max_price": map[string]any{
			"prompt":     json.Number(p.Prompt.Shift(6).String()),
			"completion": json.Number(p.Completion.Shift(6).String()),
			"request":    json.Number(p.Request.String()),
		},
	}
	if len(upstreams) > 0 {
		provider["only"], provider["order"] = upstreams, upstreams
	} else {
		provider["sort"] = "price"
	}
	return map[string]any{
		"provider": provider,
		"plugins":  pluginsOff(),
	}
}

// pluginsOff are all of OpenRouter's plugins that can be switched off: an
// account can have them on for every request. The others of its list,
// moderation and web-fetch, don't choose a model.
func pluginsOff() (off []map[string]any) {
	for _, id := range []string{
		"auto-router", "auto-beta-router", "pareto-router", "fusion",
		"web", "file-parser", "response-healing", "context-compression",
	} {
		off = append(off, map[string]any{"id": id, "enabled": false})
	}
	return off
}

// price is exact; ok is false if a part of it is missing, negative or no number.
func (p openrouterPricing) price() (out model.Price, ok bool) {
	if p.Prompt == "" || p.Completion == "" {
		return out, false
	}
	if out, ok = p.parts(); !ok {
		return out, false
	}
	for _, o := range p.Overrides {
		step, ok := o.parts()
		if !ok {
			return out, false
		}
		out.Steps = append(out.Steps, model.Step{Above: o.Above, Price: step})
	}
	return out, true
}

// parts reads what is there; what an override leaves out stays as it was,
// because the dearest of each part counts.
func (p openrouterPricing) parts() (out model.Price, ok bool) {
	var read, write, reasoning decimal.Decimal
	for _, part := range []struct {
		text string
		to   *decimal.Decimal
	}{
		{p.Prompt, &out.Prompt}, {p.Completion, &out.Completion}, {p.Request, &out.Request},
		{p.CacheRead, &read}, {p.CacheWrite, &write}, {p.Reasoning, &reasoning},
	} {
		if part.text == "" {
			continue
		}
		d, err := price.Amount(part.text)
		if err != nil {
			return out, false
		}
		*part.to = d
	}
	out.Completion = decimal.Max(out.Completion, reasoning)
	out.CacheRead = decimal.NullDecimal{Decimal: read, Valid: p.CacheRead != ""}
	out.CacheWrite = decimal.NullDecimal{Decimal: write, Valid: p.CacheWrite != ""}
	return out, true
}

// smaller is the smaller of two limits of which 0 is unknown.
func smaller(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
