package handover

import (
	"io/fs"
	"strings"
)

// special finds what is no plain file or directory, and programs that run with
// the rights of their owner.
func (l *look) special(e entry) {
	mode := e.info.Mode()
	look := func(kind, detail string) {
		l.found(Finding{Severity: Look, Kind: kind, Path: e.path, Detail: detail})
	}
	switch {
	case mode&fs.ModeSymlink != 0:
		l.link(e)
	case mode&fs.ModeDevice != 0:
		look("device", "reading or writing it reaches a device of the machine")
	case mode&fs.ModeNamedPipe != 0:
		look("pipe", "whoever opens it waits for ever")
	case mode&fs.ModeSocket != 0:
		look("socket", "a process may listen behind it")
	case mode.IsRegular() && mode&fs.ModeSetuid != 0:
		look("setuid", "it runs with the rights of its owner, whoever starts it")
	case e.program() && mode&fs.ModeSetgid != 0:
		look("setgid", "it runs with the rights of its group, whoever starts it")
	}
}

// link finds links that lead out of the project, or into the job's state.
func (l *look) link(e entry) {
	target, err := e.dir.Readlink(e.name)
	if err != nil {
		l.unseen(e.path, cause(err))
		return
	}
	switch _, to := l.resolve(e.path); to {
	case leaves:
		l.found(Finding{Severity: Look, Kind: "link", Path: e.path, Detail: "it leads out of the project, to " + target})
	case skipped:
		l.found(Finding{Severity: Look, Kind: "link", Path: e.path, Detail: "it leads into the job's state, to " + target})
	}
	if isCommand(e.name) && !strings.HasPrefix(e.path, ".git/") {
		l.command(e)
	}
}
