package wire

// Probe is what the agent's program found when it was run as a command that
// tries the walls of its box: one line of JSON on standard output. What was
// not asked for is zero.
type Probe struct {
	// Kernel is the release of the kernel that answers system calls.
	Kernel string `json:"kernel,omitempty"`
	// Filtered says that a call which only our own filter refuses was refused.
	Filtered bool `json:"filtered,omitempty"`
	// Forked is how many processes there were at once.
	Forked int64 `json:"forked,omitempty"`
	// Touched and Swapped are bytes of memory in use, and how many of them are in swap.
	Touched int64 `json:"touched,omitempty"`
	Swapped int64 `json:"swapped,omitempty"`
}

// What can be probed. The amount is in the unit given.
const (
	ProbeKernel = "kernel" // no amount
	ProbeCPU    = "cpu"    // milliseconds of as much work as there are processors for
	ProbePIDs   = "pids"   // processes at once
	ProbeMemory = "memory" // bytes in use at once
)
