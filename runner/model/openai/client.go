// Package openai speaks the OpenAI chat-completions format to any server that
// claims to: OpenRouter, OpenAI, Ollama, llama.cpp, vLLM, LM Studio.
//
// A request goes Reply → request.go (our messages in the SDK's types) → the
// SDK → transport.go (our fields merged in, headers) → the server. The answer
// comes back through package wire (silence, bounds, events out of bytes) →
// lines.go (errors in whatever clothes, cut streams) → assemble.go (one
// [model.Reply] out of chunks). The
// SDK in the middle serializes and sends; it never sees a raw stream, because
// it takes cut streams for complete ones and loses errors, costs and the
// upstream's name. fault.go says what kind of failure a failure is.
package openai

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	sdk "github.com/sashabaranov/go-openai"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// Config describes a server and the model that is asked there.
type Config struct {
	// BaseURL is the server's address up to and including /v1.
	BaseURL string
	// Key is sent as bearer token; "" sends none. It occurs in no error.
	Key string
	// Model is the id that the server knows.
	Model string
	// Extra are fields merged into the top level of every request.
	Extra map[string]any
	// Header are sent with every request.
	Header http.Header
	// Effort is reasoning_effort, "" to send none.
	Effort string
	// Tier is the service_tier that is asked for, and the only one in which a
	// reply may be billed; "" sends none and takes any.
	Tier string
	// CompletionTokens sends the bound of a reply as max_completion_tokens,
	// which api.openai.com wants, not as max_tokens, which all others know.
	CompletionTokens bool
	// FirstByte is how long the answer may take to begin (0: 5 minutes) and
	// Idle how long it may fall silent then (0: 5 minutes: some servers hide
	// the reasoning). Comments in the stream count as signs of life. There is
	// no limit to a whole answer.
	FirstByte, Idle time.Duration
	// HTTP is what requests are sent with; nil is a transport of its own. Wrap,
	// if not nil, is put around it: a recorder.
	HTTP http.RoundTripper
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client is a [model.Model]. It is safe for concurrent use.
type Client struct {
	config  Config
	asker   wire.Asker
	watched *wire.Transport
	sdk     *sdk.Client
}

var _ model.Model = (*Client)(nil)

// New returns a client for c. Nothing is sent yet.
func New(c Config) *Client {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.Key = strings.TrimSpace(c.Key)
	watched := wire.Transport{Base: c.HTTP, Key: c.Key, FirstByte: c.FirstByte, Idle: c.Idle, Wrap: c.Wrap}.Patient()
	h := wire.Client(&transport{config: c, next: watched})
	sc := sdk.DefaultConfig(c.Key)
	sc.BaseURL = c.BaseURL
	sc.HTTPClient = h
	return &Client{config: c, asker: wire.Asker{HTTP: h, Model: c.Model, Key: c.Key}, watched: watched, sdk: sdk.NewClientWithConfig(sc)}
}

// Close closes the connections that are kept open; requests under way go on.
func (c *Client) Close() { c.watched.CloseIdleConnections() }

// Reply implements [model.Model].
func (c *Client) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if c.config.Model == "" {
		// OpenRouter would ask the account's default model.
		return model.Reply{}, &model.Error{Fault: model.FaultRequest, Message: "no model is asked for"}
	}
	start := time.Now()
	stream, err := c.sdk.CreateChatCompletionStream(ctx, c.request(r))
	if err != nil {
		return model.Reply{}, c.asker.Fault(ctx, err)
	}
	defer stream.Close()
	a := assembly{earlier: wire.CallsIn(r.Messages), out: model.Reply{ID: replyID(stream.Header())}}
	for {
		raw, err := stream.RecvRaw()
		if err == io.EOF { // and not an error that wraps it: that is a cut
			break
		}
		if err == nil {
			err = a.add(raw)
		}
		if err != nil {
			return model.Reply{}, a.failed(c.asker.Fault(ctx, err))
		}
	}
	reply, err := a.reply(c.config.Tier)
	reply.Latency = time.Since(start)
	return reply, err
}

// Get reads path below the base URL, for catalogues: at most limit bytes, with
// the same faults as Reply.
func (c *Client) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	header := http.Header{}
	if c.config.Key != "" {
		header.Set("Authorization", "Bearer "+c.config.Key)
	}
	return c.asker.Get(ctx, c.config.BaseURL+path, header, limit)
}
