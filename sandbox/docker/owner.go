package docker

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// owner names a process so that no other is ever taken for it: process ids
// are used again, within one boot of one machine and one pid namespace they
// are not used again with the same start time.
type owner struct {
	boot  string // id of the machine's boot
	space string // inode of the pid namespace
	pid   int
	start string // ticks from boot to the start of the process
}

// The files of /proc that make an owner, Linux only.
const (
	bootFile  = "/proc/sys/kernel/random/boot_id"
	spaceFile = "/proc/self/ns/pid"
)

// self is this process. Where there is no /proc it is the zero owner, which
// nobody takes for alive.
func self() owner {
	boot, space := here()
	pid := os.Getpid()
	start, ok := started(pid)
	if boot == "" || space == "" || !ok {
		return owner{}
	}
	return owner{boot: boot, space: space, pid: pid, start: start}
}

// here names this boot of this machine and this pid namespace, "" when unknown.
func here() (boot, space string) {
	b, err := os.ReadFile(bootFile)
	if err != nil {
		return "", ""
	}
	link, err := os.Readlink(spaceFile) // pid:[4026531836]
	if err != nil {
		return "", ""
	}
	return strings.TrimSpace(string(b)), strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
}

// started is the start time of a process, field 22 of /proc/PID/stat, see proc(5).
func started(pid int) (string, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The name in field 2 may hold anything, also blanks and brackets.
	_, rest, found := cutLast(string(b), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return "", false
	}
	return fields[19], true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// String is the value of the owner label, "" for the zero owner.
func (o owner) String() string {
	if o.pid == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%s/%d/%s", o.boot, o.space, o.pid, o.start)
}

// parseOwner reads the value of an owner label.
func parseOwner(s string) (owner, bool) {
	f := strings.Split(s, "/")
	if len(f) != 4 {
		return owner{}, false
	}
	pid, err := strconv.Atoi(f[2])
	if err != nil || pid <= 0 || f[0] == "" || f[1] == "" || f[3] == "" {
		return owner{}, false
	}
	return owner{boot: f[0], space: f[1], pid: pid, start: f[3]}, true
}

// alive says that the process runs, on this very machine.
func (o owner) alive() bool {
	if !o.local() {
		return false
	}
	start, ok := started(o.pid)
	return ok && start == o.start
}

// local says that whether the process runs can be seen from here: it belongs
// to this boot of this machine and to this pid namespace.
func (o owner) local() bool {
	boot, space := here()
	return boot != "" && o.boot == boot && o.space == space
}
