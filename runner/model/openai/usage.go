package openai

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/price"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// usage is the usage of an answer, with what OpenRouter adds: the cost in
// USD, and for a key of one's own at the upstream (BYOK) the upstream's cost,
// which is then billed there.
type usage struct {
	Prompt     tokens          `json:"prompt_tokens"`
	Completion tokens          `json:"completion_tokens"`
	Total      tokens          `json:"total_tokens"`
	Cost       json.RawMessage `json:"cost"`
	BYOK       bool            `json:"is_byok"`
	PromptPart struct {
		Cached     tokens `json:"cached_tokens"`
		CacheWrite tokens `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionPart struct {
		Reasoning tokens `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	CostPart struct {
		Upstream json.RawMessage `json:"upstream_inference_cost"`
	} `json:"cost_details"`
}

// model is u; unknown if a number in it makes no sense: then the worst case is
// booked, or the cost if that is more.
func (u *usage) model() model.Usage {
	out := model.Usage{
		Known:      true,
		Prompt:     int(u.Prompt),
		Completion: int(u.Completion),
		Cached:     int(u.PromptPart.Cached),
		CacheWrite: int(u.PromptPart.CacheWrite),
		Reasoning:  int(u.CompletionPart.Reasoning),
	}
	// xAI and others count what the model thought beside its reply, and only
	// their total says so. It is billed like the reply.
	if int(u.Total) > out.Prompt+out.Completion && out.Reasoning > 0 && out.Completion >= 0 {
		out.Completion = min(int(u.Total)-out.Prompt, out.Completion+out.Reasoning)
	}
	cost, ok := u.cost()
	switch {
	case ok && min(out.Prompt, out.Completion, out.Cached, out.CacheWrite, out.Reasoning) >= 0 && out.Prompt+out.Completion > 0:
		out.Cost = cost
		return out
	case cost.Decimal.IsPositive():
		return model.Usage{Cost: cost}
	default:
		return model.Usage{}
	}
}

// cost is what is reported, with a key of one's own the upstream's bill too;
// not valid if it is for the tokens to say, and not ok if it is no amount.
func (u *usage) cost() (_ decimal.NullDecimal, ok bool) {
	cost, ok := dollars(u.Cost)
	if !ok || !u.BYOK {
		return cost, ok
	}
	upstream, ok := dollars(u.CostPart.Upstream)
	switch {
	case ok && upstream.Valid:
		return decimal.NewNullDecimal(cost.Decimal.Add(upstream.Decimal)), true
	case cost.Decimal.IsPositive():
		return cost, false // and what the upstream takes, which is missing
	default:
		return decimal.NullDecimal{}, true
	}
}

// dollars reads an amount that may be absent; ok is false if it is no amount.
func dollars(raw json.RawMessage) (d decimal.NullDecimal, ok bool) {
	if !wire.Present(raw) {
		return d, true
	}
	s := string(raw)
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = unquoted
	}
	amount, err := price.Amount(s)
	if err != nil {
		return d, false
	}
	return decimal.NewNullDecimal(amount), true
}

// tokens is a number of tokens in whatever form a server writes it; -1 is nonsense.
type tokens int

func (t *tokens) UnmarshalJSON(raw []byte) error {
	if !wire.Present(raw) {
		return nil
	}
	s := string(raw)
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = unquoted
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > 1e9 || f != math.Trunc(f) {
		*t = -1
		return nil
	}
	*t = tokens(f)
	return nil
}
