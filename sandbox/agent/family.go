//go:build linux

package agent

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childScore is what the agent's children have as oom_score_adj: the most, so
// that the kernel takes all of them before the agent.
const childScore = "1000"

// family starts processes and reaps all that die: its own children and the
// orphans that come to it. There is one waiter for all, because two that wait
// for any child take each other's.
type family struct {
	mu      sync.Mutex // held around fork and wait, so that no child is reaped before it is known
	oom     *os.File   // /proc/self/oom_score_adj
	score   string     // what it says of the agent
	waiting map[int]chan syscall.WaitStatus
}

// newFamily begins to reap.
func newFamily(oom *os.File) (*family, error) {
	var b [16]byte
	n, err := oom.ReadAt(b[:], 0)
	if n == 0 {
		return nil, fmt.Errorf("read oom_score_adj: %w", err)
	}
	f := &family{oom: oom, score: strings.TrimSpace(string(b[:n])), waiting: map[int]chan syscall.WaitStatus{}}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	go func() {
		for range died {
			f.reap()
		}
	}()
	return f, nil
}

// start runs path; its status is sent when it has ended. A process gets the
// score of a child by inheriting it: the agent has it itself for the moment of the fork.
func (f *family) start(path string, argv []string, attr *syscall.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.oom.WriteAt([]byte(childScore), 0); err != nil {
		return 0, nil, fmt.Errorf("raise oom_score_adj: %w", err)
	}
	pid, err := syscall.ForkExec(path, argv, attr)
	if _, back := f.oom.WriteAt([]byte(f.score), 0); back != nil && err == nil {
		// The agent is easier prey now than it should be; nothing worse.
		fmt.Fprintln(os.Stderr, "glovebox-agent: lower oom_score_adj:", back)
	}
	if err != nil {
		return 0, nil, err
	}
	status := make(chan syscall.WaitStatus, 1)
	f.waiting[pid] = status
	return pid, status, nil
}

// reap takes every child that has died.
func (f *family) reap() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if waiter := f.waiting[pid]; waiter != nil {
			waiter <- status
			delete(f.waiting, pid)
		}
	}
}

// childless says that nothing runs below the agent. Orphans come to it, so
// without a child of its own it has no descendants; that saves most commands
// the walk through /proc.
func (f *family) childless() bool {
	f.reap()
	f.mu.Lock()
	defer f.mu.Unlock()
	return unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == unix.ECHILD
}

// snapshot is every process that there is, and which of them start started
// and are not reaped. Nothing is started or reaped meanwhile: a command that
// ended between the two would look like something that was left.
func (f *family) snapshot() (table, map[int]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	running := make(map[int]bool, len(f.waiting))
	for pid := range f.waiting {
		running[pid] = true
	}
	return processes(), running
}

// killAll kills everything in the box but the agent: as process 1 in one call
// that nothing can outrun, else whatever descends from it.
func (f *family) killAll() {
	if os.Getpid() == 1 {
		syscall.Kill(-1, syscall.SIGKILL)
		return
	}
	KillDescendants(os.Getpid())
}

// KillDescendants kills every process that descends from pid, until there are
// none or a second has passed: what forks all the time may outrun it.
func KillDescendants(pid int) {
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		alive := 0
		all := processes()
		for _, p := range all {
			if p.pid != pid && !p.dead() && all.descends(p, map[int]bool{pid: true}) {
				syscall.Kill(p.pid, syscall.SIGKILL)
				alive++
			}
		}
		if alive == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
