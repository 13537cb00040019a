package modeltest

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// Costs bills and reports this many USD for the reply, whatever its price.
func Costs(usd string) Fault {
	return Fault{Name: "costs " + usd + " USD", do: func(a *answer) { a.take(usd) }}
}

func (a *answer) take(usd string) {
	amount := decimal.RequireFromString(usd)
	a.billed = &amount
}

// Bills bills this many USD also for an answer that is none. It stands after
// the fault that makes it so.
func Bills(usd string) Fault {
	return Fault{Name: "bills " + usd + " USD", do: func(a *answer) { a.take(usd) }}
}

// BillsTheReply bills an error status as if the whole reply had been made: what
// a timeout in front of a provider hides.
func BillsTheReply() Fault {
	return Fault{Name: "the reply is billed", do: func(a *answer) {
		amount := a.price.of(a.usage)
		a.billed = &amount
	}}
}

// PriceIs bills and reports the reply at another price than the catalogue's.
func PriceIs(p Price) Fault {
	return Fault{Name: "price changes", do: func(a *answer) { a.price = p }}
}

// Reports tells this cost, as JSON, whatever is billed.
func Reports(cost string) Fault {
	return openAIOnly("reports a cost of "+cost, func(a *answer) { a.reported = json.RawMessage(cost) })
}

// NoCost leaves the cost out of the usage.
func NoCost() Fault {
	return openAIOnly("no cost in usage", func(a *answer) {
		a.told = append(a.told, func(u map[string]any) { delete(u, "cost"); delete(u, "cost_details") })
	})
}

// NoUsage leaves the usage out.
func NoUsage() Fault { return Fault{Name: "usage missing", do: func(a *answer) { a.silent = true }} }

// UsageIs tells another number of tokens than was counted, as JSON: 0, -1, "9", 1e30.
func UsageIs(prompt, completion string) Fault {
	return Fault{Name: "usage says " + prompt + " and " + completion, do: func(a *answer) {
		a.told = append(a.told, func(u map[string]any) {
			names := [2]string{"prompt_tokens", "completion_tokens"}
			if a.server.wire == Anthropic {
				names = [2]string{"input_tokens", "output_tokens"}
			}
			u[names[0]], u[names[1]] = json.RawMessage(prompt), json.RawMessage(completion)
		})
	}}
}

// UsageNull has the usage be null.
func UsageNull() Fault {
	return openAIOnly("usage is null", func(a *answer) {
		a.chunks = append(a.chunks, func(_ int, c map[string]any) {
			if _, ok := c["usage"]; ok {
				c["usage"] = nil
			}
		})
	})
}

// UsageInEveryChunk has each chunk tell the usage so far, growing to the real one.
func UsageInEveryChunk() Fault {
	return openAIOnly("usage in every chunk", func(a *answer) {
		a.chunks = append(a.chunks, func(n int, c map[string]any) {
			if _, ok := c["usage"]; !ok {
				c["usage"] = map[string]any{"prompt_tokens": a.usage.Prompt, "completion_tokens": min(n, a.usage.Completion)}
			}
		})
	})
}

// CostSoFar bills this many USD, and tells it in every chunk.
func CostSoFar(usd string) Fault {
	return openAIOnly("a cost of "+usd+" USD in every chunk", func(a *answer) {
		a.take(usd)
		a.chunks = append(a.chunks, func(n int, c map[string]any) {
			if _, ok := c["usage"]; !ok {
				c["usage"] = map[string]any{"prompt_tokens": a.usage.Prompt, "completion_tokens": n, "cost": number(*a.billed)}
			}
		})
	})
}

// Tier bills the reply in another tier of service, and says so.
func Tier(name string) Fault {
	return openAIOnly("service tier "+name, func(a *answer) { a.tier = name })
}

// Cached has part of the prompt read from a cache and part of it written to one.
func Cached(read, written int) Fault {
	return Fault{Name: "from a cache", do: func(a *answer) {
		a.usage.Cached = min(read, a.usage.Prompt)
		a.usage.Written = min(written, a.usage.Prompt-a.usage.Cached)
	}}
}

// OwnKey is a key of one's own at the upstream: the upstream bills too.
func OwnKey(upstream string) Fault {
	return openAIOnly("a key of one's own at the upstream", func(a *answer) {
		amount := decimal.RequireFromString(upstream)
		a.billed, a.reported = &amount, json.RawMessage("0")
		a.told = append(a.told, func(u map[string]any) {
			u["is_byok"], u["cost_details"] = true, map[string]any{"upstream_inference_cost": number(amount)}
		})
	})
}
