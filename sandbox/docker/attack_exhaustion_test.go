package docker

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// exhaustionAttacks take all of something, each in a small box of its own:
// 256 MiB, 64 processes, files of 4 MiB. What stands for no wall is a larger
// number that the attack still does not exhaust.
func exhaustionAttacks() []attack {
	const mib = 1 << 20
	rows := []attack{
		{name: "fork bomb", run: "forks", number: 150, walls: []wall{morePIDs(400)}},
		{name: "threads", run: "threads", number: 150, walls: []wall{morePIDs(400)}},
		{name: "memory", run: "memory", number: 400, walls: []wall{moreMemory(768 * mib)}},
		{name: "memory as a file without a name", run: "memfd", number: 400, walls: []wall{moreLimit("fsize", "size of a file", 2<<30), moreMemory(768 * mib)}},
		{name: "/tmp", run: "tmp", number: 16, walls: []wall{moreTmp("64m")}},
		{name: "/dev/shm", run: "shm", number: 100, walls: []wall{moreShm(160 * mib)}},
		{name: "one file in the workspace", run: "file", number: 16, walls: []wall{moreLimit("fsize", "size of a file", 64*mib)}},
		{name: "one file in home", run: "home-file", number: 16, walls: []wall{moreLimit("fsize", "size of a file", 64*mib)}},
		{name: "many files in the workspace", run: "disk", number: 300, watched: true, ends: true, walls: []wall{noQuota()}},
		{name: "many files in home", run: "home-disk", number: 300, watched: true, ends: true, walls: []wall{noQuota()}},
		{name: "deleted files that are open", run: "unlinked", number: 900, watched: true, ends: true, walls: []wall{noQuota()}},
		{name: "inodes", run: "inodes", number: 150_000, watched: true, ends: true, walls: []wall{noQuota()}},
		{name: "open files", run: "files", number: openFiles + 100, walls: []wall{moreLimit("nofile", "open files", openFiles+1000)}},
		{name: "message queues", run: "queues", number: 20, walls: []wall{moreLimit("msgqueue", "size of queues", 8*mib)}},
		{name: "a core file in the workspace", run: "core", walls: []wall{moreLimit("core", "size of a core file", 4*mib)}, wins: permitted},
		{name: "processor", run: "processor", walls: []wall{moreCPU()}, wins: permitted},
		{name: "zombies", run: "zombies", number: 80, walls: []wall{unreaped()}, wins: func(_ *ground, a attempt) bool { return a.Count < 80 }},
		{name: "output without end", run: "flood", number: 64, walls: []wall{keepMore()}, wins: func(_ *ground, a attempt) bool {
			return len(a.result.Head)+len(a.result.Tail) > mib
		}},
		{name: "sleep for ever", run: "sleeper", number: 5, ends: true, walls: []wall{waitLonger()}, call: func(c *sandbox.Command) { c.Timeout = time.Second }, wins: func(_ *ground, a attempt) bool {
			return !a.result.TimedOut
		}},
		{name: "a process that outlives its command", run: "sleep", kept: "a box that is not removed is no box", wins: never, drive: seesMarked, afterwards: noneMarked},
		{name: "a process that left its session", run: "sleep-group", kept: "a box that is not removed is no box", wins: never, drive: seesMarked, afterwards: noneMarked},
	}
	for i := range rows {
		rows[i].small = !rows[i].watched
		if rows[i].wins == nil {
			rows[i].wins = took(rows[i].number)
		}
	}
	return grouped("exhaustion", nil, rows)
}

func noQuota() wall {
	return wall{name: "quota", spec: func(s *sandbox.Spec) { s.Disk = nil }}
}

func keepMore() wall {
	return wall{name: "bytes kept", call: func(c *sandbox.Command) { c.Head = 8 << 20 }}
}

func waitLonger() wall {
	return wall{name: "timeout", call: func(c *sandbox.Command) { c.Timeout = time.Minute }}
}

func never(*ground, attempt) bool { return false }

// seesMarked: the host sees what the attack has left, so that it would also
// see it later.
func seesMarked(t *testing.T, _ *sandbox.Box, g *ground) string {
	n := marked(g)
	if n == 0 {
		t.Log("the host can't see what runs in this box: its end is not seen either")
	}
	return fmt.Sprintf("%d left", n)
}

// noneMarked: nothing of the box lives on.
func noneMarked(g *ground) error {
	for end := time.Now().Add(patience); marked(g) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d processes live on", marked(g))
		}
	}
	return nil
}

// marked counts the processes of this machine with the marker in their arguments.
func marked(g *ground) (n int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(g.facts.Marker)) {
			n++
		}
	}
	return n
}
