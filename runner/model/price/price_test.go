package price

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Every entry of the table must have a price, or the guard against unknown
// prices would let it pass as free.
func TestTableIsWhole(t *testing.T) {
	var table Table
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	if len(raw) > 60<<10 {
		t.Errorf("the table has %d bytes, more than 60 KB", len(raw))
	}
	if table.Date == "" || !strings.Contains(table.Licence, "Permission is hereby granted") || !strings.Contains(table.Copyright, "Pydantic") {
		t.Error("date, licence or copyright is missing")
	}
	if len(table.Providers["openai"]) < 20 {
		t.Errorf("only %d models of OpenAI", len(table.Providers["openai"]))
	}
	for provider, models := range table.Providers {
		for id := range models {
			p, _, ok := Lookup(provider, id)
			if !ok || p.Free() || !p.Prompt.IsPositive() || !p.Completion.IsPositive() {
				t.Errorf("%s/%s has no price: %+v", provider, id, p)
			}
			for _, s := range p.Steps {
				if s.Above < 1000 || s.Price.Prompt.LessThan(p.Prompt) {
					t.Errorf("%s/%s: a long prompt is cheaper: %+v", provider, id, s)
				}
			}
		}
	}
}

// Figures that were checked against another source.
func TestLookup(t *testing.T) {
	for id, want := range map[string][2]string{
		"gpt-5-mini":            {"0.00000025", "0.000002"},
		"gpt-5-mini-2025-08-07": {"0.00000025", "0.000002"}, // a snapshot
		"gpt-6-luna":            {"0.0000001", "0.0000005"},
		"gpt-6-sol":             {"0.000002", "0.00001"},
	} {
		p, _, ok := Lookup("openai", id)
		if !ok || p.Prompt.String() != want[0] || p.Completion.String() != want[1] {
			t.Errorf("%s: %v %s/%s, want %v", id, ok, p.Prompt, p.Completion, want)
		}
	}
	if _, _, ok := Lookup("openai", "gpt-99"); ok {
		t.Error("an unknown model has a price")
	}
}

func TestLongPromptsCostMore(t *testing.T) {
	p, _, _ := Lookup("openai", "gpt-6-sol")
	short, long := p.Cost(model.Usage{Prompt: 272000}), p.Cost(model.Usage{Prompt: 272001})
	if short.String() != "0.544" || long.String() != "1.088004" {
		t.Errorf("272000 tokens cost %s, one more %s", short, long)
	}
}

func TestSuggest(t *testing.T) {
	if got := Suggest("whatever/gpt-5-mini"); got != "0.25/2" {
		t.Errorf("got %q", got)
	}
	if got := Suggest("llama-of-my-own"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestParse(t *testing.T) {
	p, err := Parse("0.25/2")
	if err != nil || p.Prompt.String() != "0.00000025" || p.Completion.String() != "0.000002" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := Parse("0/0"); err != nil || !p.Free() {
		t.Errorf("0/0 is a price: %+v, %v", p, err)
	}
	for _, bad := range []string{"", "1", "/", "1/", "-1/2", "a/b", "1/2/3", "1e999999999/1", "0.1/NaN"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// An amount comes from a server: a short text must not become a huge number.
func TestAmount(t *testing.T) {
	for s, want := range map[string]string{"0.0032": "0.0032", "1e-7": "0.0000001", "0": "0"} {
		if got, err := Amount(s); err != nil || !got.Equal(decimal.RequireFromString(want)) {
			t.Errorf("%s: %s, %v", s, got, err)
		}
	}
	for _, bad := range []string{"1e999999999", "1e-999999999", "-0.1", "", strings.Repeat("9", 60), "0x10"} {
		if got, err := Amount(bad); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}
