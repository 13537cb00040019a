//go:build linux

package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mounts are attacks with mounts, old calls and new.
func mounts() map[string]attack {
	return map[string]attack{
		"mount": func(ground) (string, error) { return mounted("tmpfs", "size=4096") },
		"mount-proc": func(ground) (string, error) {
			got, err := mounted("proc", "")
			return got, err
		},
		"mount-debugfs": func(ground) (string, error) { return mounted("debugfs", "") },
		"mount-bind": func(ground) (string, error) {
			os.Mkdir("/tmp/bound", 0o755)
			return "bound", unix.Mount("/", "/tmp/bound", "", unix.MS_BIND, "")
		},
		"remount-root": func(ground) (string, error) {
			if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
				return "", err
			}
			return appendTo("/written")
		},
		"uncover": func(ground) (string, error) {
			if err := unix.Unmount("/workspace/.glovebox", unix.MNT_DETACH); err != nil {
				return "", err
			}
			return read("/workspace/.glovebox/secret")
		},
		"fsopen":    func(ground) (string, error) { return fsopen() },
		"open-tree": openTree,
		"mount-setattr": func(ground) (string, error) {
			attr := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
			path := []byte("/\x00")
			dir := unix.AT_FDCWD
			_, err := call(unix.SYS_MOUNT_SETATTR, uintptr(dir), uintptr(unsafe.Pointer(&path[0])), 0, pointer(&attr), unsafe.Sizeof(attr))
			if err != nil {
				return "", err
			}
			return appendTo("/written")
		},
		"pivot-root": func(ground) (string, error) { // of places that are not there
			path := []byte("/no/such/place\x00")
			return asked(call(unix.SYS_PIVOT_ROOT, uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(&path[0]))))
		},
	}
}

// mounted mounts a file system and takes it away again.
func mounted(kind, options string) (string, error) {
	dir, err := os.MkdirTemp("/tmp", "mount-")
	if err != nil {
		return "", err
	}
	if err := unix.Mount("none", dir, kind, 0, options); err != nil {
		return "", err
	}
	return kind, unix.Unmount(dir, unix.MNT_DETACH)
}

func fsopen() (string, error) {
	fd, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	return descriptor(uintptr(fd), err)
}

func openTree(ground) (string, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	return descriptor(uintptr(fd), err)
}
