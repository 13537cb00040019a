package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docker/docker/client"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// connection says how to reach the engine that the environment names. The
// client knows unix sockets and TCP; over ssh each connection is a process of
// the user's ssh, which runs `docker system dial-stdio` over there, as the
// docker command does it.
func connection(host string) ([]client.Opt, error) {
	if !strings.HasPrefix(host, "ssh://") {
		return []client.Opt{client.FromEnv}, nil
	}
	args, err := sshCommand(host)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialCommand(ctx, args) }
	return []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: dial}}),
		client.WithHost("http://docker.example.com"), // a name for the Host header; nobody looks it up
		client.WithDialContext(dial),
		client.WithVersionFromEnv(),
	}, nil
}

// sshCommand is the command line for ssh://[USER@]HOST[:PORT][/SOCKET].
func sshCommand(host string) ([]string, error) {
	u, err := url.Parse(host)
	if err != nil {
		return nil, fmt.Errorf("DOCKER_HOST: %w", err)
	}
	_, password := u.User.Password()
	switch {
	case u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-") || strings.HasPrefix(u.User.Username(), "-"):
		return nil, errors.New("DOCKER_HOST names no host: ssh://user@host")
	case password:
		return nil, errors.New("DOCKER_HOST has a password, which ssh does not take: use a key")
	case u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(u.Path, " '\"\\$`;&|<>()\n"):
		return nil, errors.New("DOCKER_HOST is more than ssh://user@host:port/path")
	}
	args := []string{"ssh", "-T", "-o", "ConnectTimeout=10", "-o", "BatchMode=yes"}
	if name := u.User.Username(); name != "" {
		args = append(args, "-l", name)
	}
	if port := u.Port(); port != "" {
		args = append(args, "-p", port)
	}
	args = append(args, "--", u.Hostname(), "docker")
	if u.Path != "" && u.Path != "/" {
		args = append(args, "--host", "unix://"+u.Path)
	}
	return append(args, "system", "dial-stdio"), nil
}

// commandConn is a connection that consists of a process's input and output.
type commandConn struct {
	in     io.WriteCloser
	out    *os.File
	cmd    *exec.Cmd
	errs   *tail
	closed sync.Once
}

// dialCommand starts a command as a connection. ctx is heeded while it starts only.
func dialCommand(ctx context.Context, args []string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &commandConn{cmd: exec.Command(args[0], args[1:]...), errs: &tail{}}
	// A group of its own: Ctrl-C at a terminal is for glovebox, which still has
	// to remove its boxes.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Stderr, c.cmd.WaitDelay = c.errs, time.Second // ssh may leave a master behind that holds it
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	c.in, c.out, c.cmd.Stdout = in, out, theirs
	err = c.cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", args[0], err), in.Close(), out.Close())
	}
	return c, nil
}

func (c *commandConn) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if errors.Is(err, io.EOF) {
		if words := strings.TrimSpace(c.errs.String()); words != "" {
			err = fmt.Errorf("%s: %s: %w", c.cmd.Args[0], wire.Printable(words, 300), io.EOF)
		}
	}
	return n, err
}

func (c *commandConn) Write(p []byte) (int, error) { return c.in.Write(p) }

// CloseWrite ends what is sent; answers still come.
func (c *commandConn) CloseWrite() error { return c.in.Close() }

// Close ends the process.
func (c *commandConn) Close() error {
	c.closed.Do(func() {
		c.in.Close()
		c.cmd.Process.Kill()
		c.out.Close()
		c.cmd.Wait()
	})
	return nil
}

// A process has no addresses; deadlines are those of its output.
func (c *commandConn) LocalAddr() net.Addr                { return commandAddr{} }
func (c *commandConn) RemoteAddr() net.Addr               { return commandAddr{} }
func (c *commandConn) SetDeadline(t time.Time) error      { return c.out.SetReadDeadline(t) }
func (c *commandConn) SetReadDeadline(t time.Time) error  { return c.out.SetReadDeadline(t) }
func (c *commandConn) SetWriteDeadline(t time.Time) error { return nil }

type commandAddr struct{}

func (commandAddr) Network() string { return "command" }
func (commandAddr) String() string  { return "command" }
