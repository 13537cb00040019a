//go:build linux

package boxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/agent"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// agentVariable, when it is set, makes a test binary an agent.
const agentVariable = "GLOVEBOX_BOXTEST_AGENT"

// AgentIfAsked turns the process into an agent and never returns, if the
// [Fake] of another test process started it for that. It belongs at the
// beginning of TestMain.
func AgentIfAsked() {
	if os.Getenv(agentVariable) != "" {
		os.Exit(agent.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
}

// Main is a whole TestMain for packages whose tests use the [Fake].
func Main(m *testing.M) {
	AgentIfAsked()
	os.Exit(m.Run())
}

// Fake is an engine without any wall: the real agent runs as an ordinary
// process of the host, as a child of the test, in the directories of the Spec.
// What its boxes run can do all that the test can. It exists so that what is
// built on boxes can be tested in milliseconds without Docker, and it refuses
// to work outside of a test.
//
// In its boxes [sandbox.Workspace] and [sandbox.Home] are only names: the
// agent puts the Spec's directories in their place in paths and in the values
// of the environment, but a command's own text is not touched.
type Fake struct {
	mu        sync.Mutex
	starts    int
	fail      map[int]error
	boxes     []*fakeConn
	volumes   map[string]string // the job of each volume, by name
	made      int               // volumes, in all
	elsewhere bool              // no directory of the host can be mounted
	scratch   string
	agent     func() (string, error) // path of the program that is an agent
}

var _ sandbox.Engine = (*Fake)(nil)

// New returns a fake engine whose boxes are all ended with the test.
func New(t testing.TB) *Fake {
	t.Helper()
	f := &Fake{agent: builtAgent, fail: map[int]error{}, volumes: map[string]string{}, scratch: t.TempDir()}
	t.Cleanup(func() {
		for _, c := range f.all() {
			c.Close()
		}
	})
	return f
}

// NewChecked is New with agents that are this test program itself: under the
// race detector they have it, too, and take a hundred times as long to start.
// The program's TestMain has to begin with [AgentIfAsked].
func NewChecked(t testing.TB) *Fake {
	t.Helper()
	f := New(t)
	f.agent = os.Executable
	return f
}

// programVariable names a built agent, for test programs that are started by
// another one.
const programVariable = "GLOVEBOX_BOXTEST_PROGRAM"

// Inherited is the entry of an environment with which a further process of
// this test program uses the same built agent.
func Inherited() (string, error) {
	program, err := builtAgent()
	return programVariable + "=" + program, err
}

// builtAgent builds the agent once for each test program. It lies beside the
// test program, whose directory goes when the tests have ended.
var builtAgent = sync.OnceValues(func() (string, error) {
	if program := os.Getenv(programVariable); program != "" {
		return program, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	program := self + "-agent"
	build := exec.Command("go", "build", "-o", program, "github.com/glovebox-run/glovebox/cmd/glovebox-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the agent: %w: %s", err, out)
	}
	return program, nil
})

// FailStart makes the nth call of Start (from 1) fail with err.
func (f *Fake) FailStart(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[n] = err
}

// Kill ends the box with this ID as if its container had been killed from outside.
func (f *Fake) Kill(id string) {
	for _, c := range f.all() {
		if c.id == id {
			c.kill()
			<-c.gone
		}
	}
}

// Starts is how often Start was called.
func (f *Fake) Starts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.starts
}

// Live is how many boxes run.
func (f *Fake) Live() int {
	live := 0
	for _, c := range f.all() {
		select {
		case <-c.gone:
		default:
			live++
		}
	}
	return live
}

// lives says whether the box with this ID runs. All fake boxes have the
// network of the host; a real engine joins that of a box that runs.
func (f *Fake) lives(id string) bool {
	for _, c := range f.all() {
		if c.id == id {
			select {
			case <-c.gone:
			default:
				return true
			}
		}
	}
	return false
}

func (f *Fake) all() []*fakeConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*fakeConn(nil), f.boxes...)
}

// Start starts an agent; see [sandbox.Engine].
func (f *Fake) Start(ctx context.Context, s sandbox.Spec) (sandbox.Conn, error) {
	if !testing.Testing() {
		return nil, errors.New("the fake engine has no walls and works in tests only")
	}
	f.mu.Lock()
	f.starts++
	n := f.starts
	err := f.fail[n]
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.Network != "" && !f.lives(s.Network) {
		return nil, fmt.Errorf("start fake box %d: can't join the network of %s, which does not run", n, s.Network)
	}
	c, err := f.launch(n, s)
	if err != nil {
		return nil, fmt.Errorf("start fake box %d: %w", n, err)
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	_, err = wire.Handshake(c, wire.Hello{})
	if !stop() || err != nil {
		c.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("start fake box %d: %w (%s)", n, err, c.Diagnosis())
	}
	f.mu.Lock()
	f.boxes = append(f.boxes, c)
	f.mu.Unlock()
	return c, nil
}

// launch starts the test binary as an agent in the directories of s.
func (f *Fake) launch(n int, s sandbox.Spec) (*fakeConn, error) {
	dirs := map[string]string{"workspace": s.Workspace, "home": s.Home}
	if err := f.mount(s, dirs); err != nil {
		return nil, err
	}
	for name, dir := range dirs {
		if dir != "" {
			continue
		}
		dirs[name] = filepath.Join(f.scratch, fmt.Sprintf("%s-%d", name, n))
		if err := os.MkdirAll(dirs[name], 0o755); err != nil {
			return nil, err
		}
	}
	program, err := f.agent()
	if err != nil {
		return nil, err
	}
	c := &fakeConn{id: fmt.Sprintf("fake-%d", n), gone: make(chan struct{})}
	c.cmd = exec.Command(program, "-workspace", dirs["workspace"], "-home", dirs["home"])
	// Under the race detector a program sleeps a second at its end unless told not to.
	c.cmd.Env = []string{agentVariable + "=1", "GORACE=atexit_sleep_ms=0"}
	c.cmd.Stderr = &c.stderr
	// A group of its own: what a terminal sends to the tests is not for boxes.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.start(); err != nil {
		return nil, err
	}
	return c, nil
}

// fakeConn is the stream to one agent process.
type fakeConn struct {
	id     string
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	stderr tail
	closed sync.Once
	gone   chan struct{} // closed when the agent has ended
}

// start starts the agent. Its pipes are made here, not by exec: waiting for
// the process must not close them under a reader.
func (c *fakeConn) start() (err error) {
	var ends [2]*os.File
	if ends[0], c.in, err = os.Pipe(); err != nil {
		return err
	}
	defer ends[0].Close()
	if c.out, ends[1], err = os.Pipe(); err != nil {
		c.in.Close()
		return err
	}
	defer ends[1].Close()
	c.cmd.Stdin, c.cmd.Stdout = ends[0], ends[1]
	if err := c.cmd.Start(); err != nil {
		c.in.Close()
		c.out.Close()
		return err
	}
	go func() {
		c.cmd.Wait()
		close(c.gone)
	}()
	return nil
}

func (c *fakeConn) Read(p []byte) (int, error)  { return c.out.Read(p) }
func (c *fakeConn) Write(p []byte) (int, error) { return c.in.Write(p) }
func (c *fakeConn) ID() string                  { return c.id }

// closeTime is how long an agent may take to end what it runs.
const closeTime = 5 * time.Second

// Close ends the agent, which ends all that it runs.
func (c *fakeConn) Close() error {
	c.closed.Do(func() {
		c.in.Close()
		select {
		case <-c.gone:
		case <-time.After(closeTime):
			c.kill()
			<-c.gone
		}
		c.out.Close()
	})
	return nil
}

// kill ends the agent and all that descends from it, as the end of a container would.
func (c *fakeConn) kill() {
	pid := c.cmd.Process.Pid
	c.cmd.Process.Signal(syscall.SIGSTOP) // so that nothing new is started or reaped meanwhile
	agent.KillDescendants(pid)
	c.cmd.Process.Kill()
}

// Diagnosis says how the agent process ended and what it printed last.
func (c *fakeConn) Diagnosis() string {
	select {
	case <-c.gone:
		return strings.TrimSpace(c.cmd.ProcessState.String() + " " + c.stderr.String())
	default:
		return ""
	}
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if n := t.buf.Len() - 2048; n > 0 {
		t.buf.Next(n)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
