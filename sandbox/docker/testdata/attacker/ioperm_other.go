//go:build !amd64

package main

const sysIoperm = ^uintptr(0) // no such call: ENOSYS
