package wire

import (
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	// window is how much of one stream may be under way and unread, in bytes: yamux's smallest.
	window = 256 << 10
	// keepAlive is how often the host pings the agent, which ends after 60 s of silence.
	keepAlive = 15 * time.Second
	// patience is how long a write or the answer to a ping may take before the
	// stream is given up: long, because a laptop that builds something is slow.
	patience = 30 * time.Second
	// streamClose is how long a half-closed stream is remembered.
	streamClose = 10 * time.Second
)

// Client is the host's end of a stream after the handshake. It trusts nothing:
// a stream that the agent opens, a ping of its own or a frame that is longer
// than agreed ends the session and closes conn. Closing the session closes conn.
func Client(conn io.ReadWriteCloser) (*yamux.Session, error) {
	c := config()
	c.EnableKeepAlive = true
	return yamux.Client(&guarded{ReadWriteCloser: &joined{ReadWriteCloser: conn}}, c)
}

// Server is the agent's end.
func Server(conn io.ReadWriteCloser) (*yamux.Session, error) {
	return yamux.Server(&joined{ReadWriteCloser: conn}, config())
}

func config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.EnableKeepAlive = false
	c.KeepAliveInterval = keepAlive
	c.ConnectionWriteTimeout = patience
	c.MaxStreamWindowSize = window
	c.StreamOpenTimeout = patience
	c.StreamCloseTimeout = streamClose
	c.AcceptBacklog = 64
	c.LogOutput = io.Discard // its messages carry no more than its errors
	return c
}

// guarded lets through only the yamux frames that an agent has reason to
// send. yamux answers each ping in a goroutine of its own and holds a stream
// for each that is opened: an agent that sends them without end and reads
// nothing would fill the host's memory.
type guarded struct {
	io.ReadWriteCloser
	header  [12]byte // version, type, flags(2), stream(4), length(4)
	have    int      // bytes of header that are there
	payload uint32   // bytes of the current frame that are still to come
	broken  error
}

// The parts of yamux's frame that are judged (github.com/hashicorp/yamux, spec.md).
const (
	yamuxData   = 0
	yamuxWindow = 1
	yamuxPing   = 2
	yamuxGoAway = 3
	yamuxSYN    = 1
	yamuxACK    = 2
)

func (g *guarded) Read(p []byte) (int, error) {
	if g.broken != nil {
		return 0, g.broken
	}
	n, err := g.ReadWriteCloser.Read(p)
	if g.broken = g.check(p[:n]); g.broken != nil {
		return 0, g.broken
	}
	return n, err
}

// check follows the frames through the bytes as they come.
func (g *guarded) check(p []byte) error {
	for len(p) > 0 {
		if g.payload > 0 {
			n := min(uint32(len(p)), g.payload)
			g.payload -= n
			p = p[n:]
			continue
		}
		n := copy(g.header[g.have:], p)
		g.have += n
		p = p[n:]
		if g.have < len(g.header) {
			return nil
		}
		g.have = 0
		if err := g.judge(); err != nil {
			return err
		}
	}
	return nil
}

func (g *guarded) judge() error {
	h := g.header
	kind, flags := h[1], uint16(h[2])<<8|uint16(h[3])
	length := uint32(h[8])<<24 | uint32(h[9])<<16 | uint32(h[10])<<8 | uint32(h[11])
	switch {
	case h[0] != 0 || kind > yamuxGoAway:
		return fmt.Errorf("%w: no yamux frame", ErrProtocol)
	case flags&yamuxSYN != 0:
		return fmt.Errorf("%w: the agent opened a stream or sent a ping", ErrProtocol)
	case kind == yamuxPing && flags != yamuxACK:
		return fmt.Errorf("%w: a ping that is no answer", ErrProtocol)
	case kind == yamuxGoAway:
		return fmt.Errorf("%w: the agent ended the session", ErrProtocol)
	case kind == yamuxData && length > window:
		return fmt.Errorf("%w: a frame of %d bytes", ErrProtocol, length)
	}
	if kind == yamuxData {
		g.payload = length
	}
	return nil
}
