package main

func archCalls() []call { return nil }

// otherKind: a program of arm64 has no way to make a call of 32 bits.
func otherKind() bool { return false }
