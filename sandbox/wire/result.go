package wire

import (
	"fmt"
	"slices"
)

// checkResult refuses a result that no command can have.
func checkResult(r Result, out *Output, head, tail int) error {
	bad := func(what string) error { return fmt.Errorf("%w: a result with %s", ErrProtocol, what) }
	switch {
	case r.Exit < -1 || r.Exit > 255:
		return bad(fmt.Sprintf("exit code %d", r.Exit))
	case (r.Exit == -1) != (r.Signal != ""):
		return bad("a signal and an exit code")
	case r.Signal != "" && !signalName(r.Signal):
		return bad("a signal that has no name")
	case r.Elided < 0:
		return bad("a negative count")
	case r.Elided > 0 && (len(out.Head) < head || len(out.Tail) < tail):
		return bad("bytes left out before both ends were full")
	case r.Nanos < 0:
		return bad("a negative duration")
	}
	if !limitNames(r.Limits) {
		return bad("a limit that there is not")
	}
	return checkLeft(r.Left)
}

// Check refuses what no box can say of itself, and makes its names printable.
func (l *LeftOver) Check() error {
	if len(l.Output) > MaxRecent || l.Dropped < 0 {
		return fmt.Errorf("%w: %d bytes of recent output and %d before", ErrProtocol, len(l.Output), l.Dropped)
	}
	if !limitNames(l.Limits) {
		return fmt.Errorf("%w: a limit that there is not", ErrProtocol)
	}
	if err := checkLeft(l.Left); err != nil {
		return err
	}
	printable(l.Left)
	return nil
}

func checkLeft(left []Process) error {
	if len(left) > MaxLeft {
		return fmt.Errorf("%w: %d processes", ErrProtocol, len(left))
	}
	for _, p := range left {
		if p.PID <= 0 {
			return fmt.Errorf("%w: a process without a number", ErrProtocol)
		}
	}
	return nil
}

func printable(left []Process) {
	for i := range left {
		left[i].Command = Printable(left[i].Command, MaxName)
	}
}

// limitNames accepts each name of the closed set once, which bounds them too.
func limitNames(names []string) bool {
	for i, name := range names {
		switch name {
		case LimitMemory, LimitHostMemory, LimitPIDs, LimitFileSize, LimitTemp, LimitShared:
		default:
			return false
		}
		if slices.Contains(names[:i], name) {
			return false
		}
	}
	return true
}

// signalName accepts SIG and up to 12 of A-Z, 0-9, + and -: SIGKILL, SIGRTMIN+15.
func signalName(s string) bool {
	if len(s) < 4 || len(s) > 15 || s[:3] != "SIG" {
		return false
	}
	for _, c := range s[3:] {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '+' && c != '-' {
			return false
		}
	}
	return true
}
