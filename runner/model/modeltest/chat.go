package modeltest

import (
	"fmt"
	"maps"
)

// stream is the reply in OpenAI's chunks.
func (a *answer) stream() (frames []frame) {
	n := 0
	add := func(kind frameKind, chunk map[string]any) {
		chunk["id"], chunk["object"], chunk["created"] = a.id, "chat.completion.chunk", 1789054151
		a.sign(chunk)
		for _, change := range a.chunks {
			change(n, chunk)
		}
		n++
		frames = append(frames, frame{kind, "data: " + marshal(chunk) + "\n\n"})
	}
	delta := func(kind frameKind, delta map[string]any, finish any) {
		add(kind, map[string]any{"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}})
	}
	if a.server.wire == OpenRouter {
		frames = append(frames, frame{comment, ": OPENROUTER PROCESSING\n\n"})
	}
	delta(content, map[string]any{"role": "assistant", "content": ""}, nil)
	if thought := a.reasoning(); thought != nil {
		delta(content, thought, nil)
	}
	for _, piece := range halves(a.turn.Say) {
		delta(content, map[string]any{"content": piece}, nil)
	}
	for _, piece := range a.callPieces() {
		delta(content, map[string]any{"tool_calls": []any{piece}}, nil)
	}
	delta(finished, map[string]any{}, a.finish())
	if end := a.account(); len(end) > 0 {
		end["choices"] = []any{}
		add(used, end)
	}
	if !a.bare {
		frames = append(frames, frame{last, "data: [DONE]\n\n"})
	}
	return frames
}

// completion is the reply as one document.
func (a *answer) completion() map[string]any {
	message := map[string]any{"role": "assistant", "content": a.turn.Say}
	maps.Copy(message, a.reasoning())
	a.whole = true
	if calls := a.callPieces(); len(calls) > 0 {
		message["tool_calls"] = calls
	}
	out := map[string]any{"id": a.id, "object": "chat.completion", "created": 1789054151,
		"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": a.finish(), "logprobs": nil}}}
	a.sign(out)
	maps.Copy(out, a.account())
	for _, change := range a.chunks {
		change(0, out)
	}
	return out
}

// account is what a reply says of itself at its end: its usage and its routing.
func (a *answer) account() map[string]any {
	account := map[string]any{}
	if !a.silent {
		account["usage"] = a.chatUsage()
	}
	a.addRouting(account)
	return account
}

// sign says who answers.
func (a *answer) sign(chunk map[string]any) {
	if a.names != "" {
		chunk["model"] = a.names
	}
	switch a.server.wire {
	case OpenRouter:
		chunk["provider"] = a.routing.provider
	case OpenAI:
		chunk["service_tier"] = orElse(a.tier, "default")
	}
}

func (a *answer) finish() string {
	switch {
	case a.turn.Finish != "":
		return a.turn.Finish
	case len(a.turn.Calls) > 0:
		return "tool_calls"
	default:
		return "stop"
	}
}

// reasoning is what OpenRouter and local servers want back unchanged. OpenAI
// shows none.
func (a *answer) reasoning() map[string]any {
	switch {
	case a.turn.Reasoning == "" || a.server.wire == OpenAI:
		return nil
	case a.server.wire == Local:
		return map[string]any{"reasoning_content": a.turn.Reasoning}
	}
	return map[string]any{"reasoning": a.turn.Reasoning, "reasoning_details": []any{map[string]any{
		"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0, "text": a.turn.Reasoning, "signature": "c2lnbmVk"}}}
}

// callPieces are the calls in the pieces of a stream.
func (a *answer) callPieces() (pieces []any) {
	for i, c := range a.turn.Calls {
		texts := halves(c.Arguments)
		if a.whole || len(texts) == 0 {
			texts = []string{c.Arguments}
		}
		for n, text := range texts {
			function := map[string]any{"arguments": text}
			piece := map[string]any{"index": i, "function": function}
			if n == 0 {
				piece["id"], piece["type"], function["name"] = a.callID(i), "function", c.Name
			}
			for _, change := range a.calls {
				change(i, piece)
			}
			pieces = append(pieces, piece)
		}
	}
	return pieces
}

func (a *answer) callID(i int) string {
	if id := a.turn.Calls[i].ID; id != "" {
		return id
	}
	return fmt.Sprintf("call_%d_%d", a.asked.Number, i+1)
}

func (a *answer) chatUsage() map[string]any {
	u := a.usage
	out := map[string]any{"prompt_tokens": u.Prompt, "completion_tokens": u.Completion, "total_tokens": u.Prompt + u.Completion,
		"prompt_tokens_details":     map[string]any{"cached_tokens": u.Cached, "cache_write_tokens": u.Written},
		"completion_tokens_details": map[string]any{"reasoning_tokens": 0}}
	if a.server.wire == OpenRouter {
		out["cost"], out["is_byok"] = a.cost(), false
		out["cost_details"] = map[string]any{"upstream_inference_cost": a.cost()}
	} else if a.reported != nil {
		out["cost"] = a.reported
	}
	for _, change := range a.told {
		change(out)
	}
	return out
}

// addRouting adds OpenRouter's metadata, which has to be asked for.
func (a *answer) addRouting(chunk map[string]any) {
	r := a.routing
	if a.server.wire != OpenRouter || r.none || a.asked.Header.Get("X-OpenRouter-Metadata") != "enabled" {
		return
	}
	var attempts []any
	for _, m := range r.attempts {
		attempts = append(attempts, map[string]any{"provider": r.provider, "model": m, "status": 200})
	}
	chunk["openrouter_metadata"] = map[string]any{
		"requested": r.requested, "strategy": r.strategy, "region": "iad", "summary": "available=1, selected=" + r.provider,
		"attempt": len(attempts), "is_byok": false, "attempts": attempts, "params": map[string]any{}, "pipeline": []any{},
		"endpoints": map[string]any{"total": 1, "available": []any{
			map[string]any{"provider": r.provider, "model": r.endpoint, "selected": true}}},
	}
}
