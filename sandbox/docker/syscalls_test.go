package docker

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/glovebox-run/glovebox/sandbox"
)

// altered is an engine that changes what it is told of a box without a word.
type altered struct {
	api
	change func(*container.HostConfig)
}

func (a altered) ContainerCreate(ctx context.Context, c *container.Config, h *container.HostConfig, n *network.NetworkingConfig, p *ocispec.Platform, name string) (container.CreateResponse, error) {
	a.change(h)
	return a.api.ContainerCreate(ctx, c, h, n, p, name)
}

// withoutFilter is the engine at hand, whose boxes may make every system call.
// Its check, which would notice, is left out.
func withoutFilter(t *testing.T, e *Engine) *Engine {
	f, err := e.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bare := newEngine(altered{e.api, func(h *container.HostConfig) {
		h.SecurityOpt = []string{"no-new-privileges", "seccomp=unconfined"}
	}}, Options{Log: testLog(t)})
	bare.facts = &f
	return bare
}

// answers is what each of the calls of testdata/syscalls must come to in a box.
func answers() map[string]string {
	want := map[string]string{}
	for answer, calls := range map[string]string{
		"EPERM": `iopl ioperm modify_ldt add_key keyctl request_key userfaultfd perf_event_open bpf
			unshare(NEWUSER) unshare(NEWNS) unshare(NEWNET) unshare(NEWTIME) clone(NEWUSER) clone(NEWPID) clone(NEWCGROUP) setns
			mount umount2 open_tree fsconfig mount_setattr pivot_root chroot kcmp pidfd_getfd open_by_handle_at
			kexec_load init_module finit_module delete_module quotactl acct swapon reboot syslog mbind lookup_dcookie nfsservctl
			fanotify_init personality(linux32) personality(read_implies_exec) mknodat(device)
			prlimit64(agent) prlimit64(disguised) sched_setaffinity(agent) sched_setscheduler(agent) sched_setparam(agent)
			sched_setattr(agent) setpriority(agent) setpriority(user) ioprio_set(agent) ioprio_set(user)
			socket(key) socket(raw) socket(raw6) socket(ping) socket(udplite) socket(audit)`,
		"ENOSYS": `io_uring_setup io_uring_enter io_uring_register clone3 process_vm_readv process_vm_writev name_to_handle_at
			landlock_create_ruleset`,
		"EAFNOSUPPORT":    "socket(packet) socket(vsock) socket(alg) socket(disguised)",
		"EPROTONOSUPPORT": "socket(mptcp)",
		"ok": `unshare(FILES) prlimit64(self) setpriority(self) ioprio_set(self) mknodat(fifo) socket(route) socket(tcp) socket(udp)
			socket(unix) personality() personality(usual) personality(no_random_addresses)`,
		"ESRCH": "ptrace", // it may trace, but not what is not there
	} {
		for _, call := range strings.Fields(calls) {
			want[strings.ReplaceAll(call, "_random_", " random ")] = answer
		}
	}
	return want
}

// Every call that a box must not make fails, as the kernel answers it in the
// box. Without the filter they don't, or for another reason: what would remain
// the same is guarded twice, and only a few are.
func TestI4SystemCalls(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	buildFor(t, "./testdata/syscalls", filepath.Join(s.Workspace, "syscalls"))
	got := systemCalls(t, e, s)
	want := answers()
	for name, answer := range got {
		if answer != want[name] {
			t.Errorf("%s: %s, want %s", name, answer, want[name])
		}
	}
	if len(got) < len(want)-3 { // three are of amd64 alone
		t.Errorf("%d calls were made of %d", len(got), len(want))
	}
	differ := 0
	for name, answer := range systemCalls(t, withoutFilter(t, e), s) {
		if answer != got[name] {
			differ++
		} else if slices.Contains(strings.Fields(`add_key unshare(NEWUSER) clone(NEWUSER) clone3 setns mount prlimit64(agent)
			prlimit64(disguised) sched_setaffinity(agent) setpriority(agent) ioprio_set(agent) personality(linux32)`), name) {
			t.Errorf("%s: %s without the filter too", name, answer)
		}
	}
	if differ < 50 {
		t.Errorf("only %d calls end otherwise without the filter", differ)
	}
}

func systemCalls(t *testing.T, e *Engine, s sandbox.Spec) map[string]string {
	b := openBox(t, e, s)
	got := map[string]string{}
	for line := range strings.Lines(output(t, b, "rm -f /tmp/device /tmp/fifo; /workspace/syscalls")) {
		name, answer, _ := strings.Cut(strings.TrimSpace(line), ": ")
		got[name] = answer
	}
	return got
}

// The calls that programs of 32 bits make have other numbers: the thread that
// makes one is ended, so they can't be a way around the filter.
func TestI4SystemCallsOf32Bits(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	buildFor(t, "./testdata/syscalls", filepath.Join(s.Workspace, "syscalls"))
	if got := output(t, openBox(t, e, s), "/workspace/syscalls x32"); strings.Contains(got, "true") {
		t.Errorf("got %q", got)
	}
}

// buildFor builds a static program for boxes.
func buildFor(t *testing.T, pkg, file string) {
	t.Helper()
	build := exec.Command("go", "build", "-o", file, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// profile is the part of the filter that tests read.
type profile struct {
	DefaultAction string
	Syscalls      []struct {
		Names  []string
		Action string
		Args   []struct{ Op string }
	}
}

// Each system call that there is on amd64 and arm64 is in the profile or on
// this list of what nobody in a box needs, so that none is denied because it
// was forgotten, and a new one is looked at before it is known here.
func TestFilterKnowsEveryCall(t *testing.T) {
	var p profile
	if err := json.Unmarshal([]byte(seccompProfile), &p); err != nil {
		t.Fatal(err)
	}
	if p.DefaultAction != "SCMP_ACT_ERRNO" {
		t.Errorf("what is not named: %s", p.DefaultAction)
	}
	known := map[string]bool{}
	for _, s := range p.Syscalls {
		for _, n := range s.Names {
			known[n] = true
		}
		for _, a := range s.Args {
			if a.Op == "SCMP_CMP_NE" {
				t.Errorf("%v: a bad value that is listed can be disguised", s.Names)
			}
		}
	}
	for _, name := range strings.Fields(`acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init
		fanotify_mark finit_module fsconfig fsmount fsopen fspick get_mempolicy init_module ioperm iopl kcmp kexec_file_load
		kexec_load keyctl lookup_dcookie mbind migrate_pages modify_ldt mount mount_setattr move_mount move_pages nfsservctl
		open_by_handle_at open_tree open_tree_attr perf_event_open pidfd_getfd pivot_root quotactl quotactl_fd reboot
		request_key set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff swapon sysfs
		syslog umount2 userfaultfd ustat vhangup
		_sysctl afs_syscall arch_specific_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms get_thread_area
		getpmsg putpmsg query_module security set_thread_area tuxcall uselib vserver`) {
		if known[name] {
			t.Errorf("%s is named twice", name)
		}
		known[name] = true
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		list, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+arch+".go"))
		if err != nil {
			t.Fatal(err)
		}
		calls := regexp.MustCompile(`SYS_([A-Z0-9_]+) `).FindAllStringSubmatch(string(list), -1)
		if len(calls) < 300 {
			t.Errorf("%s: only %d calls are listed", arch, len(calls))
		}
		for _, c := range calls {
			if name := strings.ToLower(c[1]); !known[name] {
				t.Errorf("%s of %s: neither allowed nor denied", name, arch)
			}
		}
	}
}
