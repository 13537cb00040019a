// Package provider turns the name of a model into a client for it, and into
// what its catalogue says: who may answer for it and what a token costs.
// Everything that can be refused is refused here, before the first request
// that costs money.
package provider

import (
	"context"
	"fmt"
	"net"
	"net/http"
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
	// anything is refused at once. BlockPaid does the same under any budget.
	Budget    *decimal.Decimal
	BlockPaid bool
	// Fences must each allow the model.
	Fences []Fence
	// Upstreams are the only ones that OpenRouter may ask, by their slugs, the
	// first first; none is any.
	Upstreams []string
	// Effort of reasoning, one of [Efforts]; "" leaves it to us.
	Effort string
	// Wrap, if not nil, is put around the transport of every client: a recorder.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Version of glovebox, told to the provider as user agent.
	Version string
}

// Names are the providers that work, as they begin a model's name.
func Names() []string {
	return []string{"openrouter", "anthropic", "openai", "ollama", "custom", "scripted"}
}

// Auto is the name that stands for a free model of OpenRouter, see [Resolve].
const Auto = "auto"

// Key is the environment variable that holds a provider's key, "" where none
// is wanted.
func Key(provider string) string {
	switch provider {
	case "openrouter", "anthropic", "openai":
		return strings.ToUpper(provider) + "_API_KEY"
	case "custom":
		return "GLOVEBOX_API_KEY"
	default:
		return ""
	}
}

// Keys are the variables of all providers' keys.
func Keys() []string {
	var variables []string
	for _, name := range Names() {
		if variable := Key(name); variable != "" {
			variables = append(variables, variable)
		}
	}
	return variables
}

// request is one name to be resolved.
type request struct {
	Options
	provider, id string
	env          func(string) string
}

// Resolve finds the model that name asks for, provider/model or
// provider/vendor/model[:variant], with keys from env. It may ask the
// provider's catalogue. [Auto] is the free model of OpenRouter with the largest
// window that calls tools and that the fences allow, by its catalogue of the
// moment; the first by name of several. Info says which one it is.
//
// Faults are *model.Error: an unknown name, a missing key, a model that is
// fenced off, no such model, no known price, a paid model where none may be
// paid for, an option that it does not take, and what talking to the catalogue
// can give. What belongs to the model in this process (connections, a script's
// server) ends with ctx.
func Resolve(ctx context.Context, name string, env func(string) string, o Options) (model.Model, model.Info, error) {
	name = strings.TrimSpace(name)
	provider, id, _ := strings.Cut(name, "/")
	r := request{Options: o, provider: provider, id: id, env: env}
	if err := r.choose(ctx); err != nil {
		return nil, model.Info{}, err
	}
	if err := r.check(); err != nil {
		return nil, model.Info{}, err
	}
	m, info, err := r.resolve(ctx)
	if err != nil {
		return nil, model.Info{}, err
	}
	info.Provider, info.ID = r.provider, r.id
	if err := r.affordable(info); err != nil {
		return nil, model.Info{}, err
	}
	if name == Auto && !info.Price.Free() { // by now, or at these upstreams
		return nil, model.Info{}, &model.Error{Fault: model.FaultPaid, Message: fmt.Sprintf(
			"auto chose %s/%s, which costs %s, and it takes free models only; name the model to pay for it", r.provider, r.id, describe(info.Price))}
	}
	return m, info, nil
}

func (r request) resolve(ctx context.Context) (model.Model, model.Info, error) {
	switch r.provider {
	case "openrouter":
		return r.openrouter(ctx)
	case "anthropic":
		return r.anthropic(ctx)
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
	case !slices.Contains(Names(), r.provider):
		return unknown("%.80q is no model: names begin with %s, for example openrouter/vendor/model", r.provider+"/"+r.id, known)
	case checkID(r.id) != nil:
		return unknown("%.80q is no model: after %s/ comes the model's id", r.provider+"/"+r.id, r.provider)
	}
	if len(r.Upstreams) > 0 && r.provider != "openrouter" {
		return r.option("--provider is for openrouter/ models; %s/ has no upstreams to choose from", r.provider)
	}
	if r.Price != "" && r.provider == "openrouter" {
		return r.option("--price is for models whose price no catalogue has; OpenRouter's has it")
	}
	if r.Effort != "" && !slices.Contains(Efforts(), r.Effort) {
		return r.option("--effort %.40q is none of %s", r.Effort, strings.Join(Efforts(), ", "))
	}
	if err := allowed(r.provider+"/"+r.id, r.Fences); err != nil {
		return err
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
	if own := slices.Contains([]string{"openrouter", "anthropic", "openai"}, r.provider); own && u.Scheme == "http" && !loopback(u.Hostname()) {
		return unknown("the key for %s would travel unencrypted to %s; use https", r.provider, u.Host)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkID refuses what is no id of a model, whoever says it.
func checkID(id string) error {
	if id == "" || len(id) > 300 || strings.ContainsFunc(id, notInID) {
		return unknown("%.80q is no id of a model", id)
	}
	return nil
}

// notInID is a character that no id has and that could do harm in a message.
func notInID(c rune) bool { return c <= ' ' || c == 0x7f || c > 0x7e }

// client is a client for the resolved model that ends with ctx.
func (r request) client(ctx context.Context, c openai.Config) *openai.Client {
	if c.Header == nil {
		c.Header = map[string][]string{}
	}
	c.Wrap = r.Wrap
	c.Header.Set("User-Agent", r.userAgent())
	client := openai.New(c)
	context.AfterFunc(ctx, client.Close)
	return client
}

func (r request) userAgent() string { return "glovebox/" + orName(r.Version, "dev") }

// key reads the provider's key, which must be there.
func (r request) key() (string, error) {
	variable := Key(r.provider)
	if key := strings.TrimSpace(r.env(variable)); key != "" {
		return key, nil
	}
	return "", &model.Error{Fault: model.FaultMissingKey, Message: fmt.Sprintf("%s/ needs a key in the environment variable %s, or in the file that %s_FILE names; neither is set", r.provider, variable, variable)}
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
