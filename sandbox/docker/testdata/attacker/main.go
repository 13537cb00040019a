//go:build linux

// Command attacker is what the red team's tests run inside of a box: one
// attack a process, named by its first argument. It prints what it got as a
// line of JSON; whether that is a success is decided on the host, by effect.
//
// It is also the process on the host that the attacks are after (victim), and
// an agent that breaks the protocol (rogue). What could harm the machine if a
// wall were missing is bounded here too: every attack on processes, memory or
// disk stops at a number of its own.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// groundVariable holds a ground as JSON.
const groundVariable = "ATTACK_GROUND"

// idle is the exit code of an attacker that is told to do nothing: a sign that
// programs can be started.
const idle = 64

// ground is what the attacker is told of the host: more than a real one would
// know, so that nothing is left to luck.
type ground struct {
	Secret    string // path of a file that everybody may read
	Writable  string // path of a file that everybody may write
	Dir       string // where both are
	Workspace string // path of the box's workspace
	Base      string // of Dir and Workspace
	Handle    []byte // of Secret, see name_to_handle_at(2)
	HandleAs  int32
	PID       int    // of the victim
	TCP, TCP6 int    // ports on loopback
	UDP       int    //
	Abstract  string // name of a unix socket
	Socket    string // path of a unix socket
	ShmKey    int    // of a segment of System V
	ShmFile   string // in /dev/shm
	Disk      int    // device number of a block device
	DiskPath  string // where it is on the host
	TTY       string // a terminal
	Leak      string // a directory to open first, as if it had been left open
	Resolver  string // address of a name server
	Marker    string // what is sent to a listener
	Number    int    // how much is tried to take, for attacks on limits
}

// verdict is what an attack got.
type verdict struct {
	Got   string `json:"got,omitempty"`
	Err   string `json:"err,omitempty"`
	Count int    `json:"count,omitempty"`
}

// attack tries something. What it returns is evidence.
type attack func(g ground) (got string, err error)

func main() {
	if len(os.Args) < 2 {
		os.Exit(idle)
	}
	switch os.Args[1] {
	case "victim":
		victim()
	case "rogue":
		rogue(os.Args[2])
	}
	var g ground
	if err := json.Unmarshal([]byte(os.Getenv(groundVariable)), &g); err != nil {
		fmt.Fprintln(os.Stderr, "attacker:", err)
		os.Exit(1)
	}
	run, ok := attacks()[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "attacker: no attack", os.Args[1])
		os.Exit(1)
	}
	got, err := run(g)
	if len(got) > 4096 {
		got = got[:4096]
	}
	tell(verdict{Got: got, Err: nameOf(err), Count: counted})
}

// counted is how much an attack on a limit has taken.
var counted int

// count says how much there is now, at once: the next step may be the end.
func count(n int) {
	counted = n
	tell(verdict{Count: n})
}

func tell(v verdict) {
	line, _ := json.Marshal(v)
	fmt.Println(string(line))
}

// nameOf is EPERM and so on, so that the host need not read prose.
func nameOf(err error) string {
	if err == nil {
		return ""
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// errFailed is for attacks that the kernel lets run and that get nothing.
var errFailed = errors.New("nothing")

func attacks() map[string]attack {
	all := map[string]attack{}
	for _, group := range []map[string]attack{files(), processes(), kernel(), permissions(), namespaces(), mounts(), devices(), network(), agent(), exhaustion(), workspace()} {
		for name, a := range group {
			if all[name] != nil {
				panic("two attacks " + name)
			}
			all[name] = a
		}
	}
	return all
}

// call is a system call that has no name in package unix, or must have its
// arguments wrong.
func call(nr uintptr, args ...uintptr) (uintptr, error) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return r, errno
	}
	return r, nil
}

// opened says whether path can be opened so; nothing is read or written.
func opened(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// openedOne is the first of paths that can be opened so, or the last error.
func openedOne(flags int, paths ...string) (string, error) {
	err := error(unix.ENOENT)
	for _, p := range paths {
		e := opened(p, flags)
		if e == nil {
			return p, nil
		}
		if e != unix.ENOENT { // a file that this kernel has not says nothing
			err = e
		}
	}
	return "", err
}
