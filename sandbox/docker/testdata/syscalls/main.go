// Command syscalls makes system calls that a box must not make, in a form
// that does no harm if they go through, and prints how each ended:
// "NAME: ok" or "NAME: ERRNO". TestSystemCalls builds it and runs it in boxes.
// With an argument it makes one call of another architecture's kind instead.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// agent is process 1 of a box.
const agent = 1

type call struct {
	name string
	nr   uintptr
	args [6]uintptr
}

var empty [256]byte

func text(s string) uintptr {
	b := append([]byte(s), 0)
	return uintptr(unsafe.Pointer(&b[0]))
}

func calls() []call {
	none := ^uintptr(0) // -1: no file, no flag that exists
	zeros := uintptr(unsafe.Pointer(&empty[0]))
	here := uintptr(0xffffffffffffff9c) // AT_FDCWD
	self := uintptr(os.Getpid())
	return append(archCalls(), []call{
		{"add_key", unix.SYS_ADD_KEY, [6]uintptr{text("user"), text("glovebox-test"), zeros, 1, ^uintptr(1)}},
		{"keyctl", unix.SYS_KEYCTL, [6]uintptr{0, ^uintptr(1), 0}},
		{"request_key", unix.SYS_REQUEST_KEY, [6]uintptr{text("user"), text("glovebox-none"), 0, 0}},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, [6]uintptr{1, zeros}},
		{"io_uring_enter", unix.SYS_IO_URING_ENTER, [6]uintptr{none}},
		{"io_uring_register", unix.SYS_IO_URING_REGISTER, [6]uintptr{none}},
		{"userfaultfd", unix.SYS_USERFAULTFD, [6]uintptr{1}}, // UFFD_USER_MODE_ONLY
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [6]uintptr{}},
		{"bpf", unix.SYS_BPF, [6]uintptr{0, zeros, 1 << 20}},
		{"unshare(NEWUSER)", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_NEWUSER | 1}}, // 1 is no flag: EINVAL
		{"unshare(NEWNS)", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_NEWNS | 1}},
		{"unshare(NEWNET)", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_NEWNET | 1}},
		{"unshare(NEWTIME)", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_NEWTIME | 1}},
		{"unshare(FILES)", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_FILES}},
		// CLONE_THREAD without CLONE_SIGHAND is no process: EINVAL.
		{"clone(NEWUSER)", unix.SYS_CLONE, [6]uintptr{unix.CLONE_THREAD | unix.CLONE_NEWUSER}},
		{"clone(NEWPID)", unix.SYS_CLONE, [6]uintptr{unix.CLONE_THREAD | unix.CLONE_NEWPID}},
		{"clone(NEWCGROUP)", unix.SYS_CLONE, [6]uintptr{unix.CLONE_THREAD | unix.CLONE_NEWCGROUP}},
		{"clone3", unix.SYS_CLONE3, [6]uintptr{zeros, 0}},
		{"setns", unix.SYS_SETNS, [6]uintptr{none, 0}},
		{"mount", unix.SYS_MOUNT, [6]uintptr{0, 0, 0, 0, 0}},
		{"umount2", unix.SYS_UMOUNT2, [6]uintptr{text("/nowhere"), 0xf0000000}},
		{"open_tree", unix.SYS_OPEN_TREE, [6]uintptr{here, text("/"), unix.O_CLOEXEC}},
		{"fsconfig", unix.SYS_FSCONFIG, [6]uintptr{none}},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, [6]uintptr{none, text(""), 0xf0000000}},
		{"pivot_root", unix.SYS_PIVOT_ROOT, [6]uintptr{text("/"), text("/")}},
		{"chroot", unix.SYS_CHROOT, [6]uintptr{text("/nowhere")}},
		{"process_vm_readv", unix.SYS_PROCESS_VM_READV, [6]uintptr{self, 0, 0, 0, 0, 1}},
		{"process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, [6]uintptr{self, 0, 0, 0, 0, 1}},
		{"kcmp", unix.SYS_KCMP, [6]uintptr{self, self, 1}},
		{"pidfd_getfd", unix.SYS_PIDFD_GETFD, [6]uintptr{none, 0, 0}},
		{"name_to_handle_at", unix.SYS_NAME_TO_HANDLE_AT, [6]uintptr{here, text("/"), zeros, zeros, 0xf0000000}},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, [6]uintptr{none, zeros, 0}},
		{"kexec_load", unix.SYS_KEXEC_LOAD, [6]uintptr{0, 0, 0, 0xf0000000}},
		{"init_module", unix.SYS_INIT_MODULE, [6]uintptr{}},
		{"finit_module", unix.SYS_FINIT_MODULE, [6]uintptr{none, text(""), 0}},
		{"delete_module", unix.SYS_DELETE_MODULE, [6]uintptr{text("none"), 0}},
		{"quotactl", unix.SYS_QUOTACTL, [6]uintptr{none, 0, 0, 0}},
		{"acct", unix.SYS_ACCT, [6]uintptr{text("/nowhere")}},
		{"swapon", unix.SYS_SWAPON, [6]uintptr{text("/nowhere"), 0}},
		{"reboot", unix.SYS_REBOOT, [6]uintptr{0, 0, 0}}, // not the magic numbers
		{"syslog", unix.SYS_SYSLOG, [6]uintptr{10}},
		{"mbind", unix.SYS_MBIND, [6]uintptr{0, 0, 0, 0, 0, 0}},
		{"lookup_dcookie", unix.SYS_LOOKUP_DCOOKIE, [6]uintptr{}},
		{"nfsservctl", unix.SYS_NFSSERVCTL, [6]uintptr{}},
		{"fanotify_init", unix.SYS_FANOTIFY_INIT, [6]uintptr{0xf0000000}},
		{"landlock_create_ruleset", unix.SYS_LANDLOCK_CREATE_RULESET, [6]uintptr{0, 0, 1}}, // asks for the version
		{"personality(linux32)", unix.SYS_PERSONALITY, [6]uintptr{8}},
		{"personality(read_implies_exec)", unix.SYS_PERSONALITY, [6]uintptr{0x400000}},
		{"personality(no random addresses)", unix.SYS_PERSONALITY, [6]uintptr{0x40000}},
		{"personality()", unix.SYS_PERSONALITY, [6]uintptr{0xffffffff}},
		{"personality(usual)", unix.SYS_PERSONALITY, [6]uintptr{0}},
		{"mknodat(device)", unix.SYS_MKNODAT, [6]uintptr{here, text("/tmp/device"), unix.S_IFCHR | 0o600, 0}},
		{"mknodat(fifo)", unix.SYS_MKNODAT, [6]uintptr{here, text("/tmp/fifo"), unix.S_IFIFO | 0o600, 0}},

		// Of the agent, and of oneself.
		{"prlimit64(agent)", unix.SYS_PRLIMIT64, [6]uintptr{agent, unix.RLIMIT_NOFILE, 0, zeros}},
		{"prlimit64(disguised)", unix.SYS_PRLIMIT64, [6]uintptr{1<<32 | agent, unix.RLIMIT_NOFILE, 0, zeros}},
		{"prlimit64(self)", unix.SYS_PRLIMIT64, [6]uintptr{0, unix.RLIMIT_NOFILE, 0, zeros}},
		{"sched_setaffinity(agent)", unix.SYS_SCHED_SETAFFINITY, [6]uintptr{agent, 8, zeros}}, // no processor: EINVAL
		{"sched_setscheduler(agent)", unix.SYS_SCHED_SETSCHEDULER, [6]uintptr{agent, none, zeros}},
		{"sched_setparam(agent)", unix.SYS_SCHED_SETPARAM, [6]uintptr{agent, 0}},
		{"sched_setattr(agent)", unix.SYS_SCHED_SETATTR, [6]uintptr{agent, 0, 0}},
		{"setpriority(agent)", unix.SYS_SETPRIORITY, [6]uintptr{0, agent, 0}},
		{"setpriority(user)", unix.SYS_SETPRIORITY, [6]uintptr{2, 0, 0}},
		{"setpriority(self)", unix.SYS_SETPRIORITY, [6]uintptr{0, 0, 0}},
		{"ioprio_set(agent)", unix.SYS_IOPRIO_SET, [6]uintptr{1, agent, 0}},
		{"ioprio_set(user)", unix.SYS_IOPRIO_SET, [6]uintptr{3, 0, 0}},
		{"ioprio_set(self)", unix.SYS_IOPRIO_SET, [6]uintptr{1, 0, 0}},

		{"socket(packet)", unix.SYS_SOCKET, [6]uintptr{unix.AF_PACKET, unix.SOCK_RAW, 0}},
		{"socket(vsock)", unix.SYS_SOCKET, [6]uintptr{unix.AF_VSOCK, unix.SOCK_STREAM, 0}},
		{"socket(alg)", unix.SYS_SOCKET, [6]uintptr{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}},
		{"socket(key)", unix.SYS_SOCKET, [6]uintptr{unix.AF_KEY, unix.SOCK_RAW, 2}},
		{"socket(raw)", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_RAW, 1}},
		{"socket(raw6)", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET6, unix.SOCK_RAW, 58}},
		{"socket(ping)", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_DGRAM, 1}},
		{"socket(udplite)", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_DGRAM, 136}},
		{"socket(mptcp)", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_STREAM, 262}},
		{"socket(audit)", unix.SYS_SOCKET, [6]uintptr{unix.AF_NETLINK, unix.SOCK_RAW, 9}},
		{"socket(disguised)", unix.SYS_SOCKET, [6]uintptr{1<<32 | unix.AF_INET, unix.SOCK_DGRAM, 1}},
		{"socket(route)", unix.SYS_SOCKET, [6]uintptr{unix.AF_NETLINK, unix.SOCK_RAW | unix.SOCK_CLOEXEC, 0}},
		{"socket(tcp)", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK, 6}},
		{"socket(udp)", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_DGRAM, 0}},
		{"socket(unix)", unix.SYS_SOCKET, [6]uintptr{unix.AF_UNIX, unix.SOCK_SEQPACKET, 0}},
		{"ptrace", unix.SYS_PTRACE, [6]uintptr{none, self}}, // no such request
	}...)
}

func main() {
	if len(os.Args) > 1 {
		done := make(chan bool)
		go func() {
			runtime.LockOSThread() // the filter ends this thread and leaves the others
			done <- otherKind()
		}()
		select {
		case went := <-done:
			fmt.Println("went through:", went)
		case <-time.After(500 * time.Millisecond):
			fmt.Println("did not return")
		}
		return
	}
	for _, c := range calls() {
		_, _, errno := syscall.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		how := "ok"
		if errno != 0 {
			if how = unix.ErrnoName(errno); how == "" {
				how = fmt.Sprint(int(errno))
			}
		}
		fmt.Printf("%s: %s\n", c.name, how)
	}
}
