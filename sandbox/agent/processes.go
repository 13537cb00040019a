//go:build linux

package agent

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// maxProcesses bounds a walk through /proc: more than any box may have.
const maxProcesses = 1 << 16

// process is what /proc says of one.
type process struct {
	pid, parent, session int
	name                 string // as the kernel has it, 15 bytes
	state                byte
}

// dead says that nothing of it is left but its status.
func (p process) dead() bool { return p.state == 'Z' || p.state == 'X' }

// table is every process that there was at some moment, by number.
type table map[int]process

// processes walks through /proc.
func processes() table {
	all := table{}
	dir, err := os.Open("/proc")
	if err != nil {
		return all
	}
	defer dir.Close()
	for len(all) < maxProcesses {
		names, err := dir.Readdirnames(512)
		for _, name := range names {
			pid, err := strconv.Atoi(name)
			if err != nil {
				continue
			}
			if p, ok := readProcess(pid); ok {
				all[pid] = p
			}
		}
		if err != nil {
			break
		}
	}
	return all
}

// readProcess reads /proc/PID/stat: "PID (NAME) STATE PARENT GROUP SESSION …".
// The name may hold anything, also brackets and spaces.
func readProcess(pid int) (process, bool) {
	line := readSome(pid, "stat", 512)
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 4 {
		return process{}, false
	}
	parent, err1 := strconv.Atoi(fields[1])
	session, err2 := strconv.Atoi(fields[3])
	if err1 != nil || err2 != nil {
		return process{}, false
	}
	return process{pid: pid, parent: parent, session: session, name: line[open+1 : end], state: fields[0][0]}, true
}

// descends says that p is one of roots, or a child of one, and so on.
func (t table) descends(p process, roots map[int]bool) bool {
	for range len(t) + 1 {
		if roots[p.pid] {
			return true
		}
		parent, ok := t[p.parent]
		if !ok {
			return false
		}
		p = parent
	}
	return false
}

// left names what still runs in the box but belongs to no command that runs:
// everything as process 1, else what descends from the agent.
func (f *family) left() []wire.Process {
	if f.childless() {
		return nil
	}
	all, running := f.snapshot()
	me := os.Getpid()
	var pids []int
	for pid, p := range all {
		if pid == me || p.dead() || running[p.session] || all.descends(p, running) {
			continue
		}
		if me == 1 || all.descends(p, map[int]bool{me: true}) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	pids = pids[:min(len(pids), wire.MaxLeft)]
	left := make([]wire.Process, 0, len(pids))
	for _, pid := range pids {
		left = append(left, wire.Process{PID: pid, Command: commandLine(all[pid])})
	}
	return left
}

// commandLine is what p was started with, or its name in brackets.
func commandLine(p process) string {
	line := strings.TrimRight(readSome(p.pid, "cmdline", 4*wire.MaxName), "\x00")
	if line == "" {
		line = "[" + p.name + "]"
	}
	return wire.Printable(line, wire.MaxName)
}

func readSome(pid int, name string, max int64) string {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), name))
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, max))
	return string(data)
}
