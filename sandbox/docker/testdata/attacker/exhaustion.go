//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// exhaustion are attacks that take all of something. Each counts what it has
// got and stops at the ground's number.
func exhaustion() map[string]attack {
	return map[string]attack{
		"forks":       forks,
		"threads":     threads,
		"memory":      memory,
		"tmp":         func(g ground) (string, error) { return manyFiles("/tmp", g.Number, false) },
		"shm":         func(g ground) (string, error) { return manyFiles("/dev/shm", g.Number, false) },
		"file":        func(g ground) (string, error) { return fill("/workspace/big", g.Number) },
		"home-file":   func(g ground) (string, error) { return fill("/home/glovebox/big", g.Number) },
		"disk":        func(g ground) (string, error) { return manyFiles("/workspace", g.Number, false) },
		"home-disk":   func(g ground) (string, error) { return manyFiles("/home/glovebox", g.Number, false) },
		"unlinked":    func(g ground) (string, error) { return manyFiles("/workspace", g.Number, true) },
		"inodes":      func(g ground) (string, error) { return emptyFiles("/workspace", g.Number) },
		"files":       manyDescriptors,
		"queues":      queues,
		"flood":       flood,
		"zombies":     zombies,
		"sleep":       func(g ground) (string, error) { return sleep(g.Marker, false) },
		"sleep-group": func(g ground) (string, error) { return sleep(g.Marker, true) },
		"processor":   processor,
		"core":        core,
		"sleeper": func(g ground) (string, error) {
			time.Sleep(time.Duration(g.Number) * time.Second)
			return "slept", nil
		},
		"memfd": memfd,
	}
}

// forks starts processes that stay.
func forks(g ground) (string, error) {
	for n := 1; n <= g.Number; n++ {
		c := exec.Command("/bin/sleep", "1000")
		if err := c.Start(); err != nil {
			return "", err
		}
		defer c.Process.Kill()
		count(n)
	}
	return "all", nil
}

// threads starts threads; Go ends a program that can't have one more.
func threads(g ground) (string, error) {
	for n := 1; n <= g.Number; n++ {
		up := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(up)
			select {}
		}()
		<-up
		count(n)
	}
	return "all", nil
}

const mib = 1 << 20

// memory takes and touches MiB after MiB.
func memory(g ground) (string, error) {
	var kept [][]byte
	for n := 1; n <= g.Number; n++ {
		b, err := unix.Mmap(-1, 0, mib, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return "", err
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
		count(n)
	}
	return fmt.Sprint(len(kept)), nil
}

// memfd takes memory as files that have no name.
func memfd(g ground) (string, error) {
	fd, err := unix.MemfdCreate("attack", unix.MFD_CLOEXEC)
	if err != nil {
		return "", err
	}
	return write(os.NewFile(uintptr(fd), "memfd"), g.Number)
}

// fill writes one file of so many MiB.
func fill(path string, number int) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer os.Remove(path)
	defer f.Close()
	return write(f, number)
}

func write(f *os.File, number int) (string, error) {
	block := bytes.Repeat([]byte{1}, mib)
	for n := 1; n <= number; n++ {
		if _, err := f.Write(block); err != nil {
			return "", err
		}
		count(n)
	}
	return "all", nil
}

// manyFiles writes files of one MiB, at the pace of a slow disk so that what
// watches may watch. Unlinked ones are invisible and stay open.
func manyFiles(dir string, number int, unlinked bool) (string, error) {
	block := bytes.Repeat([]byte{1}, mib)
	defer func() {
		made, _ := filepath.Glob(filepath.Join(dir, "file-*"))
		for _, path := range made {
			os.Remove(path)
		}
	}()
	for n := 1; n <= number; n++ {
		path := filepath.Join(dir, fmt.Sprintf("file-%d", n))
		f, err := os.Create(path)
		if err != nil {
			return "", err
		}
		if _, err := f.Write(block); err != nil {
			return "", err
		}
		if unlinked {
			os.Remove(path)
		} else {
			f.Close()
		}
		count(n)
		time.Sleep(pace)
	}
	return "all", nil
}

const pace = 10 * time.Millisecond

// emptyFiles makes files without content, a thousand a directory.
func emptyFiles(dir string, number int) (string, error) {
	for n := 1; n <= number; n++ {
		sub := filepath.Join(dir, fmt.Sprintf("dir-%d", n/1000))
		os.Mkdir(sub, 0o755)
		fd, err := unix.Open(fmt.Sprintf("%s/%d", sub, n), unix.O_CREAT|unix.O_WRONLY, 0o644)
		if err != nil {
			return "", err
		}
		unix.Close(fd)
		if n%1000 == 0 {
			count(n)
			time.Sleep(pace)
		}
	}
	return "all", nil
}

func manyDescriptors(g ground) (string, error) {
	for n := 1; n <= g.Number; n++ {
		if _, err := unix.Open("/dev/null", unix.O_RDONLY, 0); err != nil {
			count(n - 1)
			return "", err
		}
	}
	count(g.Number)
	return "all", nil
}

// queues makes POSIX message queues, whose memory is the kernel's.
func queues(g ground) (string, error) {
	attr := struct{ flags, maxmsg, msgsize, cur, pad1, pad2, pad3, pad4 int64 }{maxmsg: 10, msgsize: 8192}
	for n := 1; n <= g.Number; n++ {
		name := []byte(fmt.Sprintf("attack-%d\x00", n))
		if _, err := call(unix.SYS_MQ_OPEN, uintptr(ptr(name)), unix.O_CREAT|unix.O_RDWR, 0o600, pointer(&attr)); err != nil {
			return "", err
		}
		defer call(unix.SYS_MQ_UNLINK, uintptr(ptr(name)))
		count(n)
	}
	return "all", nil
}

// flood writes to standard output and never says that it did.
func flood(g ground) (string, error) {
	block := []byte(strings.Repeat("flood\n", mib/6))
	for range g.Number {
		if _, err := os.Stdout.Write(block); err != nil {
			return "", err
		}
	}
	return "all", nil
}

// zombies are children's children whose parents are gone: process 1 gets them.
func zombies(g ground) (string, error) {
	for n := 1; n <= g.Number; n++ {
		if err := exec.Command("/bin/sh", "-c", "/bin/sleep 0 &").Run(); err != nil {
			return "", err
		}
		count(n)
	}
	return "all", nil
}

// sleep leaves a process that ends by no polite signal and carries the marker.
func sleep(marker string, group bool) (string, error) {
	c := exec.Command("/bin/sh", "-c", "trap '' HUP INT TERM QUIT; /bin/sleep 1000; /bin/sleep 1000", marker)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: group}
	if err := c.Start(); err != nil {
		return "", err
	}
	return "left", nil
}

// processor burns time until it was held back, or has burnt a second without.
func processor(ground) (string, error) {
	var usage unix.Rusage
	for usage.Utime.Sec+usage.Stime.Sec < 1 {
		sha256.Sum256(make([]byte, 4*mib))
		if n := throttled(); n > 2 {
			return fmt.Sprintf("held back %d times", n), errFailed
		}
		if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
			return "", err
		}
	}
	return "a second", nil
}

func throttled() (n int) {
	for _, path := range []string{"/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat", "/sys/fs/cgroup/cpu.stat"} {
		got, err := read(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(got) {
			fmt.Sscanf(line, "nr_throttled %d", &n)
		}
	}
	return n
}

// core crashes, and finds its memory in a file of the workspace.
func core(ground) (string, error) {
	c := exec.Command("/bin/sh", "-c", "kill -SEGV $$")
	c.Dir = "/workspace"
	c.Run()
	found, err := filepath.Glob("/workspace/core*")
	if err == nil && len(found) == 0 {
		err = errFailed
	}
	for _, f := range found {
		os.Remove(f)
	}
	return strings.Join(found, " "), err
}
