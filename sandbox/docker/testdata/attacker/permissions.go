//go:build linux

package main

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// permissions are attacks that would change the machine. Their arguments are
// such that the kernel refuses them once it has found that the caller may: the
// answer tells whether the attack would have been let through.
func permissions() map[string]attack {
	return map[string]attack{
		"set-time": func(ground) (string, error) { // a time zone that can't be, and no time
			zone := struct{ minutes, dst int32 }{16 * 60, 0}
			return asked(call(unix.SYS_SETTIMEOFDAY, 0, pointer(&zone)))
		},
		"reboot": func(ground) (string, error) { // without the magic numbers
			return asked(call(unix.SYS_REBOOT, 1, 2, 3))
		},
		"module": func(ground) (string, error) { // a module of no bytes
			return asked(call(unix.SYS_INIT_MODULE, 0, 0, pointer(new(byte))))
		},
		"delete-module": func(ground) (string, error) {
			name := []byte("no-such-module\x00")
			return asked(call(unix.SYS_DELETE_MODULE, uintptr(unsafe.Pointer(&name[0])), unix.O_NONBLOCK))
		},
		"kexec": func(ground) (string, error) { return asked(call(unix.SYS_KEXEC_LOAD, 0, 1<<20, 0, 0)) },
		"swap-on": func(ground) (string, error) {
			path := []byte("/no/such/file\x00")
			return asked(call(unix.SYS_SWAPON, uintptr(unsafe.Pointer(&path[0])), 0))
		},
		"accounting": func(ground) (string, error) {
			path := []byte("/no/such/file\x00")
			return asked(call(unix.SYS_ACCT, uintptr(unsafe.Pointer(&path[0]))))
		},
		"host-name": func(ground) (string, error) { // a name of 65 bytes
			return asked(call(unix.SYS_SETHOSTNAME, pointer(new([80]byte)), 65))
		},
		"io-ports": func(ground) (string, error) { return asked(call(sysIoperm, 1<<20, 1, 1)) },
		"nice-up":  func(ground) (string, error) { return "-5", unix.Setpriority(unix.PRIO_PROCESS, 0, -5) },
		"real-time": func(ground) (string, error) {
			_, err := call(unix.SYS_IOPRIO_SET, 1, 0, 1<<13) // of oneself, IOPRIO_CLASS_RT
			return "real-time", err
		},
		"raise-limit": func(ground) (string, error) {
			var l unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
				return "", err
			}
			l.Max++
			return fmt.Sprint(l.Max), unix.Prlimit(0, unix.RLIMIT_NOFILE, &l, nil)
		},
		"oom-score": func(ground) (string, error) { return appendLine("/proc/self/oom_score_adj", "-1000") },
		"capset":    capset,
	}
}

// asked turns an answer that came after the permission into a success.
func asked(_ uintptr, err error) (string, error) {
	switch err {
	case unix.EPERM, unix.EACCES, unix.ENOSYS:
		return "", err
	case nil:
		return "done", nil
	}
	return "permitted: " + nameOf(err), nil
}

// capset takes every capability there is.
func capset(ground) (string, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	all := [2]unix.CapUserData{{Effective: ^uint32(0), Permitted: ^uint32(0)}, {Effective: 0x1ff, Permitted: 0x1ff}}
	err := unix.Capset(&header, &all[0])
	status, _ := read("/proc/thread-self/status")
	for line := range strings.Lines(status) {
		if set, ok := strings.CutPrefix(line, "CapEff:\t"); ok && strings.Trim(strings.TrimSpace(set), "0") != "" {
			return strings.TrimSpace(set), nil
		}
	}
	if err == nil {
		err = errFailed
	}
	return "", err
}
