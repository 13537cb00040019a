package wire

import "fmt"

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
	case len(r.Left) > MaxLeft:
		return bad(fmt.Sprintf("%d processes", len(r.Left)))
	}
	for _, p := range r.Left {
		if p.PID <= 0 {
			return bad("a process without a number")
		}
	}
	return nil
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
