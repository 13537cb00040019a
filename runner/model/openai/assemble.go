package openai

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// chunk is what we read of a chunk, or of a whole answer that was not
// streamed. Fields whose type differs between servers stay raw.
type chunk struct {
	ID       string   `json:"id"`
	Model    string   `json:"model"`
	Provider string   `json:"provider"`
	Choices  []choice `json:"choices"`
	Usage    *usage   `json:"usage"`
	// Tier is OpenAI's service_tier, which decides the price.
	Tier string `json:"service_tier"`
	// Routing is OpenRouter's account of who was asked.
	Routing json.RawMessage `json:"openrouter_metadata"`
}

type choice struct {
	Index   int     `json:"index"`
	Delta   delta   `json:"delta"`
	Message delta   `json:"message"`
	Finish  *string `json:"finish_reason"`
}

type delta struct {
	Content json.RawMessage `json:"content"`
	Refusal string          `json:"refusal"`
	Calls   []callDelta     `json:"tool_calls"`
	// Reasoning is in OpenRouter's form, and Thought in that of DeepSeek and
	// local servers: they want it back.
	Reasoning json.RawMessage `json:"reasoning_details"`
	Thought   json.RawMessage `json:"reasoning_content"`
}

type callDelta struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

// assembly makes one reply out of chunks.
type assembly struct {
	earlier int // calls in the conversation before
	out     model.Reply
	text    strings.Builder
	thought reasoning
	calls   []*call
	byIndex map[int]*call
	chosen  bool   // there was a choice
	finish  string // the server's word for the answer's end
	tier    string // the tier of service that is billed, where it is told
}

type call struct {
	id, name  string
	arguments strings.Builder
}

// Marks in [model.Reply.Tolerated] of calls that were understood.
const (
	markObject   = "arguments as object"
	markNoIndex  = "call without index"
	markSameSpot = "index of another call"
	markNoArgs   = "empty arguments"
	markFinish   = "finish_reason of a reply without calls"
)

// tolerate notes once what was not as agreed on; "" is nothing.
func (a *assembly) tolerate(mark string) {
	if mark != "" && !slices.Contains(a.out.Tolerated, mark) {
		a.out.Tolerated = append(a.out.Tolerated, mark)
	}
}

func (a *assembly) add(raw []byte) error {
	var c chunk
	err := json.Unmarshal(raw, &c)
	a.tell(c) // what could be read of it counts, whatever else is in there
	if err != nil {
		return &model.Error{Fault: model.FaultServer, Status: http.StatusOK, Message: "the answer has a chunk that can't be read: " + wire.First(err.Error(), 200), Err: err}
	}
	for _, ch := range c.Choices {
		if ch.Index != 0 {
			continue // one answer was asked for
		}
		a.chosen = true
		a.delta(ch.Delta)
		a.delta(ch.Message)
		if ch.Finish != nil && *ch.Finish != "" {
			a.finish = *ch.Finish
		}
	}
	return nil
}

// tell notes what a chunk says of the answer as a whole. The last usage holds,
// with the highest cost that was told.
func (a *assembly) tell(c chunk) {
	if a.out.ID == "" {
		a.out.ID = c.ID
	}
	a.served(c.Model)
	if c.Provider != "" {
		a.out.Provider = c.Provider
	}
	if c.Usage != nil {
		cost := a.out.Usage.Cost
		a.out.Usage = c.Usage.model()
		a.out.Usage.Cost = dearest(a.out.Usage.Cost, cost)
	}
	if c.Tier != "" {
		a.tier = c.Tier
	}
	a.routed(c.Routing)
}

// failed gives the failure of an answer that had begun what the answer had told:
// its id, under which its cost can be looked up, who had begun to answer, and
// of its usage the cost. One that the caller ended becomes a fault for it.
func (a *assembly) failed(err error) error {
	var e *model.Error
	if !errors.As(err, &e) {
		e = &model.Error{Fault: model.FaultCancelled, Err: err}
	}
	a.served(e.Model)
	a.out.Routing = joined(a.out.Routing, e.Routing)
	e.Model, e.Routing, e.Provider = a.out.Model, a.out.Routing, cmp.Or(e.Provider, a.out.Provider)
	if e.ID == "" && idForm.MatchString(a.out.ID) {
		e.ID = a.out.ID
	}
	if !e.Usage.Known {
		e.Usage.Cost = dearest(e.Usage.Cost, a.out.Usage.Cost)
	}
	return e
}

// dearest is the larger of two costs that may not have been told.
func dearest(a, b decimal.NullDecimal) decimal.NullDecimal {
	if !a.Valid || b.Valid && b.Decimal.GreaterThan(a.Decimal) {
		return b
	}
	return a
}

// routed notes an account of who was asked.
func (a *assembly) routed(raw json.RawMessage) {
	if wire.Present(raw) {
		a.out.Routing = joined(a.out.Routing, routing(raw))
	}
}

// served notes who answers. An answer that changes its mind about it names
// both, which no guard accepts.
func (a *assembly) served(name string) {
	switch {
	case name == "" || name == a.out.Model:
	case a.out.Model == "":
		a.out.Model = name
	case !strings.Contains(a.out.Model, " then "):
		a.out.Model += " then " + name
	}
}

func (a *assembly) delta(d delta) {
	a.text.WriteString(text(d.Content))
	a.text.WriteString(d.Refusal)
	a.thought.add(d.Reasoning)
	a.thought.addText(text(d.Thought))
	for _, cd := range d.Calls {
		c := a.find(cd)
		if c.id == "" {
			c.id = cd.ID
		}
		if c.name == "" {
			c.name = cd.Function.Name
		}
		args, isText := arguments(cd.Function.Arguments)
		c.arguments.WriteString(args)
		if !isText {
			a.tolerate(markObject)
		}
	}
}

// find returns the call that a delta goes on with, or a new one. Servers
// differ: without an index, with index 0 for every call, without ids.
func (a *assembly) find(d callDelta) *call {
	var c *call
	if d.Index != nil {
		c = a.byIndex[*d.Index]
	} else {
		a.tolerate(markNoIndex)
		if n := len(a.calls); n > 0 {
			c = a.calls[n-1]
		}
	}
	if c == nil || c.over(d) {
		if c != nil && d.Index != nil {
			a.tolerate(markSameSpot)
		}
		c = &call{}
		a.calls = append(a.calls, c)
	}
	if d.Index != nil {
		if a.byIndex == nil {
			a.byIndex = map[int]*call{}
		}
		a.byIndex[*d.Index] = c
	}
	return c
}

// over says that d can't belong to c: it has another id, or it names a
// function although c's arguments are complete.
func (c *call) over(d callDelta) bool {
	if d.ID != "" && c.id != "" {
		return d.ID != c.id
	}
	return d.Function.Name != "" && c.name != "" && json.Valid([]byte(c.arguments.String()))
}

// reply is the whole answer, if that is what it is.
func (a *assembly) reply(tier string) (model.Reply, error) {
	finish, unfinished := wire.Finish(a.finish)
	switch {
	case !a.chosen:
		unfinished = &model.Error{Fault: model.FaultServer, Status: http.StatusOK, Message: "the server answered without an answer (no choices)"}
	case tier != "" && a.tier != "" && a.tier != tier:
		return model.Reply{}, a.failed(&model.Error{Fault: model.FaultNoPrice, Status: http.StatusOK,
			Message: fmt.Sprintf("the reply is billed in the service tier %.40q, and the known price is that of %q", a.tier, tier)})
	}
	if unfinished != nil {
		unfinished.Usage = a.out.Usage
		return model.Reply{}, a.failed(unfinished)
	}
	out := a.out
	out.Finish, out.Calls = finish, a.made()
	if len(out.Calls) > 0 && finish != model.FinishCalls && finish != model.FinishLength {
		a.tolerate(markFinish) // not decisive: what was called is run
	}
	out.Tolerated = a.out.Tolerated
	out.Content, out.Reasoning = a.text.String(), a.thought.whole()
	return out, nil
}

// made are the calls, each with an id of its own and with arguments.
func (a *assembly) made() (made []model.Call) {
	ids := wire.IDs{Earlier: a.earlier}
	for _, c := range a.calls {
		id, mark := ids.Own(c.id)
		a.tolerate(mark)
		args := c.arguments.String()
		if strings.TrimSpace(args) == "" {
			args = "{}"
			a.tolerate(markNoArgs)
		}
		made = append(made, model.Call{ID: id, Name: c.name, Arguments: args})
	}
	return made
}

// text is a content: a string, null, or a list of parts.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// arguments are a piece of JSON text, or an object where a server forgot to
// make text of it.
func arguments(raw json.RawMessage) (s string, isText bool) {
	if !wire.Present(raw) || json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	return string(raw), false
}
