package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Version is the protocol's; it rises with every release whose host or agent one
// of an earlier release would misread. The first has 1. Between releases it
// stays: there the build tells an agent that is not the host's own.
const Version = 1

// maxHello bounds one line of the handshake in bytes. Ours has about 120.
const maxHello = 4 << 10

// ErrProtocol is wrapped by every error that means the other side broke the
// protocol. A box whose agent does is not to be trusted with anything more.
var ErrProtocol = errors.New("the box broke the protocol")

// Hello is one side of the handshake.
type Hello struct {
	// Protocol is [Version].
	Protocol int `json:"protocol"`
	// Build is the SHA-256 of the agent's binary in hex. From the host: the one
	// it expects. From the agent: its own, or "" if it was not asked to check.
	Build string `json:"build,omitempty"`
	// Check asks the agent to hash its own binary, which costs it some
	// milliseconds: engines ask where the agent was put by a way that can fail halfway.
	Check bool `json:"check,omitempty"`
	// Key, from the host, seals the stream after the handshake, see [Seal]; nil
	// leaves it as it is. It is read before anything runs in the box.
	Key []byte `json:"key,omitempty"`
}

// MismatchError says that the agent in the box is not the one that was wanted.
type MismatchError struct {
	What      string // "protocol" or "build"
	Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the agent in the box has another %s: want %s, got %q", e.What, e.Want, e.Got)
}

// Handshake is the host's half. It sends want and checks what the agent
// answers: another protocol, or with want.Check another build, is a
// *MismatchError; anything but one line of at most 4 KiB wraps [ErrProtocol].
//
// It reads no byte beyond the agent's line. It has no deadline of its own: the
// caller sets one by closing rw.
func Handshake(rw io.ReadWriter, want Hello) (Hello, error) {
	want.Protocol = Version
	if err := sendHello(rw, want); err != nil {
		return Hello{}, fmt.Errorf("greet the agent: %w", err)
	}
	got, err := readHello(rw)
	if err != nil {
		return Hello{}, fmt.Errorf("read the agent's greeting: %w", err)
	}
	if got.Protocol != Version {
		return Hello{}, &MismatchError{What: "protocol", Want: fmt.Sprint(Version), Got: fmt.Sprint(got.Protocol)}
	}
	if want.Check && got.Build != want.Build {
		return Hello{}, &MismatchError{What: "build", Want: want.Build, Got: cut(got.Build, 64)}
	}
	return got, nil
}

// Answer is the agent's half. It calls build only if the host asks for a
// check. A host of another protocol is answered, so that it can tell its user,
// and then an error here.
func Answer(rw io.ReadWriter, build func() (string, error)) (Hello, error) {
	host, err := readHello(rw)
	if err != nil {
		return Hello{}, fmt.Errorf("read the host's greeting: %w", err)
	}
	mine := Hello{Protocol: Version}
	if host.Check {
		if mine.Build, err = build(); err != nil {
			return Hello{}, fmt.Errorf("hash the agent: %w", err)
		}
	}
	if err := sendHello(rw, mine); err != nil {
		return Hello{}, fmt.Errorf("greet the host: %w", err)
	}
	if host.Protocol != Version {
		return Hello{}, fmt.Errorf("the host speaks protocol %d, this agent %d", host.Protocol, Version)
	}
	return host, nil
}

func sendHello(w io.Writer, h Hello) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// readHello reads byte by byte: what follows the line belongs to yamux.
func readHello(r io.Reader) (Hello, error) {
	line := make([]byte, 0, 256)
	var b [1]byte
	for {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return Hello{}, err
		}
		if b[0] == '\n' {
			break
		}
		if line = append(line, b[0]); len(line) > maxHello {
			return Hello{}, fmt.Errorf("%w: the greeting is longer than %d bytes", ErrProtocol, maxHello)
		}
	}
	var h Hello
	if err := json.Unmarshal(line, &h); err != nil {
		return Hello{}, fmt.Errorf("%w: the greeting is no greeting: %q", ErrProtocol, cut(string(line), 100))
	}
	return h, nil
}

// cut bounds text of the other side that goes into a message.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
