// Package price knows what a token costs where no catalogue says it: an
// embedded table, exact decimals, dated. Prices go stale in weeks; the date is
// part of every answer, and a model that is not in the table has no price,
// which is not the same as a price of zero.
package price

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
)

//go:embed prices.json
var raw []byte

// Table is the embedded table.
type Table struct {
	Source    string `json:"source"`
	Date      string `json:"date"` // of the data, YYYY-MM-DD
	Copyright string `json:"copyright"`
	Licence   string `json:"licence"`
	Unit      string `json:"unit"`
	// Providers are tables by provider, then by model.
	Providers map[string]map[string]Entry `json:"providers"`
}

// Entry is a model's price, in USD per million tokens, as decimal text.
type Entry struct {
	In         string `json:"in"`
	Out        string `json:"out"`
	CacheRead  string `json:"cache_read,omitempty"`
	CacheWrite string `json:"cache_write,omitempty"`
	Context    int    `json:"context,omitempty"` // tokens; 0 is unknown
	// Also are other names of the same model: dated snapshots.
	Also []string `json:"also,omitempty"`
	// Long are the prices for prompts longer than Above tokens.
	Long []Long `json:"long,omitempty"`
}

// Long is the price of a long prompt.
type Long struct {
	Above      int    `json:"above"`
	In         string `json:"in"`
	Out        string `json:"out"`
	CacheRead  string `json:"cache_read,omitempty"`
	CacheWrite string `json:"cache_write,omitempty"`
}

// load decodes the table once. It is embedded and a test decodes it, so a
// failure is a defect of the build; then nothing has a price.
var load = sync.OnceValue(func() Table {
	var t Table
	if err := json.Unmarshal(raw, &t); err != nil {
		return Table{}
	}
	return t
})

// Date is the day of the table's data, YYYY-MM-DD.
func Date() string { return load().Date }

// Source names the table and its date, for a report.
func Source() string { return "embedded price table of " + Date() }

// Lookup finds a model of a provider ("openai", "anthropic") by its id or one
// of its other names.
func Lookup(provider, id string) (model.Price, Entry, bool) {
	e, ok := find(load().Providers[provider], id)
	if !ok {
		return model.Price{}, Entry{}, false
	}
	p, err := e.price()
	return p, e, err == nil
}

// IDs are the models of a provider that the table knows, by their main names.
func IDs(provider string) []string {
	return slices.Sorted(maps.Keys(load().Providers[provider]))
}

// Suggest finds what any provider's table says for a model of that name, as
// IN/OUT, for a hint to a person; "" if none does.
func Suggest(id string) string {
	id = id[strings.LastIndexByte(id, '/')+1:]
	for _, provider := range []string{"openai", "anthropic", "google", "deepseek", "mistral", "x-ai", "moonshotai"} {
		if e, ok := find(load().Providers[provider], id); ok {
			return e.In + "/" + e.Out
		}
	}
	return ""
}

func find(models map[string]Entry, id string) (Entry, bool) {
	if e, ok := models[id]; ok {
		return e, true
	}
	for _, e := range models {
		if slices.Contains(e.Also, id) {
			return e, true
		}
	}
	return Entry{}, false
}

func (e Entry) price() (model.Price, error) {
	p, err := perMillion(e.In, e.Out, e.CacheRead, e.CacheWrite)
	if err != nil {
		return p, err
	}
	for _, l := range e.Long {
		long, err := perMillion(l.In, l.Out, l.CacheRead, l.CacheWrite)
		if err != nil {
			return p, err
		}
		p.Steps = append(p.Steps, model.Step{Above: l.Above, Price: long})
	}
	return p, nil
}

// Parse reads a person's IN/OUT: USD per million tokens of prompt and of
// reply, "0/0" for a server of one's own.
func Parse(s string) (model.Price, error) {
	in, out, ok := strings.Cut(s, "/")
	if !ok {
		return model.Price{}, fmt.Errorf("price %q is not IN/OUT in USD per million tokens, for example 0.25/2", s)
	}
	p, err := perMillion(strings.TrimSpace(in), strings.TrimSpace(out), "", "")
	if err != nil {
		return model.Price{}, fmt.Errorf("price %q: %w", s, err)
	}
	return p, nil
}

func perMillion(in, out, read, write string) (p model.Price, err error) {
	amounts := [4]decimal.NullDecimal{}
	for i, s := range []string{in, out, read, write} {
		if s == "" && i > 1 {
			continue
		}
		d, err := Amount(s)
		if err != nil {
			return model.Price{}, err
		}
		amounts[i] = decimal.NewNullDecimal(d.Shift(-6))
	}
	return model.Price{
		Prompt: amounts[0].Decimal, Completion: amounts[1].Decimal,
		CacheRead: amounts[2], CacheWrite: amounts[3],
	}, nil
}

// Amount reads an amount of USD that somebody else wrote: a decimal number
// that is not negative. Its length and exponent are bounded, because a short
// text like 1e999999999 is a number of a gigabyte.
func Amount(s string) (decimal.Decimal, error) {
	if len(s) == 0 || len(s) > 48 {
		return decimal.Decimal{}, fmt.Errorf("%.60q is no amount", s)
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > 9 || d.Exponent() < -40 {
		return decimal.Decimal{}, fmt.Errorf("%q is no amount", s)
	}
	if d.IsNegative() {
		return decimal.Decimal{}, fmt.Errorf("%q is a negative amount", s)
	}
	return d, nil
}
