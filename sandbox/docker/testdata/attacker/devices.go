//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// devices are attacks on the machine's devices. Only such are opened that do
// nothing by it (a watchdog would), and only for reading.
func devices() map[string]attack {
	return map[string]attack{
		"list": listDevices,
		"open-disk": func(g ground) (string, error) {
			return openedOne(unix.O_RDONLY, g.DiskPath, "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/dm-0")
		},
		"mknod-disk": func(g ground) (string, error) { return readNode(unix.S_IFBLK, g.Disk, "/workspace/disk") },
		"mknod-dev":  func(g ground) (string, error) { return readNode(unix.S_IFBLK, g.Disk, "/dev/disk") },
		"mknod-kmsg": func(ground) (string, error) { return madeNode(unix.S_IFCHR, unix.Mkdev(1, 11), "/workspace/kmsg") },
		"planted":    func(ground) (string, error) { return readDisk("/workspace/planted-disk") },
		"tiocsti":    tiocsti,
		"console": func(ground) (string, error) {
			return openedOne(unix.O_WRONLY, "/dev/console", "/dev/tty0", "/dev/tty1")
		},
		"dev-memory": func(ground) (string, error) { return openedOne(unix.O_RDONLY, "/dev/mem", "/dev/kmem", "/dev/port") },
		"tun":        func(ground) (string, error) { return openedOne(unix.O_RDWR, "/dev/net/tun") },
		"fuse":       func(ground) (string, error) { return openedOne(unix.O_RDWR, "/dev/fuse") },
		"loop":       func(ground) (string, error) { return openedOne(unix.O_RDONLY, "/dev/loop-control", "/dev/loop0") },
		"kvm":        func(ground) (string, error) { return openedOne(unix.O_RDONLY, "/dev/kvm") },
		"kernel-log": func(ground) (string, error) { return openedOne(unix.O_RDONLY, "/dev/kmsg") },
	}
}

// listDevices looks for nodes that a box has no use for.
func listDevices(ground) (string, error) {
	usual := []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts/ptmx"}
	var found []string
	err := filepath.WalkDir("/dev", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeDevice != 0 && !slices.Contains(usual, path) {
			found = append(found, path)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errFailed
	}
	return strings.Join(found, " "), err
}

func madeNode(kind, device uint64, path string) (string, error) {
	if err := unix.Mknod(path, uint32(kind)|0o600, int(device)); err != nil {
		return "", err
	}
	return "made", os.Remove(path)
}

func readNode(kind uint32, device int, path string) (string, error) {
	if err := unix.Mknod(path, kind|0o600, device); err != nil {
		return "", err
	}
	defer os.Remove(path)
	return readDisk(path)
}

// readDisk reads one block. What it says is nobody's business.
func readDisk(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	n, err := f.Read(make([]byte, 512))
	if err == io.EOF { // an empty one
		err = nil
	}
	return fmt.Sprintf("%d bytes of the disk", n), err
}

// tiocsti types into a terminal of the host, as if its user had.
func tiocsti(g ground) (string, error) {
	paths := []string{"/dev/attacked-terminal", g.TTY, "/dev/tty", "/proc/self/fd/0", "/proc/self/fd/1"}
	last := error(unix.ENOTTY)
	for _, path := range paths {
		fd, err := unix.Open(path, unix.O_RDWR, 0) // becomes the controlling terminal
		if err != nil {
			if err != unix.ENOENT && last == unix.ENOTTY {
				last = err
			}
			continue
		}
		for _, c := range []byte(g.Marker) {
			if _, err = call(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSTI, pointer(&c)); err != nil {
				break
			}
		}
		if err == nil {
			return "typed", nil
		}
		last = err
	}
	return "", last
}
