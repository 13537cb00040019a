package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// transport stands between the SDK and the wire. A failure of any kind comes
// out of it as a *model.Error: an error status and a redirect from RoundTrip,
// an error inside the stream and a cut stream from the body's Read.
type transport struct {
	config Config
	next   http.RoundTripper
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if req.Method == http.MethodPost {
		if err := t.merge(req); err != nil {
			return nil, &model.Error{Fault: model.FaultRequest, Message: err.Error()}
		}
	}
	for k, v := range t.config.Header {
		req.Header[k] = v
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, wire.MaxErrors))
		fault := classify(answer{status: resp.StatusCode, host: req.URL.Hostname(), header: resp.Header, body: body, key: t.config.Key})
		return nil, testified(fault, body)
	}
	if req.Method == http.MethodPost {
		resp.Body = newLines(resp, req.URL.Hostname(), t.config.Key)
	}
	return resp, nil
}

// merge puts the extra fields into the request's body and names the bound of
// the reply as the server wants it.
func (t *transport) merge(req *http.Request) error {
	raw, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("decode the request: %w", err)
	}
	if bound, ok := fields["max_completion_tokens"]; ok && !t.config.CompletionTokens {
		delete(fields, "max_completion_tokens")
		fields["max_tokens"] = bound
	}
	if err := restoreReasoning(fields); err != nil {
		return err
	}
	for name, value := range t.config.Extra {
		if fields[name], err = json.Marshal(value); err != nil {
			return fmt.Errorf("encode the field %s: %w", name, err)
		}
	}
	if raw, err = json.Marshal(fields); err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	req.Body = io.NopCloser(bytes.NewReader(raw))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	req.ContentLength = int64(len(raw))
	return nil
}

// restoreReasoning puts what models thought into the field that it came in, as
// it came: the SDK has a name for one of the two only, and takes texts. Plain
// text goes back with calls alone: DeepSeek wants it there, and has refused it
// elsewhere.
func restoreReasoning(fields map[string]json.RawMessage) error {
	const smuggled = "reasoning_content"
	if !bytes.Contains(fields["messages"], []byte(smuggled)) {
		return nil
	}
	var messages []map[string]json.RawMessage
	if err := json.Unmarshal(fields["messages"], &messages); err != nil {
		return fmt.Errorf("decode the messages: %w", err)
	}
	for _, m := range messages {
		var text string
		if raw, ok := m[smuggled]; !ok || json.Unmarshal(raw, &text) != nil {
			continue
		}
		delete(m, smuggled)
		if strings.HasPrefix(text, "[") {
			m["reasoning_details"] = json.RawMessage(text)
		} else if wire.Present(m["tool_calls"]) {
			m[smuggled] = json.RawMessage(text)
		}
	}
	raw, err := json.Marshal(messages)
	if err != nil {
		return fmt.Errorf("encode the messages: %w", err)
	}
	fields["messages"] = raw
	return nil
}
