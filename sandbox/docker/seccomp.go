package docker

import _ "embed"

// seccompProfile is the filter of system calls of every box: what builds need
// and nothing else, in the form that engines take (moby, profiles/seccomp). It
// is ours and not the engine's, so that it is the same on every engine and
// stricter than their own where builds don't need more. What it does not name
// fails with EPERM; calls of another architecture's kind (32 bits, x32) end
// whoever makes them.
//
// What tells calls apart by an argument allows the good values and never lists
// the bad ones: the kernel looks at 32 bits of most arguments and the filter at
// 64, so a bad value can be disguised and a good one can't.
//
//go:embed seccomp.json
var seccompProfile string
