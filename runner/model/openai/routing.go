package openai

import (
	"encoding/json"
	"slices"

	"github.com/glovebox-run/glovebox/runner/model"
)

// unreadable is the strategy of an account that can't be read: no guard accepts it.
const unreadable = "unreadable"

// endpoint is who was asked, or could have been.
type endpoint struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
	Selected bool   `json:"selected"`
}

// routing reads OpenRouter's openrouter_metadata: how the model was found, and
// who was tried and chosen.
func routing(raw json.RawMessage) model.Routing {
	var m struct {
		Requested string `json:"requested"`
		Strategy  string `json:"strategy"`
		Endpoints struct {
			Available []endpoint `json:"available"`
		} `json:"endpoints"`
		Attempts []endpoint `json:"attempts"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return model.Routing{Known: true, Strategy: unreadable}
	}
	out := model.Routing{Known: true, Strategy: m.Strategy, Requested: m.Requested}
	for _, e := range m.Attempts {
		out = with(out, e)
	}
	for _, e := range m.Endpoints.Available {
		if e.Selected {
			out = with(out, e)
		}
	}
	return out
}

func with(r model.Routing, e endpoint) model.Routing {
	r.Models, r.Providers = union(r.Models, e.Model), union(r.Providers, e.Provider)
	return r
}

// joined is an account that came in parts: where they differ it says both,
// which no guard accepts.
func joined(a, b model.Routing) model.Routing {
	switch {
	case !a.Known:
		return b
	case !b.Known:
		return a
	}
	if a.Strategy != b.Strategy {
		a.Strategy += " then " + b.Strategy
	}
	if a.Requested != b.Requested {
		a.Requested += " then " + b.Requested
	}
	a.Models, a.Providers = union(a.Models, b.Models...), union(a.Providers, b.Providers...)
	return a
}

func union(list []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
