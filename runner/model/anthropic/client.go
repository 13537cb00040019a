// Package anthropic speaks Anthropic's Messages API.
//
// A request goes Reply → request.go (our messages in the SDK's types, cache
// breakpoints) → the SDK → transport.go (errors of any status) → package wire
// → the server. The answer comes back as package wire's events, and
// assemble.go makes one [model.Reply] of them; a stream that ends before its
// message_stop is a fault. The SDK serializes, authenticates and sends, and
// takes nothing from the environment; fault.go says what kind of failure a
// failure is.
package anthropic

import (
	"context"
	"net/http"
	"strings"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/wire"
)

// Config describes a server and the model that is asked there.
type Config struct {
	// BaseURL is the server's address up to and including /v1.
	BaseURL string
	// Key is sent as x-api-key. It occurs in no error.
	Key string
	// Model is the id that the server knows.
	Model string
	// AnyPrice accepts replies that are billed above the list's price; without
	// it they are refused.
	AnyPrice bool
	// Effort is output_config.effort, "" to send none.
	Effort string
	// UserAgent names the program to the server.
	UserAgent string
	// FirstByte and Idle are as in [wire.Transport].
	FirstByte, Idle time.Duration
	// HTTP is what requests are sent with; nil is a transport of its own.
	HTTP http.RoundTripper
	// Wrap, if not nil, is put around the transport: a recorder.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client is a [model.Model]. It is safe for concurrent use.
type Client struct {
	config   Config
	watched  *wire.Transport
	asker    wire.Asker
	messages sdk.MessageService
}

var _ model.Model = (*Client)(nil)

// New returns a client for c. Nothing is sent yet.
func New(c Config) *Client {
	c.BaseURL = strings.TrimSuffix(strings.TrimRight(c.BaseURL, "/"), "/v1") // the SDK adds it
	c.Key = strings.TrimSpace(c.Key)
	watched := wire.Transport{Base: c.HTTP, Key: c.Key, FirstByte: c.FirstByte, Idle: c.Idle, Wrap: c.Wrap}.Patient()
	h := wire.Client(&transport{key: c.Key, next: watched})
	return &Client{config: c, watched: watched, asker: wire.Asker{HTTP: h, Model: c.Model, Key: c.Key}, messages: sdk.NewMessageService(
		// Without these the SDK reads keys, addresses, headers and a profile
		// from the environment and files, and reports to whatever telemetry
		// the process has.
		option.WithoutEnvironmentDefaults(),
		option.WithoutOpenTelemetry(),
		option.WithMaxRetries(0), // each attempt must be booked: model.Retry does it
		option.WithHTTPClient(h),
		option.WithBaseURL(c.BaseURL+"/"),
		option.WithAPIKey(c.Key),
		option.WithHeader("User-Agent", c.UserAgent),
	)}
}

// Close closes the connections that are kept open; requests under way go on.
func (c *Client) Close() { c.watched.CloseIdleConnections() }

// Reply implements [model.Model].
func (c *Client) Reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if c.config.Model == "" {
		return model.Reply{}, &model.Error{Fault: model.FaultRequest, Message: "no model is asked for"}
	}
	start := time.Now()
	var resp *http.Response
	// The answer comes as it is, and the stream that the SDK makes of nothing
	// knows only the error.
	if err := c.messages.NewStreaming(ctx, c.request(r), option.WithResponseBodyInto(&resp)).Err(); err != nil {
		return model.Reply{}, c.asker.Fault(ctx, err)
	}
	defer resp.Body.Close()
	a := assembly{header: resp.Header, key: c.config.Key, earlier: wire.CallsIn(r.Messages), anyPrice: c.config.AnyPrice}
	if err := a.read(resp.Body); err != nil {
		return model.Reply{}, a.failed(c.asker.Fault(ctx, err))
	}
	reply, err := a.reply()
	reply.Latency = time.Since(start)
	return reply, err
}

// Get reads path below the base URL, for catalogues: at most limit bytes, with
// the same faults as Reply.
func (c *Client) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	header := http.Header{}
	header.Set("User-Agent", c.config.UserAgent)
	header.Set("X-Api-Key", c.config.Key)
	header.Set("Anthropic-Version", "2023-06-01")
	return c.asker.Get(ctx, c.config.BaseURL+"/v1"+path, header, limit)
}
