package provider

import (
	"path"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/price"
	"github.com/glovebox-run/glovebox/runner/model/record"
	"github.com/glovebox-run/glovebox/runner/model/scripted"
)

// Quote says what is known of a model without asking anybody: nothing leaves
// this machine. It finds the faults that [Resolve] would find before its first
// question, and no others. Info has the provider, the id and the price;
// PriceSource is "" where only a catalogue knows the price.
func Quote(name string, env func(string) string, o Options) (model.Info, error) {
	name = strings.TrimSpace(name)
	about, id, _ := strings.Cut(name, "/")
	r := request{Options: o, provider: about, id: id, env: env}
	if name == Auto {
		return r.quoteAuto()
	}
	if err := r.check(); err != nil {
		return model.Info{}, err
	}
	info, err := r.quote()
	info.Provider, info.ID = r.provider, r.id
	if err == nil && info.PriceSource != "" {
		err = r.affordable(info)
	}
	return info, err
}

// quoteAuto needs the key; which model it is, only the catalogue knows, but it costs nothing.
func (r request) quoteAuto() (model.Info, error) {
	r.provider = "openrouter"
	info := model.Info{Provider: Auto, PriceSource: "auto takes free models only"}
	if _, err := r.key(); err != nil {
		return info, noKeyForAuto()
	}
	return info, r.checkURL()
}

// quote is what resolve knows before it asks.
func (r request) quote() (info model.Info, err error) {
	switch r.provider {
	case "openrouter":
		if _, err = openrouterVariant(r.id); err == nil {
			_, err = r.key()
		}
	case "anthropic", "openai":
		if err = r.notLatest(); err != nil {
			return info, err
		}
		if _, err = r.key(); err != nil {
			return info, err
		}
		if r.provider == "anthropic" {
			info.Price, info.PriceSource, err = r.anthropicPrice()
		} else {
			info.Price, info.PriceSource, err = r.openaiPrice()
		}
	case "ollama":
		info.Price, info.PriceSource, err = r.ollamaPrice(orName(r.BaseURL, ollamaURL(r.env("OLLAMA_HOST"))))
	case "custom":
		info.Price, info.PriceSource, err = r.customPrice()
	default:
		return r.quoteScript()
	}
	return info, err
}

// quoteScript reads the script, or the recording, without serving it.
func (r request) quoteScript() (model.Info, error) {
	var err error
	info := model.Info{PriceSource: boughtNothing}
	if path.Ext(r.id) == ".jsonl" {
		var recording *record.Replay
		if recording, err = record.Load(r.id); err == nil {
			info = recording.Info
			info.PriceSource = replayed
		}
	} else {
		_, err = scripted.Load(r.id)
	}
	if err != nil {
		return info, &model.Error{Fault: model.FaultUnknownName, Message: err.Error(), Err: err}
	}
	return info, nil
}

// What the prices of scripts and recordings come from.
const (
	boughtNothing = "scripted model, no tokens are bought"
	replayed      = "a recording, no tokens are bought"
)

// openaiPrice is what the user or the table says; long prompts and caches of a
// stated price cost as the table's do.
func (r request) openaiPrice() (model.Price, string, error) {
	p, source, err := r.stated()
	if err != nil {
		return p, "", err
	}
	tabled, _, ok := price.Lookup("openai", r.id)
	switch {
	case ok && source == "":
		return tabled, price.Source(), nil
	case ok:
		return shaped(p, tabled), source, nil
	case source == "":
		return p, "", r.noPrice()
	}
	return p, source, nil
}

// ollamaPrice is nothing on a server of one's own.
func (r request) ollamaPrice(base string) (model.Price, string, error) {
	p, source, err := r.stated()
	switch {
	case err != nil || source != "":
		return p, source, err
	case r.inCloud(base):
		return p, "", &model.Error{Fault: model.FaultNoPrice, Message: "ollama/" + r.id + " runs in Ollama's cloud, and what it costs there is not known"}
	}
	return p, "a server of your own, no price", nil
}

// customPrice is what the user says of a server that must be named.
func (r request) customPrice() (model.Price, string, error) {
	if r.BaseURL == "" {
		return model.Price{}, "", unknown("custom/%s needs --base-url, for example http://127.0.0.1:8080/v1", r.id)
	}
	p, source, err := r.stated()
	if err == nil && source == "" {
		err = r.noPrice()
	}
	return p, source, err
}
