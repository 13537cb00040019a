package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/price"
	"github.com/glovebox-run/glovebox/runner/model/scripted"
)

// patience with servers on people's own machines: a prompt may take minutes
// to be read there before the first token comes.
const patience = 15 * time.Minute

// openai asks OpenAI. The price is the embedded table's, for OpenAI's
// catalogue has none.
func (r request) openai(ctx context.Context) (model.Model, model.Info, error) {
	key, err := r.key("OPENAI_API_KEY")
	if err != nil {
		return nil, model.Info{}, err
	}
	info := model.Info{}
	if info.Price, info.PriceSource, err = r.stated(); err != nil {
		return nil, info, err
	}
	tabled, entry, ok := price.Lookup("openai", r.id)
	if ok && info.PriceSource == "" {
		info.Price, info.PriceSource = tabled, price.Source()
	}
	if info.PriceSource == "" {
		return nil, info, r.noPrice()
	}
	info.Context = entry.Context
	c := r.client(ctx, openai.Config{
		BaseURL: orName(r.BaseURL, "https://api.openai.com/v1"), Key: key, Model: r.id,
		CompletionTokens: true, Effort: effort(r.id),
	})
	listed, err := models(ctx, c)
	if err != nil {
		return nil, info, err
	}
	if !slices.Contains(listed, r.id) {
		return nil, info, r.notListed("")
	}
	info.Accept = append([]string{r.id}, snapshots(r.id, listed)...)
	return c, info, nil
}

// effort is what api.openai.com demands for tools on chat-completions: these
// models take them only without reasoning (docs/models.md).
func effort(id string) string {
	for _, family := range []string{"gpt-5.6", "gpt-6-sol", "gpt-6-luna"} {
		if id == family || strings.HasPrefix(id, family+"-") {
			return "none"
		}
	}
	return ""
}

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
	c := r.client(ctx, openai.Config{
		BaseURL: orName(r.BaseURL, ollamaURL(r.env("OLLAMA_HOST"))), Model: r.id,
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
	return c, model.Info{Accept: names, PriceSource: "a server of your own, no price"}, nil
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
	if r.BaseURL == "" {
		return nil, model.Info{}, unknown("custom/%s needs --base-url, for example http://127.0.0.1:8080/v1", r.id)
	}
	p, source, err := r.stated()
	if err != nil {
		return nil, model.Info{}, err
	}
	if source == "" {
		return nil, model.Info{}, r.noPrice()
	}
	c := r.client(ctx, openai.Config{
		BaseURL: r.BaseURL, Key: r.env("GLOVEBOX_API_KEY"), Model: r.id, Effort: effort(r.id),
		FirstByte: patience, Idle: patience,
	})
	return c, model.Info{Accept: []string{r.id}, Price: p, PriceSource: source}, nil
}

// scripted serves a script in this process until ctx ends.
func (r request) scripted(ctx context.Context) (model.Model, model.Info, error) {
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
	return c, model.Info{Accept: []string{s.Name}, PriceSource: "scripted model, no tokens are bought"}, nil
}

// models lists the ids of a catalogue in OpenAI's form.
func models(ctx context.Context, c *openai.Client) ([]string, error) {
	data, err := c.Get(ctx, "/models", maxCatalogue)
	if err != nil {
		return nil, fmt.Errorf("ask for the list of models: %w", err)
	}
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, &model.Error{Fault: model.FaultServer, Status: 200, Message: "the list of models can't be read", Err: err}
	}
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
	}
	return ids, nil
}

func (r request) notListed(hint string) error {
	return &model.Error{Fault: model.FaultNotFound, Message: fmt.Sprintf("%s has no model %s%s", r.provider, r.id, hint)}
}
