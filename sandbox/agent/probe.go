//go:build linux

package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// probe is the other thing that the agent's program can do: as a command in a
// box it takes an amount of something, so that the host sees whether the box's
// limit bites. It needs no other program in the image. Its exit code is 0 if
// it could try, whatever came of it.
func probe(what string, amount int64, out, errs io.Writer) int {
	probes := map[string]func(int64) (wire.Probe, error){
		wire.ProbeKernel: probeKernel,
		wire.ProbeCPU:    probeCPU,
		wire.ProbePIDs:   probePIDs,
		wire.ProbeMemory: probeMemory,
	}
	try, ok := probes[what]
	if !ok {
		fmt.Fprintf(errs, "glovebox-agent: there is no probe %q\n", what)
		return 2
	}
	found, err := try(amount)
	if err == nil {
		err = json.NewEncoder(out).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(errs, "glovebox-agent: probe:", err)
		return 1
	}
	return 0
}

// otherPersonality (PER_LINUX32) is refused by our filter of system calls and
// by no other; any kernel grants it, and it is this process's alone.
const otherPersonality = 8

func probeKernel(int64) (wire.Probe, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return wire.Probe{}, err
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_PERSONALITY, otherPersonality, 0, 0)
	return wire.Probe{Kernel: unix.ByteSliceToString(u.Release[:]), Filtered: errno == unix.EPERM}, nil
}

// spinners is how many threads ask for a processor: far more than a box that
// is probed may have, so that other work of the machine doesn't look like a limit.
const spinners = 16

func probeCPU(milliseconds int64) (wire.Probe, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(spinners)) // Go itself asks for no more than a box may have
	end := time.Now().Add(time.Duration(milliseconds) * time.Millisecond)
	done := make(chan struct{})
	for range spinners {
		go func() {
			for time.Now().Before(end) {
			}
			done <- struct{}{}
		}()
	}
	for range spinners {
		<-done
	}
	return wire.Probe{}, nil
}

// probePIDs makes n processes that only wait, or fewer if the kernel says that
// there may be no more.
func probePIDs(n int64) (wire.Probe, error) {
	var waiting []int
	defer func() {
		for _, pid := range waiting {
			syscall.Kill(pid, syscall.SIGKILL)
			syscall.Wait4(pid, nil, 0, nil)
		}
	}()
	for int64(len(waiting)) < n {
		pid, errno := forkWaiting()
		if errno == syscall.EAGAIN {
			break
		}
		if errno != 0 {
			return wire.Probe{}, fmt.Errorf("fork: %w", errno)
		}
		waiting = append(waiting, pid)
	}
	return wire.Probe{Forked: int64(len(waiting))}, nil
}

// forkWaiting makes a process that waits for its end and ends with its parent.
// It is a bare copy of this thread, one process and no more: a program that
// is executed would have threads of its own, which count too. Nothing but
// system calls may happen in it.
//
//go:norace
//go:nosplit
func forkWaiting() (int, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return int(pid), errno
	}
	syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0, 0)
	for {
		syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// probeMemory uses n bytes of memory, unless the kernel ends it before.
func probeMemory(n int64) (wire.Probe, error) {
	memory, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return wire.Probe{}, fmt.Errorf("map memory: %w", err)
	}
	defer unix.Munmap(memory)
	// The kernel has put pages there already, all at once, which is faster.
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = byte(i>>12) | 1 // not zero: pages of zeros could be one page
	}
	return wire.Probe{Touched: n, Swapped: swapped()}, nil
}

// swapped is how much of this process is in swap.
func swapped() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmSwap:"); ok {
			if f := strings.Fields(value); len(f) == 2 && f[1] == "kB" {
				kib, _ := strconv.ParseInt(f[0], 10, 64)
				return kib << 10
			}
		}
	}
	return 0
}
