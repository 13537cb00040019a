package model

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// Overheads of a prompt beyond its text. Servers put the messages into a
// template of their own, and tools cost a hidden system prompt (Anthropic's
// documentation names up to 700 tokens for it). These are well above what is
// documented anywhere, because a bound that is too low spends real money.
const (
	overheadRequest = 1024 // tokens, once
	overheadItem    = 32   // tokens for each message, call and tool
)

// PromptBound is an upper bound of the prompt tokens of r. A tokenizer never
// makes more tokens of a text than it has bytes, and JSON never makes a text
// shorter: so the bytes of the request's JSON, plus the overheads above.
func PromptBound(r Request) int {
	n := overheadRequest
	for _, m := range r.Messages {
		n += overheadItem + jsonLen(m.Content) + jsonLen(m.CallID) + len(m.Reasoning)
		for _, c := range m.Calls {
			n += overheadItem + jsonLen(c.ID) + jsonLen(c.Name) + jsonLen(c.Arguments)
		}
	}
	for _, t := range r.Tools {
		n += overheadItem + jsonLen(t.Name) + jsonLen(t.Description) + len(t.Parameters)
	}
	return n
}

func jsonLen(s string) int {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return 6*len(s) + 2
	}
	return len(b)
}

// WorstCase is the most that r can cost in USD at p: the bound of its prompt
// at the dearest price a prompt token can have, and MaxTokens of reply.
func (p Price) WorstCase(r Request) decimal.Decimal {
	prompt := PromptBound(r)
	at := p.At(prompt)
	return at.dearestPrompt().Mul(count(prompt)).Add(at.Completion.Mul(count(r.MaxTokens))).Add(at.Request)
}

// Cost is what u costs in USD at p: tokens read from a cache and written to
// one at their own price where there is one, at the prompt's else.
func (p Price) Cost(u Usage) decimal.Decimal {
	at := p.At(u.Prompt)
	fresh := max(0, u.Prompt-u.Cached-u.CacheWrite)
	sum := at.Prompt.Mul(count(fresh))
	sum = sum.Add(orElse(at.CacheRead, at.Prompt).Mul(count(u.Cached)))
	sum = sum.Add(orElse(at.CacheWrite, at.Prompt).Mul(count(u.CacheWrite)))
	return sum.Add(at.Completion.Mul(count(u.Completion))).Add(at.Request)
}

// At is the price that holds for a prompt of that many tokens: of the base and
// every step below it, the dearest of each part.
func (p Price) At(prompt int) Price {
	at := p
	at.Steps = nil
	for _, s := range p.Steps {
		if prompt <= s.Above {
			continue
		}
		at.Prompt = decimal.Max(at.Prompt, s.Price.Prompt)
		at.Completion = decimal.Max(at.Completion, s.Price.Completion)
		at.Request = decimal.Max(at.Request, s.Price.Request)
		at.CacheRead = dearer(at.CacheRead, s.Price.CacheRead)
		at.CacheWrite = dearer(at.CacheWrite, s.Price.CacheWrite)
	}
	return at
}

func (p Price) dearestPrompt() decimal.Decimal {
	return decimal.Max(p.Prompt, orElse(p.CacheRead, p.Prompt), orElse(p.CacheWrite, p.Prompt))
}

func dearer(a, b decimal.NullDecimal) decimal.NullDecimal {
	if !a.Valid || b.Valid && b.Decimal.GreaterThan(a.Decimal) {
		return b
	}
	return a
}

func orElse(d decimal.NullDecimal, other decimal.Decimal) decimal.Decimal {
	if d.Valid {
		return d.Decimal
	}
	return other
}

// count is n as a decimal; a negative number of tokens is none.
func count(n int) decimal.Decimal { return decimal.NewFromInt(int64(max(0, n))) }
