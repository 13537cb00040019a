package anthropic

import (
	"cmp"
	"fmt"

	"github.com/glovebox-run/glovebox/runner/model"
)

// usage is the usage of an answer. Its input tokens are those that came from
// no cache and went into none.
type usage struct {
	Input      *int `json:"input_tokens"`
	CacheWrite *int `json:"cache_creation_input_tokens"`
	CacheRead  *int `json:"cache_read_input_tokens"`
	Output     *int `json:"output_tokens"`
	Details    struct {
		Thinking int `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
	// What decides the price beside the tokens.
	Geo   string `json:"inference_geo"`
	Tier  string `json:"service_tier"`
	Speed string `json:"speed"`
}

// dearer says why the tokens cost more than the list's price, "" if they don't
// (platform.claude.com/docs, pricing).
func (u usage) dearer() string {
	switch {
	case u.Geo == "us":
		return "in the US alone (inference_geo)"
	case u.Tier != "" && u.Tier != "standard" && u.Tier != "batch":
		return fmt.Sprintf("in the service tier %.40q", u.Tier)
	case u.Speed == "fast":
		return "in fast mode"
	default:
		return ""
	}
}

// update takes what later says; what it leaves out stays.
func (u *usage) update(later usage) {
	for _, part := range []struct{ from, to **int }{
		{&later.Input, &u.Input}, {&later.CacheWrite, &u.CacheWrite}, {&later.CacheRead, &u.CacheRead}, {&later.Output, &u.Output},
	} {
		if *part.from != nil {
			*part.to = *part.from
		}
	}
	u.Geo, u.Tier, u.Speed = cmp.Or(later.Geo, u.Geo), cmp.Or(later.Tier, u.Tier), cmp.Or(later.Speed, u.Speed)
	u.Details.Thinking = max(u.Details.Thinking, later.Details.Thinking)
}

// mostTokens is more than any answer has; what is above makes no sense.
const mostTokens = 1_000_000_000

// model is u, unknown if a number in it is missing or makes no sense: then the
// worst case is booked.
func (u usage) model() model.Usage {
	if u.Input == nil || u.Output == nil {
		return model.Usage{}
	}
	out := model.Usage{Known: true, Cached: orZero(u.CacheRead), CacheWrite: orZero(u.CacheWrite),
		Completion: *u.Output, Reasoning: u.Details.Thinking}
	for _, n := range []int{*u.Input, out.Cached, out.CacheWrite, out.Completion, out.Reasoning} {
		if n < 0 || n > mostTokens {
			return model.Usage{}
		}
	}
	out.Prompt = *u.Input + out.Cached + out.CacheWrite
	if out.Prompt+out.Completion == 0 {
		return model.Usage{}
	}
	return out
}

func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
