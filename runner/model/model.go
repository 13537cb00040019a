// Package model is what the loop knows about language models: a [Request], a
// [Reply], what it used, and one interface.
//
// Wrappers compose around a provider, each with one duty:
//
//	Retry(Settle(Budget(text.Calls(Cut(Guard(provider))))))
//
// Guard refuses a reply of another model. Cut recognises a reply that the limit
// of tokens has ended. text.Calls finds calls that slipped into the words. Budget lets no request leave whose
// worst case does not fit, and has its [Book], the ledger, written before the
// request leaves and after the answer came. Settle looks up what replies cost
// that did not say it. Retry sends again only what may be sent again. The order
// matters: Retry is outermost, so that each attempt that leaves is reserved and
// booked by itself, and Budget is around Guard, so that a refused reply is paid
// for like any other. Providers live in packages of their own (openai), which
// nobody but cmd imports.
package model

import (
	"context"
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"
)

// Model answers requests.
type Model interface {
	// Reply sends r and returns the whole answer. An answer that is cut, wrong
	// or in an error's clothes is an *Error, never a Reply that looks complete.
	// Cancelling ctx ends it within a second.
	Reply(ctx context.Context, r Request) (Reply, error)
}

// Request is one turn's question.
type Request struct {
	Messages  []Message
	Tools     []Tool
	MaxTokens int // of the reply; always set
}

// Role says who speaks in a message.
type Role string

// The roles.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool" // the result of the call CallID
)

// Message is one entry of a conversation. Conversations are only appended to.
type Message struct {
	Role    Role
	Content string
	Calls   []Call // of the assistant
	CallID  string // of a tool's result
	// Reasoning is what a provider wants back unchanged with the assistant's
	// message that it came with. Only the adapter that made it can read it.
	Reasoning json.RawMessage
}

// Call is one tool call of a reply, as the model wrote it.
type Call struct {
	ID        string
	Name      string
	Arguments string // JSON, unchecked
}

// Tool is a tool as the model is told of it.
type Tool struct {
	Name        string
	Description string
	Parameters  []byte // JSON schema
}

// Finish is why a reply ended.
type Finish string

// The reasons the loop tells apart; every other one is passed through.
const (
	FinishStop   Finish = "stop"
	FinishCalls  Finish = "tool_calls"
	FinishLength Finish = "length" // cut: nothing of it may be executed
)

// Reply is a model's answer.
type Reply struct {
	ID       string // the provider's, for looking up what it cost
	Model    string // who answered, in the provider's words: hostile until guarded
	Provider string // upstream, where told
	Content  string
	Calls    []Call
	Finish   Finish
	Usage    Usage
	Latency  time.Duration
	// Reasoning goes back with the reply, see [Message].
	Reasoning json.RawMessage
	// Routing is what the provider says of how the reply came about.
	Routing Routing
	// Tolerated names what was understood although it is not what was agreed
	// on, for the ledger: "call as text", "arguments as object", …
	Tolerated []string
}

// Routing is a provider's own account of who was asked, hostile like
// everything in a reply. The zero value is no account.
type Routing struct {
	Known     bool
	Strategy  string   // how the model was found: "direct", "fallback", "auto", …
	Requested string   // the model that the provider believes was asked for
	Models    []string // of every attempt, and of the endpoint that answered
	Providers []string // upstreams, likewise
}

// Usage is what a reply used, in the provider's tokens.
type Usage struct {
	Known      bool // false: the provider said nothing, the worst case is booked
	Prompt     int  // including what came from a cache
	Completion int
	Cached     int // part of Prompt that was read from a cache
	CacheWrite int // part of Prompt that was written to one
	Reasoning  int // part of Completion
	// Cost is what the provider says it costs in USD, if it says so.
	Cost decimal.NullDecimal
}

// Info is what a provider's catalogue says about the model that was asked for.
type Info struct {
	// Provider and ID are the two halves of provider/model.
	Provider, ID string
	// Accept are the names under which the provider may answer for it: its id
	// and its canonical slug, each with the variant asked for (the rule is in
	// docs/models.md and [Guard]). A reply under any other name is refused.
	Accept []string
	// Variant is the suffix that Accept's names carry and that makes the model
	// another one (free), "" if there is none.
	Variant string
	// Upstreams are the only ones that may answer, as the provider calls them in
	// its replies; none is any.
	Upstreams []string
	// Price is what a token costs; a model without a known price is refused before the first request.
	Price Price
	// PriceSource names where the price comes from and its date, for the report.
	PriceSource string
	// CostReported says that the cost in the provider's replies is what it bills,
	// with all its discounts. Else it is only believed where it is more than the
	// tokens cost at Price.
	CostReported bool
	// Context is the window in tokens and MaxOutput the longest reply; 0 is unknown.
	Context, MaxOutput int
	// Tools says whether the model can call tools by itself.
	Tools Support
	// Effort says that the model's effort of reasoning can be set.
	Effort bool
}

// Support is whether a model can do something, as far as its catalogue tells.
type Support int

// The answers.
const (
	SupportUnknown Support = iota
	Supported
	Unsupported
)

// Price is in USD for one token, exact.
type Price struct {
	Prompt, Completion    decimal.Decimal
	CacheRead, CacheWrite decimal.NullDecimal
	Request               decimal.Decimal // for each request
	// Steps are other prices for long prompts; see [Price.At].
	Steps []Step
}

// Step is the price of requests whose prompt is longer than Above tokens.
type Step struct {
	Above int
	Price Price // without steps of its own
}

// Free says that nothing costs anything.
func (p Price) Free() bool {
	zero := func(d decimal.NullDecimal) bool { return !d.Valid || d.Decimal.IsZero() }
	for _, s := range p.Steps {
		if !s.Price.Free() {
			return false
		}
	}
	return p.Prompt.IsZero() && p.Completion.IsZero() && p.Request.IsZero() && zero(p.CacheRead) && zero(p.CacheWrite)
}

// Fault says what kind of failure an [Error] is, so that a caller can decide
// and a person can be told what to do.
type Fault string

// The faults.
const (
	FaultKey         Fault = "key"          // 401, 403: the key is wrong or may not do this
	FaultCredits     Fault = "credits"      // 402: the account is empty or capped
	FaultNotFound    Fault = "not-found"    // 404: no such model, or none that fits what was pinned
	FaultRateLimit   Fault = "rate-limit"   // 429: wait
	FaultDailyLimit  Fault = "daily-limit"  // 429: no more today
	FaultServer      Fault = "server"       // 5xx, cut streams, errors inside a 200
	FaultUnreachable Fault = "unreachable"  // no connection
	FaultRequest     Fault = "request"      // 400, 413, 422: sending it again would not help
	FaultContext     Fault = "context"      // the conversation is longer than the model's window
	FaultTools       Fault = "tools"        // the model or all of its endpoints take no tools
	FaultWrongModel  Fault = "wrong-model"  // another model answered
	FaultNoPrice     Fault = "no-price"     // what it costs is not known
	FaultPaid        Fault = "paid"         // costs money where only free is allowed
	FaultNotAllowed  Fault = "not-allowed"  // the user has fenced it off
	FaultBudget      Fault = "budget"       // the cap would be exceeded
	FaultTotal       Fault = "total-budget" // the cap of several jobs together would be exceeded
	FaultMissingKey  Fault = "missing-key"  // no key in the environment
	FaultUnknownName Fault = "unknown-name" // no such provider, or a name that is none
	FaultOption      Fault = "option"       // this model or provider does not take an option that was given
	FaultCancelled   Fault = "cancelled"    // the caller ended it; Err is the context's
)

// Error is a model's or a provider's failure.
type Error struct {
	Fault      Fault
	Status     int           // HTTP, 0 without an answer
	Message    string        // in the provider's words, bounded, without keys
	RetryAfter time.Duration // how long to wait, if told
	// Once says that this failure has been seen to be a slip of the server: it
	// is tried again once, although its fault is one to give up on.
	Once bool
	// ID is the provider's name for the reply that failed, if it got that far:
	// what it cost can be looked up later.
	ID string
	// Model, Provider and Routing are who had begun to answer, as far as it was
	// told: hostile until guarded.
	Model, Provider string
	Routing         Routing
	// Usage is what the failed attempt used, if told: it is booked like any
	// other. Of one that broke off it has the cost alone: some servers count
	// while they speak, and the last count is missing.
	Usage Usage
	Err   error
}

func (e *Error) Error() string {
	if e.Message != "" {
		return e.Message
	}
	if e.Err != nil {
		return e.Err.Error()
	}
	return string(e.Fault)
}

func (e *Error) Unwrap() error { return e.Err }
