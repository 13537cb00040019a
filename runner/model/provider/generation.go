package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/price"
)

// maxGeneration bounds OpenRouter's record of one reply in bytes.
const maxGeneration = 1 << 20

// openrouterClient is a client that can look up what a reply was billed.
type openrouterClient struct{ *openai.Client }

var _ model.Records = openrouterClient{}

// Cost implements [model.Records] with GET /generation. The record answers 404
// for the first seconds, and much longer where the stream was cut. For a key of
// one's own at the upstream the upstream's bill is added.
func (c openrouterClient) Cost(ctx context.Context, id string) (decimal.Decimal, error) {
	body, err := c.Get(ctx, "/generation?id="+url.QueryEscape(id), maxGeneration)
	if err != nil {
		return decimal.Zero, fmt.Errorf("look up what the reply cost: %w", err)
	}
	var record struct {
		Data struct {
			ID       string      `json:"id"`
			Total    json.Number `json:"total_cost"`
			BYOK     bool        `json:"is_byok"`
			Upstream json.Number `json:"upstream_inference_cost"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &record); err != nil {
		return decimal.Zero, fmt.Errorf("read the record of a reply: %w", err)
	}
	if record.Data.ID != id {
		return decimal.Zero, fmt.Errorf("asked for the record of %s, got that of %.80q", id, record.Data.ID)
	}
	cost, err := price.Amount(record.Data.Total.String())
	if err != nil || !record.Data.BYOK {
		return cost, err
	}
	upstream, err := price.Amount(record.Data.Upstream.String())
	return cost.Add(upstream), err
}
