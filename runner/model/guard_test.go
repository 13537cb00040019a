package model

import (
	"context"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

// A reply of another model must not reach the loop in any form: I8.
func TestGuard(t *testing.T) {
	info := Info{Provider: "openrouter", ID: "a/b:free", Variant: "free", Accept: []string{"a/b:free", "a/b-20260907:free"}}
	for _, c := range []struct {
		served string
		ok     bool
	}{
		{"a/b:free", true},
		{"a/b-20260907:free", true},
		{"a/b", false}, // the paid one
		{"a/b-20260907", false},
		{"A/B:free", false},
		{" a/b:free", false},
		{"x-ai/grok-4", false},
		{"", false},
	} {
		reply := Reply{Model: c.served, Content: "secret plan", Calls: []Call{{Name: "bash"}}, Usage: Usage{Known: true, Prompt: 7}}
		got, err := Guard(&answers{t: t, list: []answer{{reply: reply}}}, info).Reply(context.Background(), Request{})
		if c.ok {
			if err != nil || len(got.Calls) != 1 {
				t.Errorf("%q was refused: %v", c.served, err)
			}
			continue
		}
		if faultOf(err) != FaultWrongModel || len(got.Calls) != 0 || got.Content != "" {
			t.Errorf("%q: %v, %+v", c.served, err, got)
			continue
		}
		if e := err.(*Error); e.Usage.Prompt != 7 {
			t.Errorf("%q: the refused reply's usage is lost", c.served)
		}
		if !strings.Contains(err.Error(), "a/b:free") || c.served != "" && !strings.Contains(err.Error(), c.served) {
			t.Errorf("the message names not both: %v", err)
		}
	}
}

// A guard that has nothing to compare with says no.
func TestGuardFailsClosed(t *testing.T) {
	_, err := Guard(&answers{t: t, list: []answer{{reply: Reply{}}}}, Info{}).Reply(context.Background(), Request{})
	if faultOf(err) != FaultWrongModel {
		t.Errorf("got %v", err)
	}
}

// A name is a server's text: it may be long and may want to move the cursor.
func TestGuardQuotesNames(t *testing.T) {
	reply := Reply{Model: "\x1b[2J" + strings.Repeat("x", 5000)}
	_, err := Guard(&answers{t: t, list: []answer{{reply: reply}}}, Info{ID: "m"}).Reply(context.Background(), Request{})
	if s := err.Error(); len(s) > 300 || strings.Contains(s, "\x1b") {
		t.Errorf("%d bytes: %.300q", len(s), s)
	}
}

// routed is an account of a reply as it should be, changed by change.
func routed(change func(*Reply)) Reply {
	r := Reply{Model: "a/b:free", Provider: "P", Calls: []Call{{Name: "bash"}}, Routing: Routing{Known: true, Strategy: "direct",
		Requested: "a/b:free", Models: []string{"a/b-20260907:free"}, Providers: []string{"P"}}}
	change(&r)
	return r
}

// What the provider says of its routing must say the same as the name: every
// attempt and the endpoint that answered, with the variant on one side at least.
func TestGuardRouting(t *testing.T) {
	info := Info{Provider: "openrouter", ID: "a/b:free", Variant: "free", Accept: []string{"a/b:free", "a/b-20260907:free"}}
	for name, c := range map[string]struct {
		change func(*Reply)
		ok     bool
	}{
		"as it should be":       {func(*Reply) {}, true},
		"an alias":              {func(r *Reply) { r.Routing.Strategy = "alias" }, true},
		"variant in the name":   {func(r *Reply) { r.Routing.Models = []string{"a/b-20260907"} }, true},
		"variant in metadata":   {func(r *Reply) { r.Model = "a/b" }, true},
		"no variant anywhere":   {func(r *Reply) { r.Model, r.Routing.Models = "a/b", []string{"a/b"} }, false},
		"one attempt without":   {func(r *Reply) { r.Model, r.Routing.Models = "a/b", []string{"a/b:free", "a/b-20260907"} }, false},
		"another attempt":       {func(r *Reply) { r.Routing.Models = []string{"x/y", "a/b:free"} }, false},
		"another endpoint":      {func(r *Reply) { r.Routing.Models = []string{"a/b:free", "a/b-fast"} }, false},
		"an endpoint unnamed":   {func(r *Reply) { r.Routing.Models = []string{""} }, false},
		"no endpoint":           {func(r *Reply) { r.Routing.Models = nil }, false},
		"a fallback":            {func(r *Reply) { r.Routing.Strategy = "fallback" }, false},
		"a router":              {func(r *Reply) { r.Routing.Strategy = "auto" }, false},
		"no strategy":           {func(r *Reply) { r.Routing.Strategy = "" }, false},
		"another was requested": {func(r *Reply) { r.Routing.Requested = "a/b" }, false},
		"another name":          {func(r *Reply) { r.Model = "x/y" }, false},
		"no name":               {func(r *Reply) { r.Model = "" }, false},
	} {
		got, err := Guard(&answers{t: t, list: []answer{{reply: routed(c.change)}}}, info).Reply(context.Background(), Request{})
		if c.ok != (err == nil) || c.ok != (len(got.Calls) == 1) || !c.ok && faultOf(err) != FaultWrongModel {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With --provider the upstream has to be told, and to be one of those named.
func TestGuardUpstream(t *testing.T) {
	info := Info{ID: "a/b:free", Variant: "free", Accept: []string{"a/b:free", "a/b-20260907:free"}, Upstreams: []string{"P", "Q"}}
	for name, c := range map[string]struct {
		change func(*Reply)
		ok     bool
	}{
		"one of them":          {func(*Reply) {}, true},
		"another":              {func(r *Reply) { r.Routing.Providers = []string{"P", "Z"} }, false},
		"nobody":               {func(r *Reply) { r.Routing.Providers = nil }, false},
		"without account":      {func(r *Reply) { r.Routing, r.Provider = Routing{}, "Q" }, true},
		"another without":      {func(r *Reply) { r.Routing, r.Provider = Routing{}, "Z" }, false},
		"nobody without":       {func(r *Reply) { r.Routing, r.Provider = Routing{}, "" }, false},
		"only the name is one": {func(r *Reply) { r.Routing.Providers = []string{"Z"} }, false},
	} {
		_, err := Guard(&answers{t: t, list: []answer{{reply: routed(c.change)}}}, info).Reply(context.Background(), Request{})
		if c.ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A stream that names another model and then breaks off is not asked for
// again: each time would pay that model.
func TestGuardOfBrokenReplies(t *testing.T) {
	info := Info{ID: "a/b", Accept: []string{"a/b"}}
	for served, want := range map[string]Fault{"": FaultServer, "a/b": FaultServer, "x/y": FaultWrongModel} {
		cut := &Error{Fault: FaultServer, Status: 200, Message: "cut", Model: served, ID: "gen-1", RetryAfter: 1, Once: true}
		_, err := Guard(&answers{t: t, list: []answer{{err: cut}}}, info).Reply(context.Background(), Request{})
		if faultOf(err) != want || err.(*Error).ID != "gen-1" {
			t.Errorf("%q: %v", served, err)
		}
	}
}

// An answer that failed is judged by what it had told: what is missing may
// still have come, what is there must fit.
func TestGuardOfFailures(t *testing.T) {
	info := Info{ID: "a/b:free", Variant: "free", Accept: []string{"a/b:free", "a/b-20260907:free"}, Upstreams: []string{"P"}}
	for name, c := range map[string]struct {
		failed Error
		wrong  bool
	}{
		"nothing told":         {Error{}, false},
		"its name":             {Error{Model: "a/b:free"}, false},
		"half of its name":     {Error{Model: "a/b"}, false}, // the account comes last
		"another's name":       {Error{Model: "x/y"}, true},
		"an account":           {Error{Routing: Routing{Known: true, Models: []string{"a/b-20260907:free"}}}, false},
		"an empty account":     {Error{Routing: Routing{Known: true}}, false},
		"a fallback":           {Error{Routing: Routing{Known: true, Strategy: "fallback"}}, true},
		"unreadable":           {Error{Routing: Routing{Known: true, Strategy: "unreadable"}}, true},
		"another attempt":      {Error{Model: "a/b:free", Routing: Routing{Known: true, Strategy: "direct", Models: []string{"x/y"}}}, true},
		"another request":      {Error{Routing: Routing{Known: true, Requested: "x/y"}}, true},
		"its upstream":         {Error{Provider: "P"}, false},
		"another upstream":     {Error{Provider: "Z"}, true},
		"attempts at another":  {Error{Provider: "P", Routing: Routing{Known: true, Providers: []string{"P", "Z"}}}, true},
		"ended by a person":    {Error{Fault: FaultCancelled, Model: "x/y"}, false},
		"without any its name": {Error{Model: "", Routing: Routing{Known: true, Models: []string{""}}}, true},
	} {
		if c.failed.Fault == "" {
			c.failed.Fault = FaultServer
		}
		_, err := Guard(&answers{t: t, list: []answer{{err: &c.failed}}}, info).Reply(context.Background(), Request{})
		if wrong := faultOf(err) == FaultWrongModel; wrong != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The predecessor's end: asked for a free model, served the paid one of the
// same name. The message says all that its user would have needed.
func TestGuardOfTheFreeModel(t *testing.T) {
	info := Info{Provider: "openrouter", ID: "qwen/coder:free", Variant: "free", Accept: []string{"qwen/coder:free"}, PriceSource: "catalogue"}
	reply := Reply{Model: "qwen/coder", Provider: "DeepInfra", Usage: Usage{Known: true, Prompt: 9000, Completion: 700, Cost: decimal.NewNullDecimal(usd("0.0031"))}}
	_, err := Guard(&answers{t: t, list: []answer{{reply: reply}}}, info).Reply(context.Background(), Request{})
	want := `asked openrouter for qwen/coder:free (free), but "qwen/coder" answered; it cost 0.0031 USD, and nothing of it was executed`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
