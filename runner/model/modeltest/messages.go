package modeltest

import "encoding/json"

// events is the reply in the events of Anthropic's Messages API.
func (a *answer) events() (frames []frame) {
	n := 0
	add := func(kind frameKind, name string, data map[string]any) {
		data["type"] = name
		for _, change := range a.chunks {
			change(n, data)
		}
		n++
		frames = append(frames, frame{kind, "event: " + name + "\ndata: " + marshal(data) + "\n\n"})
	}
	start := a.message()
	start["content"], start["stop_reason"] = []any{}, nil
	opening := a.messagesUsage()
	opening["output_tokens"] = 1
	start["usage"] = opening
	if a.silent {
		delete(start, "usage")
	}
	add(content, "message_start", map[string]any{"message": start})
	add(content, "ping", map[string]any{})
	for i, block := range a.blocks() {
		add(content, "content_block_start", map[string]any{"index": i, "content_block": block.empty})
		for _, delta := range block.deltas {
			add(content, "content_block_delta", map[string]any{"index": i, "delta": delta})
		}
		add(content, "content_block_stop", map[string]any{"index": i})
	}
	end := map[string]any{"delta": map[string]any{"stop_reason": a.stopReason(), "stop_sequence": nil}}
	if !a.silent {
		end["usage"] = a.messagesUsage()
	}
	add(finished, "message_delta", end)
	if !a.bare {
		add(last, "message_stop", map[string]any{})
	}
	return frames
}

// message is the reply as one document.
func (a *answer) message() map[string]any {
	out := map[string]any{"id": "msg_" + a.id, "type": "message", "role": "assistant",
		"stop_reason": a.stopReason(), "stop_sequence": nil}
	if a.names != "" {
		out["model"] = a.names
	}
	if !a.silent {
		out["usage"] = a.messagesUsage()
	}
	blocks := []any{}
	for _, b := range a.blocks() {
		blocks = append(blocks, b.whole)
	}
	out["content"] = blocks
	return out
}

// block is a part of a reply: as it is opened, its pieces, and all of it.
type block struct {
	empty, whole map[string]any
	deltas       []map[string]any
}

func (a *answer) blocks() (blocks []block) {
	if t := a.turn.Reasoning; t != "" {
		blocks = append(blocks, block{
			empty: map[string]any{"type": "thinking", "thinking": "", "signature": ""},
			whole: map[string]any{"type": "thinking", "thinking": t, "signature": "c2lnbmVk"},
			deltas: []map[string]any{{"type": "thinking_delta", "thinking": t},
				{"type": "signature_delta", "signature": "c2lnbmVk"}},
		})
	}
	if a.turn.Say != "" {
		b := block{empty: map[string]any{"type": "text", "text": ""}, whole: map[string]any{"type": "text", "text": a.turn.Say}}
		for _, piece := range halves(a.turn.Say) {
			b.deltas = append(b.deltas, map[string]any{"type": "text_delta", "text": piece})
		}
		blocks = append(blocks, b)
	}
	for i, c := range a.turn.Calls {
		blocks = append(blocks, a.toolUse(i, c))
	}
	return blocks
}

// toolUse is a call; input that is no JSON can only be streamed.
func (a *answer) toolUse(i int, c Call) block {
	open := map[string]any{"type": "tool_use", "id": a.callID(i), "name": c.Name, "input": map[string]any{}}
	whole := map[string]any{"type": "tool_use", "id": a.callID(i), "name": c.Name, "input": map[string]any{}}
	if json.Valid([]byte(c.Arguments)) {
		whole["input"] = json.RawMessage(c.Arguments)
	}
	b := block{empty: open, whole: whole}
	for _, piece := range halves(c.Arguments) {
		b.deltas = append(b.deltas, map[string]any{"type": "input_json_delta", "partial_json": piece})
	}
	return b
}

// stopReason is why it ended in the words of this API.
func (a *answer) stopReason() string {
	switch f := a.finish(); f {
	case "tool_calls":
		return "tool_use"
	case "stop":
		return "end_turn"
	case "length":
		return "max_tokens"
	default:
		return f
	}
}

// messagesUsage counts as this API does: input_tokens is without what a cache held.
func (a *answer) messagesUsage() map[string]any {
	u := a.usage
	out := map[string]any{"input_tokens": u.Prompt - u.Cached - u.Written, "output_tokens": u.Completion,
		"cache_read_input_tokens": u.Cached, "cache_creation_input_tokens": u.Written,
		"cache_creation": map[string]any{"ephemeral_5m_input_tokens": u.Written, "ephemeral_1h_input_tokens": 0},
		"service_tier":   "standard"}
	for _, change := range a.told {
		change(out)
	}
	return out
}
