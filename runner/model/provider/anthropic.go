package provider

import (
	"context"
	"encoding/json"
	"regexp"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/anthropic"
	"github.com/glovebox-run/glovebox/runner/model/price"
)

// anthropicModel is an entry of Anthropic's list of models.
type anthropicModel struct {
	ID           string `json:"id"`
	Context      int    `json:"max_input_tokens"`
	MaxOutput    int    `json:"max_tokens"`
	Lifecycle    string `json:"lifecycle"`
	Capabilities struct {
		Effort json.RawMessage `json:"effort"`
	} `json:"capabilities"`
}

// efforts are the levels that the model takes; none if it takes none. A list
// that does not tell is no list.
func (m anthropicModel) efforts() (levels []string, settable bool) {
	var told struct {
		Supported bool `json:"supported"`
	}
	var each map[string]json.RawMessage
	if json.Unmarshal(m.Capabilities.Effort, &told) != nil || json.Unmarshal(m.Capabilities.Effort, &each) != nil {
		return nil, true
	}
	for _, level := range Efforts() {
		var one struct {
			Supported bool `json:"supported"`
		}
		if json.Unmarshal(each[level], &one) == nil && one.Supported {
			levels = append(levels, level)
		}
	}
	return levels, told.Supported && len(levels) > 0
}

// anthropic asks Anthropic by its Messages API. The price is the embedded
// table's, for Anthropic's list has none.
func (r request) anthropic(ctx context.Context) (model.Model, model.Info, error) {
	if err := r.notLatest(); err != nil {
		return nil, model.Info{}, err
	}
	key, err := r.key()
	if err != nil {
		return nil, model.Info{}, err
	}
	info := model.Info{Tools: model.Supported}
	if info.Price, info.PriceSource, err = r.anthropicPrice(); err != nil {
		return nil, info, err
	}
	config := anthropic.Config{BaseURL: orName(r.BaseURL, anthropicURL), Key: key, Model: r.id, UserAgent: r.userAgent(),
		AnyPrice: r.Price != ""} // which is then the user's to know
	list, err := anthropicList(ctx, r.anthropicClient(ctx, config))
	if err != nil {
		return nil, info, err
	}
	entry, accept := anthropicEntry(r.id, list)
	if len(accept) == 0 {
		return nil, info, r.notListed("")
	}
	info.Accept, info.Context, info.MaxOutput = accept, entry.Context, entry.MaxOutput
	levels, settable := entry.efforts()
	info.Effort = settable
	if config.Effort, err = r.effortAmong(settable, levels, ""); err != nil {
		return nil, info, err
	}
	return r.anthropicClient(ctx, config), info, nil
}

const anthropicURL = "https://api.anthropic.com/v1"

func (r request) anthropicClient(ctx context.Context, c anthropic.Config) *anthropic.Client {
	c.Wrap = r.Wrap
	client := anthropic.New(c)
	context.AfterFunc(ctx, client.Close)
	return client
}

// anthropicList reads the list of models, all on one page.
func anthropicList(ctx context.Context, c lister) ([]anthropicModel, error) {
	return entries[anthropicModel](ctx, c, "/models?limit=1000", "Anthropic's list of models")
}

var snapshot = regexp.MustCompile(`-\d{8}$`)

// anthropicEntry finds a model, and the names under which it may answer: its
// id, and where that has no date the dated ones of the same name, for an alias
// answers with its snapshot.
func anthropicEntry(id string, list []anthropicModel) (entry anthropicModel, accept []string) {
	for _, m := range list {
		dated := snapshot.MatchString(m.ID) && snapshot.ReplaceAllString(m.ID, "") == id
		if (m.ID != id && !dated) || m.Lifecycle == "retired" {
			continue
		}
		if len(accept) == 0 || m.ID == id {
			entry = m
		}
		if m.ID != id {
			accept = append(accept, m.ID)
		} else {
			accept = append([]string{id}, accept...)
		}
	}
	if len(accept) > 0 && accept[0] != id {
		accept = append([]string{id}, accept...)
	}
	return entry, accept
}

// anthropicPrice is what the user or the table says, and what writing to the
// cache costs, which a request of ours always does.
func (r request) anthropicPrice() (model.Price, string, error) {
	p, source, err := r.stated()
	if err != nil {
		return p, "", err
	}
	if source == "" {
		var ok bool
		if p, _, ok = anthropicTabled(r.id); !ok {
			return p, "", r.noPrice()
		}
		source = price.Source()
	}
	if !p.CacheWrite.Valid {
		p.CacheWrite = decimal.NewNullDecimal(p.Prompt.Mul(cacheWrite))
	}
	return p, source, nil
}

// cacheWrite is what a token costs that is written to Anthropic's cache for
// five minutes, in prices of a prompt's token.
var cacheWrite = decimal.RequireFromString("1.25")

// anthropicTabled looks an id up in the table; a snapshot costs what the name
// without its date does.
func anthropicTabled(id string) (model.Price, price.Entry, bool) {
	if p, e, ok := price.Lookup("anthropic", id); ok {
		return p, e, true
	}
	return price.Lookup("anthropic", snapshot.ReplaceAllString(id, ""))
}
