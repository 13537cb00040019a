package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func archCalls() []call {
	return []call{
		{"iopl", unix.SYS_IOPL, [6]uintptr{0}},
		{"ioperm", unix.SYS_IOPERM, [6]uintptr{0, 1, 0}},
		{"modify_ldt", unix.SYS_MODIFY_LDT, [6]uintptr{0, 0, 0}},
	}
}

// otherKind makes a call as a program of x32 does.
func otherKind() bool {
	_, _, errno := syscall.RawSyscall(0x40000000|unix.SYS_GETPID, 0, 0, 0)
	return errno == 0
}
