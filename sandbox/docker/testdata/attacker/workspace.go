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

// workspace plants what the host may stumble over. What the attacks get is
// seen by the host when it reads, lists or writes.
func workspace() map[string]attack {
	return map[string]attack{
		"plant-links":   plantLinks,
		"plant-pipe":    func(ground) (string, error) { return "made", unix.Mkfifo("/workspace/pipe", 0o666) },
		"plant-socket":  plantSocket,
		"plant-sparse":  func(ground) (string, error) { return plantSparse() },
		"plant-names":   plantNames,
		"plant-deep":    plantDeep,
		"plant-many":    plantMany,
		"plant-git":     plantGit,
		"plant-loop":    plantLoop,
		"plant-racer":   plantRacer,
		"plant-devices": plantDevices,
	}
}

// plantLinks makes links that lead out, up, and into the state.
func plantLinks(g ground) (string, error) {
	for name, to := range map[string]string{
		"absolute": g.Secret, "upwards": strings.Repeat("../", 40) + strings.TrimPrefix(g.Secret, "/"),
		"writable": g.Writable, "dir": g.Dir, "state": ".glovebox/secret", "statedir": ".glovebox",
	} {
		if err := os.Symlink(to, "/workspace/link-"+name); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return "made", nil
}

func plantSocket(ground) (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	return "made", unix.Bind(fd, &unix.SockaddrUnix{Name: "/workspace/socket"})
}

// plantSparse is a file that is as long as a file may be and takes no room.
func plantSparse() (string, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &l); err != nil {
		return "", err
	}
	f, err := os.Create("/workspace/sparse")
	if err != nil {
		return "", err
	}
	size := int64(min(l.Max, 1<<32))
	return fmt.Sprint(size), f.Truncate(size)
}

// plantNames makes files whose names would act on a terminal or a parser.
func plantNames(ground) (string, error) {
	if err := os.Mkdir("/workspace/names", 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{strings.Repeat("x", 255), "a\nb", "\x1b[2J", "\xff\xfe", "-rf", " ", "\u202egnp", "a\"b'c`d$(id)"} {
		if _, err := appendTo("/workspace/names/" + name); err != nil {
			return "", err
		}
	}
	return "made", nil
}

// plantDeep is deeper than any path may be long.
func plantDeep(ground) (string, error) {
	if err := os.Chdir("/workspace"); err != nil {
		return "", err
	}
	for range 600 {
		if err := os.Mkdir("deep-deep-deep", 0o755); err != nil {
			return "", err
		}
		if err := unix.Chdir("deep-deep-deep"); err != nil {
			return "", err
		}
	}
	return "made", nil
}

func plantMany(ground) (string, error) {
	if err := os.Mkdir("/workspace/many", 0o755); err != nil {
		return "", err
	}
	for n := range 12000 {
		if err := os.Symlink("x", fmt.Sprintf("/workspace/many/%d", n)); err != nil {
			return "", err
		}
	}
	return "made", nil
}

// plantGit is a repository that runs a program when git looks at it on the host.
func plantGit(g ground) (string, error) {
	script := "#!/bin/sh\necho attacked >>" + g.Writable + "\n"
	run := filepath.Join(g.Workspace, "planted/.git/run")
	config := "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = " + run + "\n\tpager = " + run + "\n[filter \"x\"]\n\tclean = " + run + "\n"
	for name, content := range map[string]string{
		"run": script, "config": config, "HEAD": "ref: refs/heads/main\n", "hooks/pre-commit": script, "hooks/post-checkout": script,
		"info/attributes": "* filter=x\n", "objects/info/packs": "", "refs/heads/.keep": "",
	} {
		path := filepath.Join("/workspace/planted/.git", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			return "", err
		}
	}
	return "made", nil
}

func plantLoop(ground) (string, error) {
	return "made", os.Symlink("loop", "/workspace/loop")
}

// plantRacer changes one name for ever between a file, a link that leads out
// and a pipe, and its directory between a directory and a link.
func plantRacer(g ground) (string, error) {
	os.MkdirAll("/workspace/race/real", 0o755)
	os.WriteFile("/workspace/race/real/file", []byte("harmless"), 0o644)
	os.Symlink(g.Dir, "/workspace/race/out")
	os.Symlink("real", "/workspace/race/sub")
	os.WriteFile("/workspace/race/file", []byte("harmless"), 0o644)
	os.Symlink(g.Secret, "/workspace/race/link")
	unix.Mkfifo("/workspace/race/pipe", 0o644)
	exchange := func(a, b string) {
		unix.Renameat2(unix.AT_FDCWD, "/workspace/race/"+a, unix.AT_FDCWD, "/workspace/race/"+b, unix.RENAME_EXCHANGE)
	}
	for {
		exchange("file", "link")
		exchange("file", "pipe")
		exchange("real", "out")
	}
}

// plantDevices links to files that never end or do something when read.
func plantDevices(ground) (string, error) {
	for name, to := range map[string]string{"zero": "/dev/zero", "tty": "/dev/tty", "mem": "/proc/self/mem", "kmsg": "/dev/kmsg", "stdin": "/proc/self/fd/0"} {
		if err := os.Symlink(to, "/workspace/device-"+name); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return "made", nil
}
