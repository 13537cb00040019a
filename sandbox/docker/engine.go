package docker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/client"
	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
)

// ErrNoEngine is wrapped by [New] when no Docker engine answers. A command
// ends as "no-sandbox" then.
var ErrNoEngine = errors.New("no Docker engine answers")

// pingTime is how long an engine may take to answer at all. A local one
// answers in a millisecond; one behind ssh or on a busy machine takes longer.
const pingTime = 10 * time.Second

// cleanupTime bounds what is done after a context has ended: removing a
// container waits until its processes are dead and its file system is unmounted.
const cleanupTime = 30 * time.Second

// Options configure an [Engine]. The address of the engine comes from the
// environment (DOCKER_HOST and its companions); contexts of the docker command
// are not read.
type Options struct {
	// Log receives what an operator may want to know; nil is silence.
	Log hclog.Logger
	// Runtime is the engine's name of the runtime for boxes, for example
	// "runsc"; "" is the engine's default.
	Runtime string
}

// Engine is a Docker engine. Its methods may be called from several
// goroutines at once.
type Engine struct {
	api     api
	log     hclog.Logger
	runtime string
	owner   string // of what is started here, see owner

	agentFor func(arch string) (binary.Agent, error)

	gate  chan struct{} // holds one token: the right to fill the fields below for the first time
	mu    sync.Mutex
	facts *Facts                // of an engine that has every wall; nil until checked
	agent agentVolume           // an agent from it has answered with the right build; zero until one has
	known map[string]imageFacts // by image id, which names the same content for ever
}

var (
	_ sandbox.Engine = (*Engine)(nil)
	_ images.Store   = (*Engine)(nil)
)

// New connects to the engine that the environment names and agrees on a
// version of its API (1.41, Docker 20.10, and later). An engine that does not
// answer is an error that wraps [ErrNoEngine]. Whether the engine has every
// wall is looked at by [Engine.Check] and before the first box, for removing
// leftovers and listing images need no walls.
func New(ctx context.Context, o Options) (*Engine, error) {
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoEngine, err)
	}
	e := newEngine(c, o)
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if _, err := c.Ping(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("%w at %s: %w", ErrNoEngine, c.DaemonHost(), err)
	}
	return e, nil
}

func newEngine(a api, o Options) *Engine {
	log := o.Log
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return &Engine{
		api:      a,
		log:      log.Named("docker"),
		runtime:  o.Runtime,
		owner:    self().String(),
		gate:     make(chan struct{}, 1),
		agentFor: binary.For,
		known:    map[string]imageFacts{},
	}
}

// Close gives up the connections to the engine. Boxes are not ended by it.
func (e *Engine) Close() error { return e.api.Close() }

// enter waits for the right to do what has to be done once, and returns the
// function that gives it back.
func (e *Engine) enter(ctx context.Context) (leave func(), err error) {
	select {
	case e.gate <- struct{}{}:
		return func() { <-e.gate }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cleanup is a context for undoing something, whatever became of the one for doing it.
func cleanup() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cleanupTime)
}
