package provider

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/anthropic"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/price"
)

// Offer is a model that can be asked for.
type Offer struct {
	Name               string // provider/model, harmless to print
	Context, MaxOutput int    // tokens, 0 is unknown
	Price              model.Price
	Tools              model.Support
	AsOf               string // the day of the price, YYYY-MM-DD
}

// Offers are what a provider offers, by name.
type Offers struct {
	Provider string
	Models   []Offer
	// Unpriced is how many more models it lists whose price is not known: they
	// can be asked for only with a stated price.
	Unpriced int
	// Err says why its catalogue could not be asked. Models are then what the
	// embedded table knows.
	Err error
}

// List asks a provider's catalogue what could be asked for with the key in env
// and within the fences of o, of which BaseURL counts too. What Resolve would
// refuse, because it is no single model or has no fixed price, is left out.
func List(ctx context.Context, provider string, env func(string) string, o Options) Offers {
	r := request{Options: o, provider: provider, env: env}
	out := Offers{Provider: provider}
	if out.Err = r.checkURL(); out.Err == nil {
		out.Models, out.Unpriced, out.Err = r.offers(ctx)
	}
	if out.Err != nil {
		out.Models, out.Unpriced = r.tabled(price.IDs(provider)), 0
	}
	out.Models = slices.DeleteFunc(out.Models, func(m Offer) bool {
		return checkID(m.Name) != nil || allowed(m.Name, r.Fences) != nil || r.BlockPaid && !m.Price.Free()
	})
	slices.SortFunc(out.Models, func(a, b Offer) int { return cmp.Compare(a.Name, b.Name) })
	out.Models = slices.CompactFunc(out.Models, func(a, b Offer) bool { return a.Name == b.Name })
	return out
}

func (r request) offers(ctx context.Context) (_ []Offer, unpriced int, err error) {
	key := ""
	if Key(r.provider) != "" {
		if key, err = r.key(); err != nil {
			return nil, 0, err
		}
	}
	switch r.provider {
	case "openrouter":
		return r.openrouterOffers(ctx, key)
	case "anthropic":
		return r.anthropicOffers(ctx, key)
	case "openai":
		ids, err := models(ctx, r.client(ctx, openai.Config{BaseURL: orName(r.BaseURL, openaiURL), Key: key}))
		known := r.tabled(ids)
		return known, len(ids) - len(known), err
	case "ollama":
		return r.ollamaOffers(ctx)
	default:
		return nil, 0, unknown("%.40q has no catalogue", r.provider)
	}
}

func (r request) openrouterOffers(ctx context.Context, key string) ([]Offer, int, error) {
	all, err := openrouterEntries(ctx, r.client(ctx, r.openrouterConfig(key)))
	var out []Offer
	unpriced := 0
	for _, m := range all {
		price, ok := m.Pricing.price()
		switch {
		case !m.usable():
		case !ok:
			unpriced++
		default:
			out = append(out, Offer{Name: "openrouter/" + m.ID, Context: max(0, m.window()), MaxOutput: max(0, m.Top.MaxOutput), Price: price, Tools: m.tools(), AsOf: today()})
		}
	}
	return out, unpriced, err
}

// anthropicOffers joins Anthropic's list, which has no prices, with the table.
func (r request) anthropicOffers(ctx context.Context, key string) ([]Offer, int, error) {
	list, err := anthropicList(ctx, r.anthropicClient(ctx, anthropic.Config{BaseURL: orName(r.BaseURL, anthropicURL), Key: key, UserAgent: r.userAgent()}))
	var out []Offer
	unpriced := 0
	for _, m := range list {
		known := r.tabled([]string{m.ID})
		switch {
		case m.Lifecycle == "retired":
		case len(known) == 0:
			unpriced++
		default:
			known[0].Context, known[0].MaxOutput = max(0, m.Context), max(0, m.MaxOutput)
			out = append(out, known[0])
		}
	}
	return out, unpriced, err
}

func (r request) ollamaOffers(ctx context.Context) ([]Offer, int, error) {
	ids, err := models(ctx, r.client(ctx, openai.Config{BaseURL: orName(r.BaseURL, ollamaURL(r.env("OLLAMA_HOST")))}))
	var out []Offer
	for _, id := range ids {
		out = append(out, Offer{Name: "ollama/" + id, AsOf: today()})
	}
	return out, 0, err
}

// tabled is what the embedded table knows of a provider's models.
func (r request) tabled(ids []string) []Offer {
	var out []Offer
	for _, id := range ids {
		lookup := price.Lookup
		if r.provider == "anthropic" {
			lookup = func(_, id string) (model.Price, price.Entry, bool) { return anthropicTabled(id) }
		}
		p, e, ok := lookup(r.provider, id)
		if !ok {
			continue
		}
		out = append(out, Offer{Name: r.provider + "/" + id, Context: e.Context, Price: p, Tools: r.tools(id), AsOf: price.Date()})
	}
	return out
}

// tools says whether a model of a list that does not tell takes tools.
func (r request) tools(id string) model.Support {
	switch {
	case r.provider == "anthropic":
		return model.Supported
	case ofFamily(id, withoutTools()):
		return model.Unsupported
	default:
		return model.SupportUnknown
	}
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }
