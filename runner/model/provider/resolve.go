// Package provider turns the name of a model into a client for it, and into
// what its catalogue says: who may answer for it and what a token costs.
// Everything that can be refused is refused here, before the first request
// that costs money.
package provider

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/price"
)

// Options go beyond a model's name.
type Options struct {
	// BaseURL replaces the provider's own; custom/ needs it.
	BaseURL string
	// Price is what the user says a token costs, as IN/OUT in USD per million;
	// "" asks the catalogue or the table.
	Price string
	// Budget, if not nil, is the cap in USD: with 0 a model that costs
	// anything is refused at once.
	Budget *decimal.Decimal
	// Version of glovebox, told to the provider as user agent.
	Version string
}

// Names are the providers that work, as they begin a model's name.
func Names() []string { return []string{"openrouter", "openai", "ollama", "custom", "scripted"} }

// Keys are the environment variables that hold the providers' keys, so that
// their values can be kept out of logs and boxes.
func Keys() []string {
	return []string{"OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GLOVEBOX_API_KEY"}
}

// request is one name to be resolved.
type request struct {
	Options
	provider, id string
	env          func(string) string
}

// Resolve finds the model that name asks for, provider/model or
// provider/vendor/model[:variant], with keys from env. It may ask the
// provider's catalogue. Faults are *model.Error: an unknown name, a missing
// key, no such model, no known price, a paid model under a zero budget, and
// what talking to the catalogue can give. What belongs to the model in this
// process (connections, a script's server) ends with ctx.
func Resolve(ctx context.Context, name string, env func(string) string, o Options) (model.Model, model.Info, error) {
	provider, id, _ := strings.Cut(strings.TrimSpace(name), "/")
	r := request{Options: o, provider: provider, id: id, env: env}
	if err := r.check(); err != nil {
		return nil, model.Info{}, err
	}
	m, info, err := r.resolve(ctx)
	if err != nil {
		return nil, model.Info{}, err
	}
	info.Provider, info.ID = provider, id
	if err := r.affordable(info); err != nil {
		return nil, model.Info{}, err
	}
	return m, info, nil
}

func (r request) resolve(ctx context.Context) (model.Model, model.Info, error) {
	switch r.provider {
	case "openrouter":
		return r.openrouter(ctx)
	case "openai":
		return r.openai(ctx)
	case "ollama":
		return r.ollama(ctx)
	case "custom":
		return r.custom(ctx)
	default:
		return r.scripted(ctx)
	}
}

// check refuses names that are none, before anything is asked.
func (r request) check() error {
	known := strings.Join(Names(), ", ")
	switch {
	case r.provider == "anthropic":
		return unknown("anthropic/ is not supported yet; Claude can be reached as openrouter/anthropic/%s, and there are %s", orName(r.id, "NAME"), known)
	case !slices.Contains(Names(), r.provider):
		return unknown("%.80q is no model: names begin with %s, for example openrouter/vendor/model", r.provider+"/"+r.id, known)
	case r.id == "" || strings.ContainsFunc(r.id, notInID) || len(r.id) > 300:
		return unknown("%.80q is no model: after %s/ comes the model's id", r.provider+"/"+r.id, r.provider)
	}
	return r.checkURL()
}

// checkURL keeps keys out of addresses, and away from lines that anybody can read.
func (r request) checkURL() error {
	if r.BaseURL == "" {
		return nil
	}
	u, err := url.Parse(r.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return unknown("the base URL is no address like https://host/v1")
	}
	if u.User != nil {
		return unknown("the base URL has a user or password in it; keys belong in the environment")
	}
	own := r.provider == "openrouter" || r.provider == "openai"
	if own && u.Scheme == "http" && !loopback(u.Hostname()) {
		return unknown("the key for %s would travel unencrypted to %s; use https", r.provider, u.Host)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// notInID is a character that no id has and that could do harm in a message.
func notInID(c rune) bool { return c <= ' ' || c == 0x7f || c > 0x7e }

// affordable refuses what a budget of zero does not allow.
func (r request) affordable(info model.Info) error {
	if r.Budget != nil && !r.Budget.IsPositive() && !info.Price.Free() {
		return &model.Error{Fault: model.FaultPaid, Message: fmt.Sprintf(
			"%s/%s costs %s, and the budget is 0", r.provider, r.id, describe(info.Price))}
	}
	return nil
}

// client is a client for the resolved model that ends with ctx.
func (r request) client(ctx context.Context, c openai.Config) *openai.Client {
	if c.Header == nil {
		c.Header = map[string][]string{}
	}
	c.Header.Set("User-Agent", "glovebox/"+orName(r.Version, "dev"))
	client := openai.New(c)
	context.AfterFunc(ctx, client.Close)
	return client
}

// key reads a key that must be there.
func (r request) key(variable string) (string, error) {
	if key := strings.TrimSpace(r.env(variable)); key != "" {
		return key, nil
	}
	return "", &model.Error{Fault: model.FaultMissingKey, Message: fmt.Sprintf("%s/ needs a key in the environment variable %s, which is not set", r.provider, variable)}
}

// stated is the price that the user gave, if any.
func (r request) stated() (p model.Price, source string, err error) {
	if r.Price == "" {
		return p, "", nil
	}
	if p, err = price.Parse(r.Price); err != nil {
		return p, "", &model.Error{Fault: model.FaultNoPrice, Message: err.Error()}
	}
	return p, "--price " + r.Price, nil
}

// noPrice is the refusal of a model whose price is not known.
func (r request) noPrice() error {
	message := fmt.Sprintf("what %s/%s costs is not known; say it with --price IN/OUT in USD per million tokens", r.provider, r.id)
	if s := price.Suggest(r.id); s != "" {
		message += fmt.Sprintf(" (a model of that name: --price %s, %s)", s, price.Source())
	}
	return &model.Error{Fault: model.FaultNoPrice, Message: message}
}

// describe is a price for people.
func describe(p model.Price) string {
	return fmt.Sprintf("%s/%s USD per million tokens", p.Prompt.Shift(6), p.Completion.Shift(6))
}

func unknown(format string, args ...any) error {
	return &model.Error{Fault: model.FaultUnknownName, Message: fmt.Sprintf(format, args...)}
}

func orName(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
