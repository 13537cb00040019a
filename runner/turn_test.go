package runner

import (
	"testing"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Free models ration requests, not tokens, so their replies may be longer. A
// person's word counts more, the model's limit most.
func TestFirstCap(t *testing.T) {
	paid := model.Price{Prompt: decimal.RequireFromString("0.000001")}
	for _, c := range []struct {
		asked, limit int
		price        model.Price
		want         int
	}{
		{0, 0, model.Price{}, 16384},
		{0, 4096, model.Price{}, 4096},
		{0, 100_000, model.Price{}, 16384},
		{0, 0, paid, 8192},
		{0, 4096, paid, 4096},
		{0, 100_000, paid, 8192},
		{1000, 0, model.Price{}, 1000}, // the predecessor's
		{4096, 100_000, paid, 4096},
		{32_000, 100_000, paid, 32_000},
		{32_000, 4096, paid, 4096},
	} {
		if got := firstCap(c.asked, model.Info{Price: c.price, MaxOutput: c.limit}); got != c.want {
			t.Errorf("--max-tokens %d, limit %d, free %v: %d, want %d", c.asked, c.limit, c.price.Free(), got, c.want)
		}
	}
}
