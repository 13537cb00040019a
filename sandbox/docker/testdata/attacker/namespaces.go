//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaces are attacks that make a world of their own, in which one is root
// and most holes of the kernel of the last ten years lie.
func namespaces() map[string]attack {
	return map[string]attack{
		"userns-unshare": func(ground) (string, error) { return unshared(unix.CLONE_NEWUSER) },
		"userns-clone":   usernsClone,
		"userns-clone3":  usernsClone3,
		"userns-x32":     usernsX32,
		"userns-mount":   usernsMount,
		"userns-cgroup":  usernsCgroup,
		"userns-fsopen":  usernsFsopen,
		"userns-net":     func(ground) (string, error) { return unshared(unix.CLONE_NEWUSER | unix.CLONE_NEWNET) },
		"unshare-mount":  func(ground) (string, error) { return unshared(unix.CLONE_NEWNS) },
		"unshare-net":    func(ground) (string, error) { return unshared(unix.CLONE_NEWNET) },
		"unshare-cgroup": func(ground) (string, error) { return unshared(unix.CLONE_NEWCGROUP) },
		"setns-self": func(ground) (string, error) {
			runtime.LockOSThread()
			fd, err := unix.Open("/proc/self/ns/uts", unix.O_RDONLY, 0)
			if err != nil {
				return "", err
			}
			return "joined", unix.Setns(fd, unix.CLONE_NEWUTS)
		},
		"chroot": func(ground) (string, error) { return "/tmp", unix.Chroot("/tmp") },
	}
}

// unshared is a child with new namespaces, for some need a process of one thread.
func unshared(flags uintptr) (string, error) {
	return inChild(&syscall.SysProcAttr{Unshareflags: flags})
}

// inChild starts a program as attr says and wants it to run.
func inChild(attr *syscall.SysProcAttr) (string, error) {
	c := exec.Command("/bin/attacker")
	c.SysProcAttr = attr
	err := c.Run()
	if c.ProcessState != nil && c.ProcessState.ExitCode() == idle {
		return "made", nil
	}
	return "", err
}

func usernsClone(ground) (string, error) {
	return inChild(&syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER})
}

// usernsClone3 passes the flags in memory, where no seccomp filter sees them.
func usernsClone3(ground) (string, error) {
	args := struct{ flags, pidfd, childTID, parentTID, exit, stack, stackSize, tls uint64 }{flags: unix.CLONE_NEWUSER, exit: uint64(unix.SIGCHLD)}
	r, _, errno := unix.RawSyscall(unix.SYS_CLONE3, pointer(&args), 64, 0)
	if errno == 0 && r == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	if errno != 0 {
		return "", errno
	}
	return "made", nil
}

// usernsX32 makes the call by its number in the x32 ABI. A filter may kill the
// thread that makes it, so somebody else waits.
func usernsX32(ground) (string, error) {
	if inside() {
		runtime.LockOSThread()
		_, err := call(0x40000000|unix.SYS_UNSHARE, unix.CLONE_NEWUTS|unix.CLONE_NEWUSER)
		return "made", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, "/bin/attacker", "userns-x32")
	c.Env = append(os.Environ(), "ATTACK_INSIDE=1")
	out, err := c.Output()
	if err != nil {
		return "", err
	}
	os.Stdout.Write(out)
	os.Exit(0)
	return "", nil
}

// asRoot is a child that is root of its own user and mount namespace.
func asRoot(flags uintptr, attack string) (string, error) {
	c := exec.Command("/bin/attacker", attack)
	c.Env = append(os.Environ(), "ATTACK_INSIDE=1")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.Output()
	if err != nil {
		return "", err
	}
	os.Stdout.Write(out)
	os.Exit(0)
	return "", nil
}

func inside() bool { return os.Getenv("ATTACK_INSIDE") != "" }

func usernsMount(ground) (string, error) {
	if !inside() {
		return asRoot(0, "userns-mount")
	}
	return mountTmpfs("/tmp")
}

// usernsCgroup mounts a hierarchy of control groups (CVE-2022-0492).
func usernsCgroup(ground) (string, error) {
	if !inside() {
		return asRoot(unix.CLONE_NEWCGROUP, "userns-cgroup")
	}
	var last error
	for _, kind := range []string{"memory", "pids", "freezer", "blkio", "rdma"} {
		if last = unix.Mount("cgroup", "/tmp", "cgroup", 0, kind); last == nil {
			return "mounted " + kind, nil
		}
	}
	return "mounted", unix.Mount("cgroup2", "/tmp", "cgroup2", 0, "")
}

// usernsFsopen reaches the code of CVE-2022-0185.
func usernsFsopen(g ground) (string, error) {
	if !inside() {
		return asRoot(0, "userns-fsopen")
	}
	fd, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	return descriptor(uintptr(fd), err)
}

func mountTmpfs(place string) (string, error) {
	if err := unix.Mount("none", place, "tmpfs", 0, "size=4096"); err != nil {
		return "", err
	}
	table, err := read("/proc/self/mountinfo")
	if err == nil && !strings.Contains(table, " "+place+" ") {
		err = errFailed
	}
	return "mounted", err
}
