package provider

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
)

// What a model must have to be chosen, in tokens: a window that a job can be
// done in, and replies that can write a file.
const (
	leastWindow = 16_000
	leastReply  = 1000
)

// choose replaces [Auto] by a model. Other names it leaves alone.
func (r *request) choose(ctx context.Context) error {
	if r.provider != Auto || r.id != "" {
		return nil
	}
	r.provider = "openrouter"
	key, err := r.key()
	if err != nil {
		return noKeyForAuto()
	}
	if err := r.checkURL(); err != nil {
		return err
	}
	all, err := openrouterEntries(ctx, r.client(ctx, r.openrouterConfig(key)))
	if err != nil {
		return err
	}
	best := slices.DeleteFunc(all, func(m openrouterModel) bool { return !r.eligible(m) })
	if len(best) == 0 {
		return &model.Error{Fault: model.FaultNotFound, Message: "OpenRouter's catalogue has no free model that calls tools and is allowed"}
	}
	r.id = slices.MinFunc(best, func(a, b openrouterModel) int {
		return cmp.Or(cmp.Compare(b.window(), a.window()), cmp.Compare(a.ID, b.ID))
	}).ID
	return nil
}

func noKeyForAuto() error {
	return &model.Error{Fault: model.FaultMissingKey, Message: "--model auto looks for a free model of OpenRouter and needs OPENROUTER_API_KEY; without it, name a model"}
}

// eligible says that a model may be chosen without being asked for: it is
// surely free, calls tools, and can do the work.
func (r request) eligible(m openrouterModel) bool {
	price, priced := m.Pricing.price()
	switch {
	case !m.usable() || !priced || !price.Free():
		return false
	case m.tools() != model.Supported || m.window() < leastWindow:
		return false
	case m.Top.MaxOutput > 0 && m.Top.MaxOutput < leastReply:
		return false
	case m.Expires != "" && m.Expires <= time.Now().UTC().Format(time.DateOnly):
		return false
	}
	return allowed("openrouter/"+m.ID, r.Fences) == nil
}
