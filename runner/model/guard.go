package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Guard refuses every reply of next that is not from the model asked for.
//
// Its name must be one of info.Accept, letter by letter. Where the provider
// gives an account of its routing, that must say the same: found directly or
// as a known alias, what was requested, and the model of every attempt and of
// the endpoint that answered. A name may lack the variant asked for only if
// the other account carries it. With info.Upstreams, the one that answered
// must be told and be among them. What can't be decided is refused.
//
// The error is a FaultWrongModel that carries what the reply used, so that it
// is paid for, and nothing of the reply itself, so that none of its calls can
// be executed. A failure of another model is one too, whether in the middle of
// its answer or beside an error: asking again would pay that model again.
func Guard(next Model, info Info) Model { return &guard{next: next, info: info} }

type guard struct {
	next Model
	info Info
}

func (g *guard) Reply(ctx context.Context, r Request) (Reply, error) {
	reply, err := g.next.Reply(ctx, r)
	var failed *Error
	switch {
	case err == nil:
		if wrong := g.wrong(reply); wrong != "" {
			return Reply{}, g.refuse(wrong, Error{Status: 200, ID: reply.ID, Model: reply.Model, Usage: reply.Usage})
		}
		return reply, nil
	case errors.As(err, &failed) && failed.Fault != FaultCancelled:
		if wrong := g.wrong(g.atBest(*failed)); wrong != "" {
			return Reply{}, g.refuse(wrong, *failed)
		}
	}
	return Reply{}, err
}

// atBest is the reply that a failed one could have become: what it had not
// told yet counts in its favour, what it had told does not.
func (g *guard) atBest(e Error) Reply {
	r := Reply{Model: e.Model, Provider: e.Provider, Routing: e.Routing}
	if r.Model == "" || g.known(r.Model) {
		r.Model = g.asked()
	}
	if r.Provider == "" && len(g.info.Upstreams) > 0 {
		r.Provider = g.info.Upstreams[0]
	}
	way := &r.Routing
	if way.Strategy == "" {
		way.Strategy = direct
	}
	if way.Requested == "" {
		way.Requested = g.asked()
	}
	if len(way.Models) == 0 {
		way.Models = []string{r.Model}
	}
	if len(way.Providers) == 0 {
		way.Providers = []string{r.Provider}
	}
	return r
}

// The strategies of OpenRouter by which the model asked for is found.
const (
	direct = "direct"
	alias  = "alias"
)

// wrong says why a reply is not from the model asked for, "" if it is.
func (g *guard) wrong(r Reply) string {
	switch {
	case !g.known(r.Model), !r.Routing.Known && !g.accepted(r.Model):
		return named(r.Model) + " answered"
	case r.Routing.Known:
		if why := g.wrongRouting(r); why != "" {
			return why
		}
	}
	return g.wrongUpstream(r)
}

// wrongRouting compares the provider's account with what was asked for.
func (g *guard) wrongRouting(r Reply) string {
	way := r.Routing
	switch {
	case way.Strategy != direct && way.Strategy != alias:
		return fmt.Sprintf("the request was routed by %s", quoted(way.Strategy))
	case way.Requested != g.asked():
		return fmt.Sprintf("the request was taken for one for %s", quoted(way.Requested))
	case len(way.Models) == 0:
		return "no endpoint is named that answered"
	}
	whole := g.accepted(r.Model)
	for _, name := range way.Models {
		if !g.known(name) {
			return fmt.Sprintf("an endpoint of %s was asked", named(name))
		}
		if !whole && !g.accepted(name) {
			return fmt.Sprintf("%s answered at an endpoint of %s, neither :%s", named(r.Model), named(name), g.info.Variant)
		}
	}
	return ""
}

// asked is the id that requests name: the first of those that are accepted. A
// recording that is played has another name for the model.
func (g *guard) asked() string {
	if len(g.info.Accept) == 0 {
		return g.info.ID
	}
	return g.info.Accept[0]
}

// accepted says that a name is one of the model's, letter by letter.
func (g *guard) accepted(name string) bool { return slices.Contains(g.info.Accept, name) }

// known says that a name is one of the model's, with its variant or without.
func (g *guard) known(name string) bool {
	suffix := ":" + g.info.Variant
	return slices.ContainsFunc(g.info.Accept, func(accepted string) bool {
		return name == accepted || g.info.Variant != "" && name+suffix == accepted
	})
}

func (g *guard) wrongUpstream(r Reply) string {
	if len(g.info.Upstreams) == 0 {
		return ""
	}
	told := r.Routing.Providers
	if !r.Routing.Known {
		told = []string{r.Provider}
	}
	for _, name := range told {
		if !slices.Contains(g.info.Upstreams, name) {
			return fmt.Sprintf("the upstream %s answered, allowed: %s", quoted(name), strings.Join(g.info.Upstreams, ", "))
		}
	}
	if len(told) == 0 {
		return "no upstream is named that answered"
	}
	return ""
}

// refuse makes of a failure or of a reply's remains the error that a user
// needs: what was asked for, who answered, what it cost, and that nothing of
// it was executed.
func (g *guard) refuse(wrong string, e Error) error {
	asked := g.info.ID
	if g.info.PriceSource != "" && g.info.Price.Free() {
		asked += " (free)"
	}
	e.Fault, e.RetryAfter, e.Once = FaultWrongModel, 0, false
	e.Message = fmt.Sprintf("asked %s for %s, but %s; %s, and nothing of it was executed", g.info.Provider, asked, wrong, g.cost(e.Usage))
	return &e
}

// cost says what a refused reply costs.
func (g *guard) cost(u Usage) string {
	switch {
	case u.Cost.Valid && u.Cost.Decimal.IsZero():
		return "it cost nothing"
	case u.Cost.Valid:
		return fmt.Sprintf("it cost %s USD", u.Cost.Decimal.Round(6))
	case u.Known && g.info.PriceSource != "":
		return fmt.Sprintf("it is booked with %s USD", g.info.Price.Cost(u).Round(6))
	default:
		return "what it cost was not told"
	}
}

// named is the name of a model for people.
func named(name string) string {
	if name == "" {
		return "a model without a name"
	}
	return quoted(name)
}

// quoted is a hostile word, bounded, that does nothing to a terminal.
func quoted(word string) string { return fmt.Sprintf("%.120q", word) }
