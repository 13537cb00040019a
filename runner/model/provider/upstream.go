package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
)

// openrouterEndpoint is one upstream that serves a model.
type openrouterEndpoint struct {
	Name       string            `json:"provider_name"` // as replies name it
	Tag        string            `json:"tag"`           // as requests name it: deepinfra, google-vertex/us-east5
	Context    int               `json:"context_length"`
	MaxOutput  int               `json:"max_completion_tokens"`
	Pricing    openrouterPricing `json:"pricing"`
	Parameters []string          `json:"supported_parameters"`
}

// is says that a slug names the endpoint: exactly, or all of its provider's.
func (e openrouterEndpoint) is(slug string) bool {
	base, _, _ := strings.Cut(e.Tag, "/")
	return e.Tag == slug || base == slug
}

// narrow asks which endpoints serve the model and keeps those of r.Upstreams.
// Of several that may answer the dearest price, the smallest limits and the
// parameters that all take hold. names is how they call themselves in replies.
func (r request) narrow(ctx context.Context, c lister, entry openrouterModel) (_ openrouterModel, p model.Price, names []string, err error) {
	served, err := r.endpoints(ctx, c)
	if err != nil {
		return entry, p, nil, err
	}
	kept, err := r.kept(served)
	if err != nil {
		return entry, p, nil, err
	}
	entry.Parameters = kept[0].Parameters
	for _, e := range kept {
		price, ok := e.Pricing.price()
		if !ok || e.Name == "" {
			return entry, p, nil, r.varies()
		}
		if len(names) > 0 {
			price = dearest(p, price)
		}
		p, names = price, append(names, e.Name)
		entry.Context, entry.Top.MaxOutput = smaller(entry.Context, e.Context), smaller(entry.Top.MaxOutput, e.MaxOutput)
		entry.Parameters = slices.DeleteFunc(slices.Clone(entry.Parameters), func(s string) bool { return !slices.Contains(e.Parameters, s) })
	}
	return entry, p, slices.Compact(slices.Sorted(slices.Values(names))), nil
}

// endpoints asks who serves the model.
func (r request) endpoints(ctx context.Context, c lister) ([]openrouterEndpoint, error) {
	data, err := c.Get(ctx, "/models/"+r.id+"/endpoints", maxCatalogue)
	if err != nil {
		return nil, fmt.Errorf("ask who serves %s: %w", r.id, err)
	}
	var list struct {
		Data struct {
			Endpoints []openrouterEndpoint `json:"endpoints"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, &model.Error{Fault: model.FaultServer, Status: 200, Message: "OpenRouter's list of endpoints can't be read", Err: err}
	}
	return list.Data.Endpoints, nil
}

// kept are the endpoints of r.Upstreams, each of which must serve the model.
func (r request) kept(served []openrouterEndpoint) ([]openrouterEndpoint, error) {
	var kept []openrouterEndpoint
	for _, slug := range r.Upstreams {
		before := len(kept)
		for _, e := range served {
			if e.is(slug) {
				kept = append(kept, e)
			}
		}
		if len(kept) == before {
			return nil, r.option("%s is not served by %.60q; it is by %s", r.id, slug, tags(served))
		}
	}
	return kept, nil
}

// tags are the slugs of endpoints for people.
func tags(served []openrouterEndpoint) string {
	var out []string
	for _, e := range served {
		out = append(out, fmt.Sprintf("%.40s", e.Tag))
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > 0 {
		return strings.Join(out[:min(len(out), 12)], ", ")
	}
	return "nobody"
}

// dearest is a price of which each part is the dearer one.
func dearest(a, b model.Price) model.Price {
	return model.Price{
		Prompt:     decimal.Max(a.Prompt, b.Prompt),
		Completion: decimal.Max(a.Completion, b.Completion),
		Request:    decimal.Max(a.Request, b.Request),
		CacheRead:  dearestOf(a.CacheRead, a.Prompt, b.CacheRead, b.Prompt),
		CacheWrite: dearestOf(a.CacheWrite, a.Prompt, b.CacheWrite, b.Prompt),
		Steps:      slices.Concat(a.Steps, b.Steps),
	}
}

// dearestOf compares parts that cost what a prompt does where they have no price of their own.
func dearestOf(a decimal.NullDecimal, aPrompt decimal.Decimal, b decimal.NullDecimal, bPrompt decimal.Decimal) decimal.NullDecimal {
	if !a.Valid && !b.Valid {
		return a
	}
	if !a.Valid {
		a.Decimal = aPrompt
	}
	if !b.Valid {
		b.Decimal = bPrompt
	}
	return decimal.NewNullDecimal(decimal.Max(a.Decimal, b.Decimal))
}
