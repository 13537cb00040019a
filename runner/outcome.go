package runner

// Outcome is how a job's process ended: a closed list, each with an exit code
// that scripts may rely on.
type Outcome string

// The outcomes.
const (
	Done         Outcome = "done"          // every feature verified
	FailedRun    Outcome = "failed"        // our own fault or the environment's
	Usage        Outcome = "usage"         // bad flags, spec or directory
	Incomplete   Outcome = "incomplete"    // ended by a limit, or with blocked features
	OverBudget   Outcome = "budget"        // the cap would be exceeded
	ModelRefused Outcome = "model-refused" // wrong model served, unknown price, paid model under a zero budget
	NoSandbox    Outcome = "no-sandbox"    // no engine, or a wall that it can't build
	Rejected     Outcome = "rejected"      // a person rejected the feature list
	RateLimit    Outcome = "rate-limit"    // the provider allows no more for now
	Interrupted  Outcome = "interrupted"   // SIGINT or SIGTERM; the same command goes on
)

// ExitCode is the process's exit code for o.
func (o Outcome) ExitCode() int {
	switch o {
	case Done:
		return 0
	case Usage:
		return 2
	case Incomplete:
		return 3
	case OverBudget:
		return 4
	case ModelRefused:
		return 5
	case NoSandbox:
		return 6
	case Rejected:
		return 7
	case RateLimit:
		return 8
	case Interrupted:
		return 130
	default:
		return 1
	}
}

// Error is an ending with its outcome. Reason says what happened in one line,
// Hint what a person can do about it; Hint may be empty.
type Error struct {
	Outcome Outcome
	Reason  string
	Hint    string
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil && e.Reason != "" {
		return e.Reason + ": " + e.Err.Error()
	}
	if e.Err != nil {
		return e.Err.Error()
	}
	return e.Reason
}

func (e *Error) Unwrap() error { return e.Err }
