package anthropic

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// The kinds of content blocks that we know; others are skipped.
const (
	kindText     = "text"
	kindThinking = "thinking"
	kindRedacted = "redacted_thinking"
	kindCall     = "tool_use"
)

// event is what we read of an event of a stream, or of a whole message where a
// server does not stream.
type event struct {
	Type    string          `json:"type"`
	Index   int             `json:"index"`
	Message *message        `json:"message"`
	Block   json.RawMessage `json:"content_block"`
	Delta   struct {
		Text      string   `json:"text"`
		JSON      string   `json:"partial_json"`
		Thinking  string   `json:"thinking"`
		Signature string   `json:"signature"`
		Stop      *string  `json:"stop_reason"`
		Details   *details `json:"stop_details"`
	} `json:"delta"`
	Usage *usage `json:"usage"`
}

type message struct {
	ID      string            `json:"id"`
	Model   string            `json:"model"`
	Content []json.RawMessage `json:"content"`
	Stop    *string           `json:"stop_reason"`
	Details *details          `json:"stop_details"`
	Usage   *usage            `json:"usage"`
}

// details say why a model refused.
type details struct {
	Explanation string `json:"explanation"`
}

// assembly makes one reply out of events.
type assembly struct {
	header   http.Header
	key      string
	earlier  int // calls in the conversation before
	anyPrice bool

	out    model.Reply
	begun  bool
	ended  bool
	stop   string
	why    string // a refusal's explanation
	usage  usage
	told   bool // the usage of the whole answer
	blocks []*block
}

// block is a content block under way: as it began, and what was added.
type block struct {
	kind, id, name string
	raw            map[string]json.RawMessage
	text           strings.Builder
	signature      strings.Builder
	input          strings.Builder
}

// read takes a whole answer. It returns without error only when the server
// has said that it is complete.
func (a *assembly) read(body io.Reader) error {
	events := wire.NewEvents(body)
	if !wire.IsStream(a.header) {
		return a.document(events)
	}
	for !a.ended {
		e, err := events.Next()
		if err != nil {
			return wire.Broken(err, a.key)
		}
		if err := a.event(e.Name, e.Data); err != nil {
			return err
		}
	}
	return nil
}

// failed gives the failure of an answer that had begun who had begun to
// answer. One that the caller ended becomes a fault for it.
func (a *assembly) failed(err error) error {
	var e *model.Error
	if !errors.As(err, &e) {
		e = &model.Error{Fault: model.FaultCancelled, Err: err}
	}
	e.Model = a.out.Model
	return e
}

// document is an answer that came as one JSON document although a stream was
// asked for.
func (a *assembly) document(events *wire.Events) error {
	data, err := events.Rest()
	if err != nil {
		return wire.Broken(err, a.key)
	}
	var m message
	if err := a.decode("", data, &m); err != nil {
		return err
	}
	if err := a.start(&m); err != nil {
		return err
	}
	a.halt(m.Stop, m.Details)
	a.told, a.ended = m.Usage != nil, true
	return nil
}

// event takes one event. What is said after the end is not heard.
func (a *assembly) event(name string, data []byte) error {
	var e event
	if err := a.decode(name, data, &e); err != nil {
		return err
	}
	switch e.Type {
	case "message_start":
		return a.start(e.Message)
	case "content_block_start":
		if e.Index != len(a.blocks) {
			return a.odd("a block out of order")
		}
		return a.block(e.Block)
	case "content_block_delta":
		if e.Index < 0 || e.Index >= len(a.blocks) {
			return a.odd("a piece of a block that has not begun")
		}
		b := a.blocks[e.Index]
		b.text.WriteString(e.Delta.Text)
		b.text.WriteString(e.Delta.Thinking)
		b.signature.WriteString(e.Delta.Signature)
		b.input.WriteString(e.Delta.JSON)
	case "message_delta":
		a.halt(e.Delta.Stop, e.Delta.Details)
		if e.Usage != nil {
			a.usage.update(*e.Usage)
			a.told = true
		}
	case "message_stop":
		a.ended = true
		if !a.begun {
			return a.odd("an end without a beginning")
		}
	}
	return nil
}

// decode reads one JSON document, unless it is an error.
func (a *assembly) decode(name string, data []byte, into any) error {
	var e struct {
		Type  string          `json:"type"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return wire.Broken(fmt.Errorf("an event is no message: %q", wire.First(string(data), 200)), a.key)
	}
	if name == "error" || e.Type == "error" || wire.Present(e.Error) {
		return classify(answer{status: http.StatusOK, header: a.header, body: data, key: a.key})
	}
	if err := json.Unmarshal(data, into); err != nil {
		return wire.Broken(fmt.Errorf("an event can't be read: %w", err), a.key)
	}
	return nil
}

func (a *assembly) odd(what string) error {
	return wire.Broken(fmt.Errorf("%s", what), a.key)
}

func (a *assembly) start(m *message) error {
	if m == nil || a.begun {
		return a.odd("a message that begins twice, or not at all")
	}
	a.begun = true
	a.out.ID, a.out.Model = m.ID, m.Model
	if m.Usage != nil {
		a.usage = *m.Usage
	}
	for _, raw := range m.Content {
		if err := a.block(raw); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembly) halt(stop *string, d *details) {
	if stop != nil {
		a.stop = *stop
	}
	if d != nil {
		a.why = d.Explanation
	}
}

// block begins a block with what is known of it at first, which may be all.
func (a *assembly) block(raw json.RawMessage) error {
	var known struct {
		Type      string          `json:"type"`
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		Text      string          `json:"text"`
		Thinking  string          `json:"thinking"`
		Signature string          `json:"signature"`
		Input     json.RawMessage `json:"input"`
	}
	b := &block{}
	if json.Unmarshal(raw, &known) != nil || json.Unmarshal(raw, &b.raw) != nil || b.raw == nil {
		return a.odd("a block that can't be read")
	}
	b.kind, b.id, b.name = known.Type, known.ID, known.Name
	b.text.WriteString(known.Text)
	b.text.WriteString(known.Thinking)
	b.signature.WriteString(known.Signature)
	if input := string(known.Input); wire.Present(known.Input) && input != "{}" {
		b.input.WriteString(input)
	}
	a.blocks = append(a.blocks, b)
	return nil
}

// reply is the whole answer.
func (a *assembly) reply() (model.Reply, error) {
	out := a.out
	if a.told {
		out.Usage = a.usage.model()
	}
	finish, unfinished := wire.Finish(a.stop)
	if unfinished != nil {
		unfinished.Usage = out.Usage
		if a.why != "" {
			unfinished.Message = wire.Clean(unfinished.Message+": "+a.why, a.key)
		}
		return model.Reply{}, a.failed(unfinished)
	}
	if why := a.usage.dearer(); why != "" && !a.anyPrice {
		return model.Reply{}, a.failed(&model.Error{Fault: model.FaultNoPrice, Status: http.StatusOK,
			Message: "the reply was made " + why + ", which costs more than the known price"})
	}
	out.Finish = finish
	a.content(&out)
	return out, nil
}

// content fills in the text, the calls, and what has to be sent back unchanged.
func (a *assembly) content(out *model.Reply) {
	var said strings.Builder
	var kept []keptBlock
	ids, thought := wire.IDs{Earlier: a.earlier}, false
	for _, b := range a.blocks {
		k := keptBlock{Type: b.kind}
		switch b.kind {
		case kindText:
			k.Text = b.text.String()
			said.WriteString(k.Text)
		case kindThinking, kindRedacted:
			k.Raw, thought = b.whole(), true
		case kindCall:
			id, mark := ids.Own(b.id)
			if mark != "" && !slices.Contains(out.Tolerated, mark) {
				out.Tolerated = append(out.Tolerated, mark)
			}
			k.ID = id
			out.Calls = append(out.Calls, model.Call{ID: id, Name: b.name, Arguments: b.arguments()})
		default:
			continue
		}
		kept = append(kept, k)
	}
	out.Content = said.String()
	if !thought {
		return
	}
	if raw, err := json.Marshal(kept); err == nil {
		out.Reasoning = raw
	}
}

// arguments are JSON text as the model wrote it.
func (b *block) arguments() string {
	if args := b.input.String(); strings.TrimSpace(args) != "" {
		return args
	}
	return "{}"
}

// whole is a block of thinking with all that was added to it.
func (b *block) whole() json.RawMessage {
	if b.kind == kindThinking {
		for name, value := range map[string]string{"thinking": b.text.String(), "signature": b.signature.String()} {
			if raw, err := json.Marshal(value); err == nil {
				b.raw[name] = raw
			}
		}
	}
	raw, err := json.Marshal(b.raw)
	if err != nil { // it was decoded from JSON
		return json.RawMessage("{}")
	}
	return raw
}

// keptBlock is how a message remembers a block: thinking as it came, text and
// calls for their place between.
type keptBlock struct {
	Type string          `json:"type"`
	Raw  json.RawMessage `json:"raw,omitempty"`
	Text string          `json:"text,omitempty"`
	ID   string          `json:"id,omitempty"`
}

// remembered reads what content wrote; of what somebody else wrote it remembers nothing.
func remembered(reasoning json.RawMessage) []keptBlock {
	var blocks []keptBlock
	if json.Unmarshal(reasoning, &blocks) != nil {
		return nil
	}
	return blocks
}
