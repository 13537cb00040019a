package modeltest

import "strings"

// Fault is one way in which an answer goes wrong, or is only unusual.
type Fault struct {
	Name string
	only Wire // the format's family that has it; "" is both
	do   func(*answer)
}

// String is the fault's name.
func (f Fault) String() string { return f.Name }

// In says that answers of that format can have the fault.
func (f Fault) In(w Wire) bool { return f.only == "" || f.only == w.format() }

// Names are the names of faults, for people.
func Names(faults []Fault) string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.Name
	}
	return strings.Join(names, " + ")
}

// openAIOnly is a fault that Anthropic's format can't have.
func openAIOnly(name string, do func(*answer)) Fault {
	return Fault{Name: name, only: OpenAI, do: do}
}
