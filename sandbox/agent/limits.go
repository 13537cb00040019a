//go:build linux

package agent

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// cgroupRoot is where the control groups of a box are mounted, read-only: its
// own, since it has a namespace of them.
const cgroupRoot = "/sys/fs/cgroup"

// counters are the kernel's own counts of how often the box met its limits,
// open since before anything else ran. Under version 2 of control groups:
// memory.events and pids.events
// (https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files),
// under version 1: memory.oom_control and pids.events. A counter that the
// kernel does not have stays nil and says nothing.
type counters struct {
	killed *counter // processes that were killed for want of memory, of whatever group
	oom    *counter // version 2: how often the box's own limit was the reason
	peak   *counter // version 1 has no such count: the most memory that was ever in use,
	most   *counter // and the limit
	pids   *counter // how often a process or thread could not be started
}

// counter is one number in a file of a control group.
type counter struct {
	file *os.File
	key  string // the word before it, "" if the file is the number alone
}

// openCounters opens what there is below root.
func openCounters(root string) *counters {
	if events := openCounter(root, "memory.events", "oom_kill"); events != nil {
		return &counters{
			killed: events,
			oom:    &counter{events.file, "oom"},
			pids:   openCounter(root, "pids.events", "max"),
		}
	}
	return &counters{
		killed: openCounter(root, "memory/memory.oom_control", "oom_kill"),
		peak:   openCounter(root, "memory/memory.max_usage_in_bytes", ""),
		most:   openCounter(root, "memory/memory.limit_in_bytes", ""),
		pids:   openCounter(root, "pids/pids.events", "max"),
	}
}

func openCounter(root, name, key string) *counter {
	f, err := os.Open(filepath.Join(root, name))
	if err != nil {
		return nil
	}
	return &counter{f, key}
}

// read is the number as it is now.
func (c *counter) read() (int64, bool) {
	if c == nil {
		return 0, false
	}
	var buf [4 << 10]byte
	n, err := c.file.ReadAt(buf[:], 0)
	if n == 0 || n == len(buf) && err == nil {
		return 0, false
	}
	for line := range bytes.Lines(buf[:n]) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || c.key != "" && (len(fields) != 2 || string(fields[0]) != c.key) {
			continue
		}
		value, err := strconv.ParseInt(string(fields[len(fields)-1]), 10, 64)
		return value, err == nil
	}
	return 0, false
}

// counts are the counters that only ever rise, at one moment; -1 is unknown.
type counts struct{ killed, oom, pids int64 }

func (c *counters) now() counts {
	known := func(c *counter) int64 {
		if n, ok := c.read(); ok {
			return n
		}
		return -1
	}
	return counts{killed: known(c.killed), oom: known(c.oom), pids: known(c.pids)}
}

// since names the limits that were hit after before was counted, up to now.
func (c *counters) since(before counts) (limits []string, now counts) {
	now = c.now()
	rose := func(from, to int64) bool { return from >= 0 && to > from }
	if rose(before.killed, now.killed) {
		limits = append(limits, c.whoseMemory(before, now))
	}
	if rose(before.pids, now.pids) {
		limits = append(limits, wire.LimitPIDs)
	}
	return limits, now
}

// told remembers up to where the host knows of the limits that were hit.
type told struct {
	mu sync.Mutex
	at counts
}

func (t *told) get() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at
}

func (t *told) set(at counts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = at
}

// chargeBatch is what a processor takes of a group's memory in advance, in
// bytes, times more processors than matter: so close to the limit the next
// allocation meets it. (MEMCG_CHARGE_BATCH in the kernel is 64 pages.)
const chargeBatch = 4 << 20

// whoseMemory says whether the box's own limit was why something was killed.
// The kernel counts the killed whatever the reason; the machine itself may
// have run out of memory.
func (c *counters) whoseMemory(before, now counts) string {
	if now.oom >= 0 {
		if now.oom > before.oom {
			return wire.LimitMemory
		}
		return wire.LimitHostMemory
	}
	peak, ok1 := c.peak.read()
	most, ok2 := c.most.read()
	if ok1 && ok2 && peak < most-chargeBatch {
		return wire.LimitHostMemory
	}
	return wire.LimitMemory
}

// company knows whether a command is alone in the box.
type company struct {
	mu     sync.Mutex
	active int
	begun  int // how often a command began
}

// enter counts a command that begins and returns how to count its end, which
// says whether another one ran at any time in between.
func (c *company) enter() (leave func() (shared bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := c.active > 0
	c.active++
	c.begun++
	mine := c.begun
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.active--
		return others || c.begun != mine
	}
}

// hitFileSize says that the command was ended by the limit of a file's size:
// its own process by the signal, or as a shell tells it of its last one.
func hitFileSize(r wire.Result, program string) bool {
	if r.Signal == "SIGXFSZ" {
		return true
	}
	shells := []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"}
	return r.Exit == 128+int(syscall.SIGXFSZ) && slices.Contains(shells, path.Base(program))
}

// full names the limits of the box's temporary file systems that have no room left.
func (w places) full() (limits []string) {
	if slices.ContainsFunc([]string{"/tmp", w.workspace, w.home}, tempFull) {
		limits = append(limits, wire.LimitTemp)
	}
	if tempFull("/dev/shm") {
		limits = append(limits, wire.LimitShared)
	}
	return limits
}

func tempFull(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC && (s.Bavail == 0 || s.Files > 0 && s.Ffree == 0)
}
