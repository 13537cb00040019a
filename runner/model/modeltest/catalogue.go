package modeltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// slug is the canonical one with the variant asked for, else the id.
func (m Model) slug() string {
	if m.Canonical == "" {
		return m.ID
	}
	_, variant, ok := strings.Cut(m.ID, ":")
	if !ok {
		return m.Canonical
	}
	return m.Canonical + ":" + variant
}

// listing is the catalogue.
func (s *Server) listing(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	var entries []any
	for _, m := range s.models {
		entries = append(entries, s.describe(m))
	}
	faults := s.catalogue
	s.mu.Unlock()
	whole := map[string]any{"data": entries}
	switch s.wire {
	case OpenRouter:
		whole["total_count"] = len(entries)
	case Anthropic:
		whole["has_more"] = false
	default:
		whole["object"] = "list"
	}
	a := s.newAnswer(Request{})
	a.replaced, a.status, a.body = true, http.StatusOK, marshal(whole)
	for _, f := range faults {
		f.do(a)
	}
	a.send(w, r)
}

// entry is the catalogue's entry of one model.
func (s *Server) entry(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.PathValue("vendor")+"/"+r.PathValue("slug"), "/")
	s.mu.Lock()
	m, ok := s.sold(id)
	s.mu.Unlock()
	a := s.newAnswer(Request{})
	if !ok {
		a.refuse(http.StatusNotFound, "not_found_error", fmt.Sprintf("there is no model %q", id))
		a.send(w, r)
		return
	}
	if s.wire == OpenRouter {
		writeJSON(w, map[string]any{"data": s.describe(m)})
		return
	}
	writeJSON(w, s.describe(m))
}

// describe is an entry as the format has it.
func (s *Server) describe(m Model) map[string]any {
	switch s.wire {
	case OpenRouter:
		return describeOpenRouter(m)
	case Anthropic:
		return map[string]any{"type": "model", "id": m.ID, "display_name": m.ID, "created_at": "2026-09-07T00:00:00Z"}
	default:
		return map[string]any{"id": m.ID, "object": "model", "created": 1789054151, "owned_by": "modeltest"}
	}
}

func describeOpenRouter(m Model) map[string]any {
	context, output := m.limits()
	return map[string]any{
		"id": m.ID, "canonical_slug": m.canonical(), "name": m.ID, "created": 1789054151, "context_length": context,
		"pricing":              pricing(m.Price),
		"top_provider":         map[string]any{"context_length": context, "max_completion_tokens": output, "is_moderated": false},
		"supported_parameters": m.parameters(),
		"architecture":         map[string]any{"input_modalities": []string{"text"}, "output_modalities": []string{"text"}},
	}
}

func (m Model) canonical() string {
	if m.Canonical != "" {
		return m.Canonical
	}
	return m.ID
}

func (m Model) limits() (context, output int) {
	context, output = m.Context, m.MaxOutput
	if context == 0 {
		context = 200_000
	}
	if output == 0 {
		output = 32_768
	}
	return context, output
}

func (m Model) parameters() []string {
	p := []string{"max_tokens", "reasoning", "temperature"}
	if !m.NoTools {
		p = append(p, "tools", "tool_choice")
	}
	return p
}

func pricing(p Price) map[string]any {
	out := map[string]any{"prompt": p.Prompt.String(), "completion": p.Completion.String(), "request": p.Request.String()}
	if p.CacheRead.IsPositive() {
		out["input_cache_read"] = p.CacheRead.String()
	}
	if p.CacheWrite.IsPositive() {
		out["input_cache_write"] = p.CacheWrite.String()
	}
	return out
}

// endpoints are the upstreams of one model: there is one.
func (s *Server) endpoints(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	m, ok := s.sold(r.PathValue("vendor") + "/" + r.PathValue("slug"))
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	context, output := m.limits()
	writeJSON(w, map[string]any{"data": map[string]any{"id": m.ID, "endpoints": []any{map[string]any{
		"name": "P | " + m.slug(), "provider_name": "P", "tag": "p", "pricing": pricing(m.Price), "context_length": context,
		"max_completion_tokens": output, "supported_parameters": m.parameters(), "status": 0,
	}}}})
}

// key is OpenRouter's account of the key.
func (s *Server) key(w http.ResponseWriter, _ *http.Request) {
	used, _ := s.Billed().Float64()
	writeJSON(w, map[string]any{"data": map[string]any{
		"label": "modeltest", "limit": nil, "limit_remaining": nil, "usage": used, "is_free_tier": false,
		"free_model_daily_requests": map[string]any{"used": len(s.Exchanges()), "limit": 1000, "remaining": 1000 - len(s.Exchanges())},
	}})
}

// generation is OpenRouter's record of one reply, cut ones too.
func (s *Server) generation(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	s.mu.Lock()
	b, ok := s.bills[id]
	s.late--
	ok = ok && s.late < 0
	s.mu.Unlock()
	a := s.newAnswer(Request{})
	if !ok {
		a.refuse(http.StatusNotFound, "not_found_error", "there is no generation "+id)
		a.send(w, r)
		return
	}
	writeJSON(w, map[string]any{"data": map[string]any{
		"id": id, "model": b.model, "provider_name": "P", "total_cost": number(b.billed), "usage": number(b.billed), "is_byok": false,
		"tokens_prompt": b.usage.Prompt, "tokens_completion": b.usage.Completion,
		"native_tokens_prompt": b.usage.Prompt, "native_tokens_completion": b.usage.Completion, "native_tokens_cached": b.usage.Cached,
		"finish_reason": "stop", "streamed": true, "cancelled": false,
	}})
}

func number(d decimal.Decimal) json.RawMessage { return json.RawMessage(d.String()) }

// marshal is v as JSON; what tests put together here always marshals.
func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(marshal(v))) // a client that has gone needs no answer
}
