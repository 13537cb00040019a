//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// agent are attacks on process 1 of the box.
func agent() map[string]attack {
	all := map[string]attack{
		"agent-ptrace":  func(ground) (string, error) { return trace(1) },
		"agent-read":    func(ground) (string, error) { return readVM(1) },
		"agent-mem":     func(ground) (string, error) { return openedOne(unix.O_RDWR, "/proc/1/mem") },
		"agent-environ": func(ground) (string, error) { return openedOne(unix.O_RDONLY, "/proc/1/environ") },
		"agent-maps":    func(ground) (string, error) { return openedOne(unix.O_RDONLY, "/proc/1/maps", "/proc/1/auxv") },
		"agent-links": func(ground) (string, error) {
			for _, name := range []string{"exe", "cwd", "root"} {
				if to, err := os.Readlink("/proc/1/" + name); err == nil {
					return to, nil
				}
			}
			return "", unix.EACCES
		},
		"agent-stream":  agentStream,
		"agent-signals": agentSignals,
		"agent-limit":   func(ground) (string, error) { return "limited", limitFiles(1) },
		"agent-renice":  func(ground) (string, error) { return "reniced", unix.Setpriority(unix.PRIO_PROCESS, 1, 19) },
		"agent-ioprio": func(ground) (string, error) {
			_, err := call(unix.SYS_IOPRIO_SET, 1, 1, 3<<13) // of a process, idle
			return "idle", err
		},
		"agent-affinity": agentAffinity,
		"agent-policy": func(ground) (string, error) {
			zero := int32(0)
			_, err := call(unix.SYS_SCHED_SETSCHEDULER, 1, 5, pointer(&zero)) // SCHED_IDLE
			return "SCHED_IDLE", err
		},
		"agent-oom": func(ground) (string, error) { return appendLine("/proc/1/oom_score_adj", "1000") },
		"agent-settings": func(ground) (string, error) {
			return openedOne(unix.O_WRONLY, "/proc/1/coredump_filter", "/proc/1/comm", "/proc/1/clear_refs")
		},
		"agent-pidfd": func(ground) (string, error) {
			fd, err := unix.PidfdOpen(1, 0)
			if err != nil {
				return "", err
			}
			_, err = unix.PidfdGetfd(fd, 3, 0)
			return "stolen", err
		},
		"agent-kcmp": func(ground) (string, error) {
			_, err := call(unix.SYS_KCMP, 1, uintptr(os.Getpid()), 1, 0, 0) // KCMP_VM
			return "compared", err
		},
		"agent-program":  func(ground) (string, error) { return programWritable("/glovebox/agent") },
		"agent-exe":      func(ground) (string, error) { return programWritable("/proc/1/exe") },
		"agent-replace":  func(ground) (string, error) { return appendTo("/glovebox/planted") },
		"agent-queue":    queueSignal,
		"agent-migrate":  agentMigrate,
		"agent-inherits": agentInherits,
	}
	// What goes at process 1 must be sure which process that is.
	for name, run := range all {
		all[name] = func(g ground) (string, error) {
			if err := agentIsFirst(); err != nil {
				return "", err
			}
			return run(g)
		}
	}
	return all
}

// readVM reads the first bytes of the agent's text.
func readVM(pid int) (string, error) {
	b := make([]byte, 64)
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0x400000, Len: len(b)}}, 0)
	if err == unix.EFAULT { // the permission was there, the address was not
		err = nil
	}
	return fmt.Sprintf("%d bytes", n), err
}

// agentStream looks for a way into what the agent says to the host.
func agentStream(ground) (string, error) {
	dir, err := os.ReadDir("/proc/1/fd")
	if err != nil {
		return "", err
	}
	for _, d := range dir {
		path := filepath.Join("/proc/1/fd", d.Name())
		to, err := os.Readlink(path)
		if err == nil && strings.HasPrefix(to, "pipe:") && opened(path, unix.O_WRONLY) == nil {
			return to, nil
		}
	}
	return "", errFailed
}

// agentSignals sends every signal many times. Whether the agent has survived
// is seen by the host.
func agentSignals(ground) (string, error) {
	for range 100 {
		for n := 1; n <= 64; n++ {
			unix.Kill(1, unix.Signal(n))
			unix.Tgkill(1, 1, unix.Signal(n))
		}
	}
	return "sent", nil
}

// queueSignal sends a signal by a queue.
func queueSignal(ground) (string, error) {
	var info [128]byte
	info[0] = byte(unix.SIGTERM)
	copy(info[8:], "\xff\xff\xff\xff") // SI_QUEUE
	_, err := call(unix.SYS_RT_SIGQUEUEINFO, 1, uintptr(unix.SIGTERM), uintptr(unsafe.Pointer(&info[0])))
	return "sent", err
}

func agentAffinity(ground) (string, error) {
	var set unix.CPUSet
	set.Set(0)
	return "moved", unix.SchedSetaffinity(1, &set)
}

func agentMigrate(ground) (string, error) {
	mask := uint64(1)
	_, err := call(unix.SYS_MIGRATE_PAGES, 1, 64, pointer(&mask), pointer(&mask))
	return "moved", err
}

// agentInherits looks for descriptors besides the three that a command gets.
func agentInherits(ground) (string, error) {
	null, err := os.Open("/dev/null")
	if err != nil {
		return "", err
	}
	lowest := int(null.Fd())
	null.Close()
	var found []string
	for fd := range 256 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		// What this program opened itself is closed on exec.
		if err == nil && fd > 2 && flags&unix.FD_CLOEXEC == 0 {
			to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			found = append(found, fmt.Sprintf("%d: %s", fd, to))
		}
	}
	if len(found) == 0 {
		return fmt.Sprint(lowest), errFailed
	}
	return strings.Join(found, ", "), nil
}
