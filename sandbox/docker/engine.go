package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
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
// container waits until its processes are dead and its file system is
// unmounted: of fifty at once on two busy processors the last took 40 s.
const cleanupTime = time.Minute

// awayTime is how long an engine that has worked may be away: a restart takes
// it some seconds, with many containers more.
const awayTime = 20 * time.Second

// Options configure an [Engine]. The address of the engine comes from the
// environment (DOCKER_HOST and its companions; unix://, tcp:// and ssh://);
// contexts of the docker command are not read.
type Options struct {
	// Log receives what an operator may want to know; nil is silence.
	Log hclog.Logger
	// Runtime is the engine's name of the runtime for boxes, for example
	// "runsc"; "" is the engine's default.
	Runtime string
	// CacheDir is a directory in which it is remembered that an engine's limits
	// bite, see [Engine.Check]; it is made when needed. "" remembers nothing.
	CacheDir string
}

// Engine is a Docker engine. Its methods may be called from several
// goroutines at once.
type Engine struct {
	api      api
	log      hclog.Logger
	runtime  string
	cacheDir string
	owner    string // of what is started here, see owner
	host     string // address, as the environment names it

	agentFor func(arch string) (binary.Agent, error)

	checking gate                  // the right to check the engine
	facts    *Facts                // of an engine that has every wall; nil until checked
	filling  gate                  // the right to fill a volume with the agent
	mu       sync.Mutex            // guards what follows
	agent    agentVolume           // an agent from it has answered with the right build; zero until one has
	known    map[string]imageFacts // by image id, which names the same content for ever
}

var (
	_ sandbox.Engine  = (*Engine)(nil)
	_ sandbox.Volumes = (*Engine)(nil)
	_ images.Store    = (*Engine)(nil)
)

// New connects to the engine that the environment names and agrees on a
// version of its API (1.41, Docker 20.10, and later). An engine that does not
// answer is an error that wraps [ErrNoEngine]. Whether the engine has every
// wall is looked at by [Engine.Check] and before the first box, for removing
// leftovers and listing images need no walls.
func New(ctx context.Context, o Options) (*Engine, error) {
	host := os.Getenv(client.EnvOverrideHost)
	options, err := connection(host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoEngine, err)
	}
	c, err := client.NewClientWithOpts(append(options, client.WithAPIVersionNegotiation())...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoEngine, err)
	}
	e := newEngine(c, o)
	e.host = cmp.Or(host, c.DaemonHost())
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if _, err := c.Ping(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("%w at %s: %w", ErrNoEngine, e.host, err)
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
		host:     a.DaemonHost(),
		log:      log.Named("docker"),
		runtime:  o.Runtime,
		cacheDir: o.CacheDir,
		owner:    self().String(),
		checking: make(gate, 1),
		filling:  make(gate, 1),
		agentFor: binary.For,
		known:    map[string]imageFacts{},
	}
}

// Remote says that the engine is reached over a network: it sees no directory
// of this machine.
func (e *Engine) Remote() bool { return !strings.HasPrefix(e.host, "unix://") }

// Close gives up the connections to the engine. Boxes are not ended by it.
func (e *Engine) Close() error { return e.api.Close() }

// gate holds one token: the right to do what has to be done once.
type gate chan struct{}

// enter waits for the right and returns the function that gives it back.
func (g gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cleanup is a context for undoing something, whatever became of the one for doing it.
func cleanup() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cleanupTime)
}

// wentAway says that an engine ended a connection or took none, and not that
// it answered with a failure.
func wentAway(err error) bool {
	var broken *net.OpError
	return client.IsErrConnectionFailed(err) ||
		!errors.Is(err, errAgent) && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken))
}

// back waits for an engine that was there and does not answer, as while it is
// restarted, and says whether it answers again.
func back(ctx context.Context, a api) bool {
	ctx, cancel := context.WithTimeout(ctx, awayTime)
	defer cancel()
	for tick := time.NewTicker(awayTime / 100); ; {
		if _, err := a.Ping(ctx); err == nil || ctx.Err() != nil {
			tick.Stop()
			return err == nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
