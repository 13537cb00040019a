package modeltest

import (
	"github.com/shopspring/decimal"
)

// Wire is the format that a server speaks.
type Wire string

// The formats. The first three are OpenAI's chat completions.
const (
	OpenRouter Wire = "openrouter" // with costs, routing metadata, a catalogue with prices
	OpenAI     Wire = "openai"     // as api.openai.com
	Local      Wire = "local"      // as Ollama, llama.cpp, vLLM and gateways: no key needed
	Anthropic  Wire = "anthropic"  // the Messages API
)

// Model is what a server sells. The zero price is free.
type Model struct {
	ID        string // what it is asked for by
	Canonical string // OpenRouter's canonical slug, without a variant; "" is none
	Price     Price
	Context   int // tokens; 0 is 200,000
	MaxOutput int // tokens; 0 is 32,768
	NoTools   bool
}

// Price is in USD for one token, and for one request.
type Price struct {
	Prompt, Completion    decimal.Decimal
	CacheRead, CacheWrite decimal.Decimal
	Request               decimal.Decimal
}

// PerMillion is a price as people write it: USD per million tokens of prompt
// and of reply. What goes into a cache or comes from it costs as much as any prompt.
func PerMillion(in, out string) Price {
	prompt := decimal.RequireFromString(in).Shift(-6)
	return Price{Prompt: prompt, Completion: decimal.RequireFromString(out).Shift(-6), CacheRead: prompt, CacheWrite: prompt}
}

// of is what a use costs.
func (p Price) of(u Usage) decimal.Decimal {
	times := func(d decimal.Decimal, n int) decimal.Decimal { return d.Mul(decimal.NewFromInt(int64(n))) }
	return times(p.Prompt, u.Prompt-u.Cached-u.Written).Add(times(p.CacheRead, u.Cached)).Add(times(p.CacheWrite, u.Written)).
		Add(times(p.Completion, u.Completion)).Add(p.Request)
}

// Usage counts tokens.
type Usage struct {
	Prompt     int // all of them
	Cached     int // of those, read from a cache
	Written    int // of those, written to one
	Completion int // of the reply, reasoning included
}

// bytesPerToken is how the server counts: about what tokenizers make of
// English and code, and never more tokens than bytes.
const bytesPerToken = 4

// usageOf counts what an honest server counts for a turn.
func usageOf(r Request, t Turn) Usage {
	n := len(t.Say) + len(t.Reasoning)
	for _, c := range t.Calls {
		n += len(c.Name) + len(c.Arguments)
	}
	u := Usage{Prompt: len(r.Body)/bytesPerToken + 1, Completion: n/bytesPerToken + 1}
	if t.Completion > 0 {
		u.Completion = t.Completion
	}
	if r.MaxTokens > 0 {
		u.Completion = min(u.Completion, r.MaxTokens)
	}
	return u
}
