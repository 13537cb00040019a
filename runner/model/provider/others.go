package provider

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/price"
	"github.com/glovebox-run/glovebox/runner/model/record"
	"github.com/glovebox-run/glovebox/runner/model/scripted"
)

// patience with servers on people's own machines: a prompt may take minutes
// to be read there before the first token comes.
const patience = 15 * time.Minute

// openai asks OpenAI. The price is the embedded table's, for OpenAI's
// catalogue has none.
func (r request) openai(ctx context.Context) (model.Model, model.Info, error) {
	if err := r.notLatest(); err != nil {
		return nil, model.Info{}, err
	}
	key, err := r.key()
	if err != nil {
		return nil, model.Info{}, err
	}
	info := model.Info{Tools: r.tools(r.id), Effort: !ofFamily(r.id, withoutReasoning())}
	effort, err := r.openaiEffort()
	if err != nil {
		return nil, info, err
	}
	if info.Price, info.PriceSource, err = r.openaiPrice(); err != nil {
		return nil, info, err
	}
	_, entry, _ := price.Lookup("openai", r.id)
	info.Context = entry.Context
	c := r.client(ctx, openai.Config{
		BaseURL: orName(r.BaseURL, openaiURL), Key: key, Model: r.id,
		CompletionTokens: true, Effort: effort, Tier: "default", // a project's own default may be a dearer one
	})
	listed, err := models(ctx, c)
	if err != nil {
		return nil, info, err
	}
	if !slices.Contains(listed, r.id) {
		return nil, info, r.notListed("")
	}
	dated := snapshots(r.id, listed)
	info.Accept = append([]string{r.id}, dated...)
	if info.PriceSource == price.Source() {
		info.Price = dearestAmong(info.Price, dated)
	}
	return c, info, nil
}

// shaped gives a stated price what the table knows beside the two figures that
// a person states: writing to a cache and long prompts cost as many times the
// stated price as they cost the table's.
func shaped(stated, tabled model.Price) model.Price {
	if !tabled.Prompt.IsPositive() || !tabled.Completion.IsPositive() {
		return stated
	}
	in, out := stated.Prompt.Div(tabled.Prompt), stated.Completion.Div(tabled.Completion)
	times := func(d decimal.NullDecimal) decimal.NullDecimal {
		d.Decimal = d.Decimal.Mul(in)
		return d
	}
	stated.CacheWrite = times(tabled.CacheWrite)
	for _, s := range tabled.Steps {
		long := s.Price
		long.Prompt, long.Completion = long.Prompt.Mul(in), long.Completion.Mul(out)
		long.CacheRead, long.CacheWrite = decimal.NullDecimal{}, times(long.CacheWrite)
		stated.Steps = append(stated.Steps, model.Step{Above: s.Above, Price: long})
	}
	return stated
}

// dearestAmong is p, or more where the table knows one of the snapshots to be
// dearer: older ones have been dearer than their alias.
func dearestAmong(p model.Price, dated []string) model.Price {
	for _, name := range dated {
		if tabled, _, ok := price.Lookup("openai", name); ok {
			p = dearest(p, tabled)
		}
	}
	return p
}

// notLatest refuses names that stand for whatever model is the latest.
func (r request) notLatest() error {
	if strings.HasSuffix(r.id, "-latest") {
		return unknown("%s/%s is not one model but the latest of a family; name the model itself", r.provider, r.id)
	}
	return nil
}

const openaiURL = "https://api.openai.com/v1"

var dated = regexp.MustCompile(`^-\d{4}-\d{2}-\d{2}$`)

// snapshots are the dated names of a model in the catalogue: OpenAI answers
// with them where the model was asked for without a date.
func snapshots(id string, listed []string) []string {
	var out []string
	for _, name := range listed {
		if date, ok := strings.CutPrefix(name, id); ok && dated.MatchString(date) {
			out = append(out, name)
		}
	}
	return out
}

// ollama asks a server of one's own, which costs nothing.
func (r request) ollama(ctx context.Context) (model.Model, model.Info, error) {
	base := orName(r.BaseURL, ollamaURL(r.env("OLLAMA_HOST")))
	c := r.client(ctx, openai.Config{
		BaseURL: base, Model: r.id, Effort: r.Effort,
		FirstByte: patience, Idle: patience,
	})
	listed, err := models(ctx, c)
	if err != nil {
		return nil, model.Info{}, err
	}
	names := []string{r.id}
	if !strings.Contains(r.id, ":") {
		names = append(names, r.id+":latest") // the tag it means
	}
	if !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(listed, n) }) {
		return nil, model.Info{}, r.notListed("; ollama pull " + r.id + " fetches it")
	}
	info := model.Info{Accept: names}
	if info.Price, info.PriceSource, err = r.ollamaPrice(base); err != nil {
		return nil, info, err
	}
	return c, info, nil
}

// inCloud says that a model does not run on the server that is asked: a tag
// that ends in "cloud" has the server pass requests on to ollama.com, which
// bills them.
func (r request) inCloud(base string) bool {
	u, err := url.Parse(base)
	return strings.HasSuffix(r.id, "cloud") || err != nil || u.Hostname() == "ollama.com" || strings.HasSuffix(u.Hostname(), ".ollama.com")
}

// ollamaURL reads OLLAMA_HOST as Ollama does: a host, a host and port, or an
// address. A server that listens everywhere is reached on this machine.
func ollamaURL(host string) string {
	host = strings.TrimRight(strings.TrimSpace(host), "/")
	if host == "" {
		host = "127.0.0.1:11434"
	}
	scheme := "http://"
	if i := strings.Index(host, "://"); i >= 0 {
		scheme, host = host[:i+3], host[i+3:]
		if !strings.Contains(host, ":") {
			return scheme + host + "/v1"
		}
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), "11434"
	}
	if name == "" || name == "0.0.0.0" || name == "::" {
		name = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(name, port) + "/v1"
}

// custom asks any server; what it costs only its user knows.
func (r request) custom(ctx context.Context) (model.Model, model.Info, error) {
	p, source, err := r.customPrice()
	if err != nil {
		return nil, model.Info{}, err
	}
	effort, err := r.openaiEffort()
	if err != nil {
		return nil, model.Info{}, err
	}
	c := r.client(ctx, openai.Config{
		BaseURL: r.BaseURL, Key: r.env(Key(r.provider)), Model: r.id, Effort: effort,
		FirstByte: patience, Idle: patience,
	})
	return c, model.Info{Accept: []string{r.id}, Price: p, PriceSource: source}, nil
}

// scripted serves a script, or a recording, in this process until ctx ends.
func (r request) scripted(ctx context.Context) (model.Model, model.Info, error) {
	if _, err := r.effortAmong(false, nil, ""); err != nil {
		return nil, model.Info{}, err
	}
	if path.Ext(r.id) == ".jsonl" {
		return r.replay(ctx)
	}
	s, err := scripted.Load(r.id)
	if err != nil {
		return nil, model.Info{}, &model.Error{Fault: model.FaultUnknownName, Message: err.Error(), Err: err}
	}
	base, stop, err := s.Serve()
	if err != nil {
		return nil, model.Info{}, err
	}
	context.AfterFunc(ctx, stop)
	c := r.client(ctx, openai.Config{BaseURL: base, Model: s.Name})
	return c, model.Info{Accept: []string{s.Name}, Tools: model.Supported, PriceSource: boughtNothing}, nil
}

// replay serves a recording. What is checked of its answers, and what they
// would cost, is as it was when they were recorded; nothing is bought.
func (r request) replay(ctx context.Context) (model.Model, model.Info, error) {
	recording, err := record.Load(r.id)
	if err != nil {
		return nil, model.Info{}, &model.Error{Fault: model.FaultUnknownName, Message: err.Error(), Err: err}
	}
	if recording.Info.Provider == "anthropic" {
		return nil, model.Info{}, unknown("scripted/%s: recordings of anthropic/ can't be replayed", r.id)
	}
	base, stop, err := recording.Serve()
	if err != nil {
		return nil, model.Info{}, err
	}
	context.AfterFunc(ctx, stop)
	info := recording.Info
	info.PriceSource = replayed
	return r.client(ctx, openai.Config{BaseURL: base, Model: info.ID}), info, nil
}

// models lists the ids of a catalogue in OpenAI's form.
func models(ctx context.Context, c lister) ([]string, error) {
	list, err := entries[struct {
		ID string `json:"id"`
	}](ctx, c, "/models", "the list of models")
	var ids []string
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids, err
}

func (r request) notListed(hint string) error {
	return &model.Error{Fault: model.FaultNotFound, Message: fmt.Sprintf("%s has no model %s%s", r.provider, r.id, hint)}
}
