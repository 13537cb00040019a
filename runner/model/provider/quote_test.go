package provider

import (
	"errors"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model"
)

// A quote finds what can be found without asking, and asks nobody: nothing
// listens where the base URLs point, and Resolve fails there.
func TestQuoteAsksNobody(t *testing.T) {
	keys := map[string]string{"OPENROUTER_API_KEY": "k", "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
	const nobody = "http://127.0.0.1:1/v1"
	for _, x := range []struct {
		name, price string
		priced      bool
		fault       model.Fault
	}{
		{name: "openrouter/a/b:free"},
		{name: "auto", priced: true},
		{name: "openai/gpt-5-mini", priced: true},
		{name: "openai/own", fault: model.FaultNoPrice},
		{name: "openai/own", price: "1/2", priced: true},
		{name: "anthropic/nobody", fault: model.FaultNoPrice},
		{name: "openai/gpt-latest", fault: model.FaultUnknownName},
		{name: "openrouter/a", fault: model.FaultUnknownName},
		{name: "ollama/qwen3", priced: true},
		{name: "ollama/big:cloud", fault: model.FaultNoPrice},
		{name: "custom/x", fault: model.FaultNoPrice},
		{name: "custom/x", price: "0/0", priced: true},
		{name: "scripted/todo", priced: true},
		{name: "scripted/nothing", fault: model.FaultUnknownName},
		{name: "else/x", fault: model.FaultUnknownName},
	} {
		info, err := Quote(x.name, func(n string) string { return keys[n] }, Options{BaseURL: nobody, Price: x.price})
		var fault *model.Error
		errors.As(err, &fault)
		switch {
		case x.fault == "" && err != nil, x.fault != "" && (fault == nil || fault.Fault != x.fault):
			t.Errorf("%s: got %v, want %q", x.name, err, x.fault)
		case err == nil && (info.PriceSource != "") != x.priced:
			t.Errorf("%s: price from %q", x.name, info.PriceSource)
		}
		if x.name == "scripted/todo" || x.name == "custom/x" { // these ask nobody either way
			continue
		}
		if _, _, err := Resolve(t.Context(), x.name, func(n string) string { return keys[n] }, Options{BaseURL: nobody, Price: x.price}); err == nil {
			t.Errorf("%s: Resolve asked nobody", x.name)
		}
	}
	for _, name := range []string{"openrouter/a/b", "openai/gpt-5-mini", "anthropic/x", "auto"} {
		var fault *model.Error
		if _, err := Quote(name, func(string) string { return "" }, Options{}); !errors.As(err, &fault) || fault.Fault != model.FaultMissingKey {
			t.Errorf("%s without a key: %v", name, err)
		}
	}
}
