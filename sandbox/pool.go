package sandbox

// Scope is how long a box lasts.
type Scope string

// The scopes.
const (
	// ScopeCall gives every call a new box. The default.
	ScopeCall Scope = "call"
	// ScopeSession keeps one box for a session.
	ScopeSession Scope = "session"
)
