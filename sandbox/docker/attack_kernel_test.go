package docker

import (
	"os"
	"strconv"
	"strings"
)

// kernelInterfaces are files of /proc and /sys. Those that rule the host are
// only ever opened; what is written is the box's own.
func kernelInterfaces() []attack {
	const group = "kernel files"
	proc := []wall{anyUser(), writableProc()}
	sys := []wall{anyUser(), writableSys()}
	groups := []wall{anyUser(), writableCgroups()}
	const more = 4321
	return []attack{
		{group: group, name: "core_pattern", run: "core-pattern", wins: permitted, walls: proc},
		{group: group, name: "sysrq-trigger", run: "sysrq", wins: permitted, walls: proc},
		{group: group, name: "modprobe, overcommit, file-max", run: "sysctl", wins: permitted, walls: proc},
		{group: group, name: "binfmt_misc/register", run: "binfmt", wins: permitted, walls: proc},
		{group: group, name: "interrupts' processors", run: "irq", wins: permitted, walls: proc},
		{group: group, name: "settings in /sys", run: "sysfs", wins: permitted, walls: sys},
		{group: group, name: "uevent", run: "uevent", wins: permitted, walls: sys},
		{group: group, name: "release_agent (CVE-2022-0492)", run: "release-agent", wins: permitted, walls: groups},
		{group: group, name: "own pids limit", run: "cgroup-limit", number: more, alone: true, walls: groups, wins: func(_ *ground, a attempt) bool {
			return strings.TrimSpace(a.Got) == strconv.Itoa(more)
		}},
		{group: group, name: "leave the control group", run: "cgroup-leave", wins: permitted, walls: groups},
		{group: group, name: "own list of devices", run: "devices-allow", alone: true, wins: permitted, walls: append(groups, capabilities("SYS_ADMIN"))},
		{group: group, name: "/proc/kcore", run: "kcore", wins: permitted, walls: asRoot("SYS_RAWIO", unmasked())},
		{group: group, name: "/proc/timer_list", run: "timer-list", wins: permitted, walls: []wall{anyUser(), unmasked()}},
		{group: group, name: "/proc/keys", run: "proc-keys", wins: permitted, walls: []wall{unmasked()}},
		{group: group, name: "/sys/firmware", run: "firmware", wins: permitted, walls: []wall{unmasked()}},
		{group: group, name: "addresses in kallsyms", run: "kallsyms", wins: permitted, walls: asRoot("SYSLOG")},
	}
}

// kernelCalls are system calls. Where they would change the machine they are
// made with arguments that the kernel refuses, after it has looked whether the
// caller may.
func kernelCalls() []attack {
	const group = "kernel calls"
	filtered := []wall{noSeccomp()}
	rows := []attack{
		{name: "kernel log", run: "dmesg", walls: asRoot("SYSLOG", noSeccomp())},
		{name: "bpf", run: "bpf", walls: asRoot("SYS_ADMIN", noSeccomp())},
		{name: "perf_event_open", run: "perf", walls: asRoot("SYS_ADMIN", noSeccomp())},
		{name: "fanotify", run: "fanotify", walls: asRoot("SYS_ADMIN", noSeccomp())},
		{name: "io_uring", run: "io-uring", walls: filtered},
		{name: "userfaultfd", run: "userfaultfd", walls: filtered},
		{name: "add_key, keyctl", run: "add-key", walls: filtered},
		{name: "keyring of the user", run: "request-key", walls: filtered},
		{name: "set the time", run: "set-time", walls: asRoot("SYS_TIME", noSeccomp())},
		{name: "reboot", run: "reboot", walls: asRoot("SYS_BOOT", noSeccomp())},
		{name: "load a module", run: "module", walls: asRoot("SYS_MODULE", noSeccomp())},
		{name: "remove a module", run: "delete-module", walls: asRoot("SYS_MODULE", noSeccomp())},
		{name: "load a kernel", run: "kexec", walls: asRoot("SYS_BOOT", noSeccomp())},
		{name: "swap to a file", run: "swap-on", walls: asRoot("SYS_ADMIN", noSeccomp())},
		{name: "process accounting", run: "accounting", walls: asRoot("SYS_PACCT", noSeccomp())},
		{name: "host name", run: "host-name", walls: asRoot("SYS_ADMIN", noSeccomp())},
		{name: "input and output ports", run: "io-ports", walls: asRoot("SYS_RAWIO", noSeccomp())},
		{name: "priority above all", run: "nice-up", walls: asRoot("SYS_NICE")},
		{name: "real-time priority for the disk", run: "real-time", walls: asRoot("SYS_NICE")},
		{name: "raise its own limits", run: "raise-limit", walls: asRoot("SYS_RESOURCE")},
		{name: "never killed for memory", run: "oom-score", walls: asRoot("SYS_RESOURCE")},
		{name: "capset", run: "capset", walls: asRoot("SYS_ADMIN")},
		{name: "setuid program of the image", run: "suid", walls: []wall{newPrivileges()}},
		{name: "setuid program in the workspace", run: "suid-planted", walls: []wall{newPrivileges()}},
		{name: "program with a capability", run: "file-caps", walls: []wall{newPrivileges(), capabilities("NET_RAW")}},
		{name: "io_uring, 32 bits", run: "io-uring", program: small32, walls: filtered},
		{name: "add_key, 32 bits", run: "add-key", program: small32, walls: filtered},
		{name: "userfaultfd, 32 bits", run: "userfaultfd", program: small32, walls: filtered},
	}
	return grouped(group, permitted, rows)
}

// grouped fills in what is the same in every row.
func grouped(group string, wins func(*ground, attempt) bool, rows []attack) []attack {
	for i := range rows {
		rows[i].group = group
		if rows[i].wins == nil {
			rows[i].wins = wins
		}
	}
	return rows
}

func namespaceAttacks() []attack {
	filtered := []wall{noSeccomp()}
	admin := asRoot("SYS_ADMIN", noSeccomp())
	return grouped("namespaces", permitted, []attack{
		{name: "user namespace, unshare", run: "userns-unshare", walls: filtered},
		{name: "user namespace, clone", run: "userns-clone", walls: filtered},
		{name: "user namespace, clone3", run: "userns-clone3", walls: filtered},
		{name: "user namespace, x32", run: "userns-x32", walls: filtered},
		{name: "user namespace, 32 bits", run: "userns-unshare", program: small32, walls: filtered},
		{name: "user namespace and a mount", run: "userns-mount", walls: filtered},
		{name: "user namespace and control groups (CVE-2022-0492)", run: "userns-cgroup", walls: filtered},
		{name: "user namespace and fsopen (CVE-2022-0185)", run: "userns-fsopen", walls: filtered},
		{name: "user and network namespace (CVE-2022-34918)", run: "userns-net", walls: filtered},
		{name: "mount namespace", run: "unshare-mount", walls: admin},
		{name: "network namespace", run: "unshare-net", walls: admin},
		{name: "cgroup namespace", run: "unshare-cgroup", walls: admin},
		{name: "setns", run: "setns-self", walls: admin},
		{name: "chroot", run: "chroot", walls: asRoot("SYS_CHROOT", noSeccomp())},
	})
}

func mountAttacks(g *ground) []attack {
	admin := asRoot("SYS_ADMIN", noSeccomp())
	return grouped("mounts", permitted, []attack{
		{name: "tmpfs", run: "mount", walls: admin},
		{name: "proc, without its masks", run: "mount-proc", walls: admin},
		{name: "debugfs", run: "mount-debugfs", walls: admin},
		{name: "bind", run: "mount-bind", walls: admin},
		{name: "root writable, mount", run: "remount-root", alone: true, walls: admin},
		{name: "root writable, mount_setattr", run: "mount-setattr", alone: true, walls: admin},
		{name: "uncover the state", run: "uncover", alone: true, walls: admin, wins: learned},
		{name: "fsopen", run: "fsopen", walls: admin},
		{name: "open_tree", run: "open-tree", walls: admin},
		{name: "pivot_root", run: "pivot-root", walls: admin},
	})
}

func deviceAttacks(g *ground) []attack {
	one := func(path string) []wall {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o006 == 0o006 {
			return []wall{device(path)} // on this machine for everybody
		}
		return []wall{anyUser(), device(path)}
	}
	return grouped("devices", permitted, []attack{
		{name: "nodes in /dev", run: "list", walls: []wall{device("/dev/fuse", "/dev/kmsg", "/dev/loop-control")}},
		{name: "memory", run: "dev-memory", walls: asRoot("SYS_RAWIO", device("/dev/mem", "/dev/port"))},
		{name: "console", run: "console", walls: one("/dev/tty1")},
		{name: "kernel log", run: "kernel-log", walls: asRoot("SYSLOG", device("/dev/kmsg"))},
		{name: "fuse", run: "fuse", walls: one("/dev/fuse")},
		{name: "loop", run: "loop", walls: one("/dev/loop-control")},
		{name: "tun", run: "tun", walls: one("/dev/net/tun")},
		{name: "kvm", run: "kvm", walls: one("/dev/kvm")},
		{name: "a disk", run: "open-disk", walls: one(g.facts.DiskPath)},
		{name: "make a disk in the workspace", run: "mknod-disk", walls: asRoot("MKNOD DAC_OVERRIDE", noSeccomp(), anyDevice())},
		{name: "make a disk in /dev", run: "mknod-dev", walls: asRoot("MKNOD", noSeccomp(), anyDevice())},
		{name: "make the kernel's log", run: "mknod-kmsg", walls: asRoot("MKNOD DAC_OVERRIDE", noSeccomp())},
		{name: "a disk that lies in the workspace", run: "planted", walls: []wall{anyDevice()}},
		{name: "type into a terminal (TIOCSTI)", run: "tiocsti", walls: []wall{anyUser(), bound(g.facts.TTY, "/dev/attacked-terminal")}, wins: func(g *ground, _ attempt) bool {
			return strings.Contains(g.typed(), g.facts.Marker)
		}},
	})
}

func engineAttacks(g *ground) []attack {
	return grouped("engine", learned, []attack{
		{name: "Docker's socket", run: "engine", walls: []wall{bound(g.facts.Socket, "/var/run/docker.sock")}},
		{name: "containerd's socket", run: "engine", walls: []wall{bound(g.facts.Socket, "/run/containerd/containerd.sock")}},
		{name: "Docker's socket through /proc", run: "engine-proc", walls: append([]wall{hostPIDs()}, asRoot("SYS_PTRACE")...), kept: "it would be the real engine that is asked"},
		{name: "abstract socket of a shim (CVE-2020-15257)", run: "abstract", walls: []wall{hostNetwork()}, wins: reached(hitAbstract)},
		{name: "socket file of the host", run: "unix-path", walls: []wall{bound(g.facts.Dir, g.facts.Dir)}, wins: reached(hitPath)},
	})
}
