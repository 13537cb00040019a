//go:build linux

// Package dockertest starts Docker engines of a test's own, for what no test
// may do to an engine that others use: restart it, kill it, fill its disk, give
// it other runtimes.
//
// Such an engine has its own directories, socket, process ids and, in
// containerd, its own namespace. It makes no network devices and no rules of a
// firewall. It needs root and dockerd; a test without them fails.
package dockertest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// startTime is how long an engine may take to answer: 1 to 2 s on an idle machine.
	startTime = time.Minute
	// stopTime is how long one may take to end after it was asked to.
	stopTime = 30 * time.Second
)

// Options say what is different about an engine.
type Options struct {
	// Args are further arguments of dockerd.
	Args []string
	// Config is the content of its configuration file (daemon.json), which is
	// not the machine's; "" is an empty one.
	Config string
	// Disk is how much it can keep, in bytes; 0 is as much as there is room.
	Disk int64
}

// Engine is a Docker engine of one test. Its methods are for one goroutine.
type Engine struct {
	t     testing.TB
	o     Options
	dir   string // short, for it holds sockets
	space string // its namespace in containerd
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
}

// Start starts an engine, waits until it answers, and removes everything of it
// after the test, also when the test's process is killed. What it wrote is
// shown if the test fails.
func Start(t testing.TB, o Options) *Engine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the test starts a Docker engine of its own, which only root can; go test -short leaves it out")
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Fatalf("the test starts a Docker engine of its own: %v; go test -short leaves it out", err)
	}
	dir, err := os.MkdirTemp("", "gbe")
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{t: t, o: o, dir: dir, space: "glovebox-" + filepath.Base(dir)}
	e.removeAfter()
	t.Cleanup(func() {
		e.Stop()
		if t.Failed() {
			t.Logf("the engine wrote:\n%s", e.Log())
		}
	})
	if o.Config == "" {
		o.Config = "{}"
	}
	if err := os.WriteFile(e.file("daemon.json"), []byte(o.Config), 0o600); err != nil {
		t.Fatal(err)
	}
	if o.Disk > 0 {
		if err := os.Mkdir(e.Data(), 0o711); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", e.Data(), "tmpfs", 0, fmt.Sprintf("mode=0711,size=%d", o.Disk)); err != nil {
			t.Fatalf("a small file system for the engine: %v", err)
		}
	}
	e.Start()
	return e
}

//go:embed remove.sh
var removeScript string

// removeAfter starts a process that removes everything of the engine when this
// one has ended or lets it.
func (e *Engine) removeAfter() {
	e.t.Helper()
	names := strings.Join([]string{e.space, e.file("pid"), e.containerd("containerd.toml")}, "\n") + "\n"
	if err := os.WriteFile(e.file("names"), []byte(names), 0o600); err != nil {
		e.t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", removeScript)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DIR=" + e.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	end, err := cmd.StdinPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		end.Close()
		if err := cmd.Wait(); err != nil || said.Len() > 0 {
			e.t.Errorf("remove what is left of the engine: %v: %s", err, said.String())
		}
	})
}

func (e *Engine) file(name string) string { return filepath.Join(e.dir, name) }

// containerd names a file of the containerd that an engine starts if the
// machine has none.
func (e *Engine) containerd(name string) string { return e.file("x/containerd/" + name) }

// Host is its address, as in DOCKER_HOST.
func (e *Engine) Host() string { return "unix://" + e.Socket() }

// Socket is the path of its socket.
func (e *Engine) Socket() string { return e.file("s") }

// Start starts it again after [Engine.Stop] or [Engine.Kill] and waits until it answers.
func (e *Engine) Start() {
	e.t.Helper()
	log, err := os.OpenFile(e.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("dockerd", append([]string{
		"--config-file", e.file("daemon.json"), "--data-root", e.Data(), "--exec-root", e.file("x"), "--pidfile", e.file("pid"),
		"--host", e.Host(), "--containerd-namespace", e.space, "--containerd-plugins-namespace", e.space + "-plugins",
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false",
	}, e.o.Args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	// A network of its own: an engine that shall have no bridge removes the one
	// that is there, which is that of the machine's engine.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ends is in its log
	}()
	e.cmd, e.ended = cmd, ended
	e.await()
}

// await waits until the engine answers.
func (e *Engine) await() {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-e.ended:
			tick.Stop()
			e.t.Fatalf("the engine has ended: %s", e.Log())
		case <-ctx.Done():
			tick.Stop()
			e.t.Fatalf("the engine does not answer after %s: %s", startTime, e.Log())
		case <-tick.C:
			if _, err := e.get(ctx, "/_ping"); err == nil {
				tick.Stop()
				return
			}
		}
	}
}

// get asks the engine without a client of its own kind.
func (e *Engine) get(ctx context.Context, path string) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", e.Socket())
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// Data is the directory in which it keeps images and containers.
func (e *Engine) Data() string { return e.file("data") }

// PID is the process of the engine.
func (e *Engine) PID() int { return e.cmd.Process.Pid }

// Stop ends it as a machine does that shuts down: it kills its containers and
// goes. It does nothing to one that has ended.
func (e *Engine) Stop() {
	e.t.Helper()
	e.end(syscall.SIGTERM)
}

// Kill ends it with SIGKILL: its containers go on, and nobody serves their streams.
func (e *Engine) Kill() {
	e.t.Helper()
	e.end(syscall.SIGKILL)
	// Its containerd dies with it, but until somebody has waited for that
	// process the next engine takes it for alive.
	b, err := os.ReadFile(e.containerd("containerd.pid"))
	if err != nil {
		return // the machine's own
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		for lives(pid) {
			time.Sleep(time.Millisecond)
		}
	}
	if err := os.Remove(e.containerd("containerd.pid")); err != nil {
		e.t.Error(err)
	}
}

// lives says that a process has not ended; one that nobody has waited for has.
func lives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(b, ')')
	return err == nil && i > 0 && i+2 < len(b) && b[i+2] != 'Z' && b[i+2] != 'X'
}

func (e *Engine) end(s syscall.Signal) {
	e.t.Helper()
	if e.cmd == nil {
		return
	}
	_ = e.cmd.Process.Signal(s) // one that has ended is as good
	select {
	case <-e.ended:
		e.cmd = nil
	case <-time.After(stopTime):
		e.t.Errorf("the engine did not end within %s of %s", stopTime, s)
	}
}

// Containers are the ids of the containers in which something runs, whether the
// engine lives or not.
func (e *Engine) Containers() (ids []string) {
	e.t.Helper()
	for pid, args := range e.processes() {
		i := index(args, "-id")
		if !strings.Contains(filepath.Base(args[0]), "containerd-shim") || i < 0 || i+1 >= len(args) {
			continue
		}
		if hasChild(pid) { // a shim outlives its container until the engine has heard of the end
			ids = append(ids, args[i+1])
		}
	}
	return ids
}

// hasChild says that a process has a child that lives.
func hasChild(pid int) bool {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, child := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(child); err == nil && lives(n) {
				return true
			}
		}
	}
	return false
}

// processes are the arguments of the processes of the engine and of what it started.
func (e *Engine) processes() map[int][]string {
	found := map[int][]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		b, err := os.ReadFile(dir + "/cmdline")
		args := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
		if pid, bad := strconv.Atoi(filepath.Base(dir)); err == nil && bad == nil && index(args, e.space) > 0 {
			found[pid] = args
		}
	}
	return found
}

func index(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	return -1
}

// Log is the end of what the engine wrote, at most 8 KiB.
func (e *Engine) Log() string {
	b, err := os.ReadFile(e.file("log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-8<<10):])
}
