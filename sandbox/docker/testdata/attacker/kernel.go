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

// kernel are attacks on the kernel's own files and on system calls that were
// the way out of containers before. Files that rule the host are opened for
// writing and closed: nothing is ever written to them.
func kernel() map[string]attack {
	return map[string]attack{
		"core-pattern":  forWriting("/proc/sys/kernel/core_pattern"),
		"sysrq":         forWriting("/proc/sysrq-trigger"),
		"sysctl":        forWriting("/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug", "/proc/sys/vm/overcommit_memory", "/proc/sys/fs/file-max"),
		"binfmt":        forWriting("/proc/sys/fs/binfmt_misc/register"),
		"irq":           forWriting("/proc/irq/default_smp_affinity", "/proc/irq/0/smp_affinity"),
		"sysfs":         forWriting("/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/uevent_helper", "/sys/kernel/profiling"),
		"uevent":        forWriting("/sys/class/mem/null/uevent", "/sys/devices/virtual/mem/null/uevent"),
		"release-agent": releaseAgent,
		"cgroup-limit":  cgroupLimit,
		"cgroup-leave":  cgroupLeave,
		"devices-allow": func(ground) (string, error) {
			return appendLine(ofCgroup("devices", "devices.allow"), "a *:* rwm")
		},
		"kcore":       func(ground) (string, error) { return readSome("/proc/kcore") },
		"timer-list":  func(ground) (string, error) { return readSome("/proc/timer_list") },
		"proc-keys":   func(ground) (string, error) { return readSome("/proc/keys") },
		"firmware":    firmware,
		"kallsyms":    kallsyms,
		"dmesg":       dmesg,
		"bpf":         func(ground) (string, error) { return descriptor(bpfMap()) },
		"perf":        func(ground) (string, error) { return descriptor(perfEvent()) },
		"io-uring":    func(ground) (string, error) { return descriptor(ioURing()) },
		"userfaultfd": func(ground) (string, error) { return descriptor(call(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|1)) }, // 1: UFFD_USER_MODE_ONLY
		"fanotify": func(ground) (string, error) {
			return descriptor(call(unix.SYS_FANOTIFY_INIT, unix.FAN_CLASS_CONTENT, unix.O_RDONLY))
		},
		"add-key":     addKey,
		"request-key": sessionKeyring,
	}
}

func forWriting(paths ...string) attack {
	return func(ground) (string, error) { return openedOne(unix.O_WRONLY, paths...) }
}

func readSome(path string) (string, error) {
	got, err := read(path)
	if err == nil && strings.TrimSpace(got) == "" {
		err = errFailed
	}
	return fmt.Sprintf("%d bytes", len(got)), err
}

// appendLine writes to a file of the box's own control group.
func appendLine(path, line string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.WriteString(line + "\n")
	return line, err
}

// releaseAgent asks for the file that makes the kernel run a program of one's
// choice on the host (CVE-2022-0492 and the escape of 2019), where the engine
// has mounted it and where one mounts it oneself.
func releaseAgent(ground) (string, error) {
	found, _ := filepath.Glob("/sys/fs/cgroup/*/release_agent")
	if got, err := openedOne(unix.O_WRONLY, found...); err == nil {
		return got, nil
	}
	dir, err := os.MkdirTemp("/tmp", "cgroup-")
	if err != nil {
		return "", err
	}
	for _, kind := range []string{"rdma", "misc", "pids", "memory", "blkio", "freezer"} {
		if err = unix.Mount("cgroup", dir, "cgroup", 0, kind); err == nil {
			defer unix.Unmount(dir, unix.MNT_DETACH)
			return dir, opened(dir+"/release_agent", unix.O_WRONLY)
		}
	}
	return "", err
}

// cgroupLimit raises the box's own limit of processes.
func cgroupLimit(g ground) (string, error) {
	file := ofCgroup("pids", "pids.max")
	if _, err := appendLine(file, fmt.Sprint(g.Number)); err != nil {
		return "", err
	}
	return read(file)
}

// cgroupLeave moves this process out of the box's control group.
func cgroupLeave(ground) (string, error) {
	for _, top := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		if _, err := os.Stat(top + "/cgroup.procs"); err == nil {
			return appendLine(top+"/cgroup.procs", fmt.Sprint(os.Getpid()))
		}
	}
	return "", errFailed
}

// ofCgroup is a file of a controller's group of this process, under either
// version, or of that of the host's that is mounted in its place.
func ofCgroup(controller, file string) string {
	top := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(top, controller)); err == nil {
		top = filepath.Join(top, controller)
	}
	groups, _ := read("/proc/self/cgroup")
	for line := range strings.Lines(groups) { // 4:pids:/docker/1234 or 0::/
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && (f[1] == controller || f[1] == "") {
			if path := filepath.Join(top, f[2], file); opened(path, unix.O_RDONLY) == nil || opened(path, unix.O_WRONLY) == nil {
				return path
			}
		}
	}
	return filepath.Join(top, file)
}

func firmware(ground) (string, error) {
	entries, err := os.ReadDir("/sys/firmware")
	if err == nil && len(entries) == 0 {
		err = errFailed
	}
	return fmt.Sprintf("%d entries", len(entries)), err
}

// kallsyms looks for the kernel's addresses.
func kallsyms(ground) (string, error) {
	got, err := read("/proc/kallsyms")
	for line := range strings.Lines(got) {
		if address, _, _ := strings.Cut(line, " "); strings.Trim(address, "0") != "" {
			return "addresses", nil
		}
	}
	if err == nil {
		err = errFailed
	}
	return "", err
}

func dmesg(ground) (string, error) {
	b := make([]byte, 4096)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, b)
	if err == nil && n == 0 {
		err = errFailed
	}
	return fmt.Sprintf("%d bytes", n), err
}

func descriptor(fd uintptr, err error) (string, error) {
	if err != nil {
		return "", err
	}
	what, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	unix.Close(int(fd))
	return what, nil
}

// bpfMap makes an array of one element.
func bpfMap() (uintptr, error) {
	attr := struct{ kind, key, value, entries, flags uint32 }{2, 4, 4, 1, 0} // 2: BPF_MAP_TYPE_ARRAY
	return call(unix.SYS_BPF, unix.BPF_MAP_CREATE, pointer(&attr), unsafe.Sizeof(attr))
}

// perfEvent counts the kernel's page faults of this process.
func perfEvent() (uintptr, error) {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	return uintptr(fd), err
}

func ioURing() (uintptr, error) {
	var params [120]byte // struct io_uring_params
	return call(unix.SYS_IO_URING_SETUP, 4, pointer(&params))
}

// addKey leaves something in a keyring, which containers share with the host,
// and reads it back. The process's own is gone with it.
func addKey(g ground) (string, error) {
	id, err := unix.AddKey("user", g.Marker, []byte(g.Marker), unix.KEY_SPEC_PROCESS_KEYRING)
	if err != nil {
		return "", err
	}
	b := make([]byte, 256)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, b, 0)
	return string(b[:max(min(n, len(b)), 0)]), err
}

// sessionKeyring asks for the keyring of the session that started the engine.
func sessionKeyring(ground) (string, error) {
	id, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, false)
	if err == nil || err == unix.ENOKEY {
		return fmt.Sprint(id), nil // the kernel has looked
	}
	return "", err
}
