package anthropic

import "github.com/glovebox-run/glovebox/runner/model"

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
