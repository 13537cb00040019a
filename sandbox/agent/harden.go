//go:build linux

package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// self is what the agent holds of itself once nobody else in the box can
// touch it any more.
type self struct {
	in, out  *os.File // the stream to the host; not descriptors 0 and 1 any more
	program  *os.File // the agent's own binary
	family   *family
	counters *counters
}

// harden turns the process into one that what it runs can't harm: it can't be
// traced, nothing of it is inherited, no signal ends it. What it needs of its
// own entry in /proc is opened before, because an undumpable process's belongs to root.
func harden(in, out *os.File) (*self, error) {
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("open the agent's binary: %w", err)
	}
	oom, err := os.OpenFile("/proc/self/oom_score_adj", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open oom_score_adj: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become undumpable: %w", err)
	}
	syscall.Umask(0o022)
	if os.Getpid() != 1 {
		// What loses its parent comes to the agent, as it would to process 1.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("become a subreaper: %w", err)
		}
	}
	s := &self{program: program, counters: openCounters(cgroupRoot)}
	if s.in, s.out, err = takeStream(in, out); err != nil {
		return nil, fmt.Errorf("take the stream: %w", err)
	}
	if err := closeOnExec(); err != nil {
		return nil, fmt.Errorf("keep descriptors from being inherited: %w", err)
	}
	ignoreSignals()
	startThreads()
	if s.family, err = newFamily(oom); err != nil {
		return nil, err
	}
	return s, nil
}

// takeStream moves the stream to other descriptors and puts /dev/null in
// their place, so that nothing that prints by mistake writes into it.
func takeStream(in, out *os.File) (*os.File, *os.File, error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(null)
	move := func(f *os.File, name string) (*os.File, error) {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, err
		}
		if err := unix.Dup3(null, int(f.Fd()), unix.O_CLOEXEC); err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), name), nil
	}
	hostIn, err := move(in, "host-in")
	if err != nil {
		return nil, nil, err
	}
	hostOut, err := move(out, "host-out")
	return hostIn, hostOut, err
}

// closeOnExec marks every open descriptor, also those that whoever started the
// agent left open. Standard error stays the agent's alone, too.
func closeOnExec() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			unix.CloseOnExec(fd) // the one that read the directory is closed by now
		}
	}
	return nil
}

// ignoreSignals takes every signal that a process may send and does nothing.
// Ignoring them in the kernel's sense would be inherited by what the agent
// runs, where it is wrong; handlers are not.
//
// Two ways remain to end the agent from inside its box: a SIGSEGV that was
// queued with a false origin, and one that a file descriptor's owner gets. Both
// end the box, so they gain nothing.
func ignoreSignals() {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	go func() {
		for range signals {
		}
	}()
	for sig := firstLibcSignal; sig <= lastLibcSignal; sig++ {
		ignoreInKernel(sig)
	}
}

// The real-time signals that C libraries use for themselves, and that the Go
// runtime leaves alone: signal.Notify does not take them.
const (
	firstLibcSignal = 32
	lastLibcSignal  = 34
)

// ignoreInKernel makes the kernel drop a signal. The kernel keeps a signal with
// its default action from process 1 only while that process's first thread does
// not block it, and Go blocks all of them whenever it starts a thread: in that
// moment any process of the box could end the agent. Children inherit that these
// three are ignored, which is harmless: a C library sets them up when it needs them.
func ignoreInKernel(sig int) {
	action := struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}{handler: 1} // SIG_IGN
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action.mask), 0, 0)
}

// startThreads makes the Go runtime start its threads now. Later, in a box that
// is full of processes, it could not, and would end the agent.
func startThreads() {
	const threads = 12
	var ready, done sync.WaitGroup
	release := make(chan struct{})
	for range threads {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread()
			ready.Done()
			<-release
			runtime.UnlockOSThread()
		}()
	}
	ready.Wait()
	close(release)
	done.Wait()
}

// build is the SHA-256 of the agent's own binary in hex.
func (s *self) build() (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(s.program, 0, 1<<30)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
