package docker

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// proxy puts the engine behind TCP on loopback and returns its address.
func proxy(t *testing.T) string {
	t.Helper()
	socket := strings.TrimPrefix(testEngine(t).host, "unix://")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go relay(c.(*net.TCPConn), socket)
		}
	}()
	return "tcp://" + l.Addr().String()
}

// relay copies both ways and passes the end of each way on by itself: the
// attached stream of a container is closed one half at a time. When one side
// is gone, so is the other.
func relay(c *net.TCPConn, socket string) {
	defer c.Close()
	e, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer e.Close()
	go func() {
		if _, err := io.Copy(e, c); err != nil {
			e.Close()
		}
		e.(*net.UnixConn).CloseWrite()
	}()
	io.Copy(c, e)
	c.CloseWrite()
}

// fakeSSH puts an ssh into the PATH that runs what it is told on this machine,
// and returns the file with its command lines.
func fakeSSH(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$*\" >> \"" + dir + "/log\"\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec env -u DOCKER_HOST \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return filepath.Join(dir, "log")
}

// An engine behind TCP or ssh does all that a box needs: the attached stream
// that ends one half at a time, the end of the box with its stream, volumes.
func TestRemoteEngine(t *testing.T) {
	log := fakeSSH(t)
	for _, host := range []string{proxy(t), "ssh://ann@engine.example:2222"} {
		t.Run(strings.Split(host, ":")[0], func(t *testing.T) {
			t.Setenv("DOCKER_HOST", host)
			e := testEngine(t)
			if f, err := e.Facts(t.Context()); err != nil || f.Host != host || !e.Remote() {
				t.Fatalf("%s: %v", f.Host, err)
			}
			s := testSpec(t, e)
			s.Workspace, s.Home = "", ""
			name, err := e.CreateVolume(t.Context(), sandbox.VolumeSpec{Kind: sandbox.VolumeWorkspace, Job: s.Job, User: s.User, Image: s.Image})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.RemoveVolume(t.Context(), name); err != nil {
					t.Error(err)
				}
			})
			s.WorkspaceVolume = name
			b := openBox(t, e, s)
			output(t, b, "echo hello > file; head -c 3000000 /dev/zero")
			ended := make(chan error)
			go func() { ended <- b.Close() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("the box does not end")
			}
			if got := output(t, openBox(t, e, s), "cat file"); got != "hello\n" {
				t.Errorf("in the next box: %q", got)
			}
		})
	}
	if calls, _ := os.ReadFile(log); !strings.Contains(string(calls), "-l ann -p 2222 -- engine.example docker system dial-stdio\n") {
		t.Errorf("ssh was called as\n%s", calls)
	}
}

// What could be another option or another command for ssh is refused.
func TestSSHCommand(t *testing.T) {
	for host, want := range map[string]string{
		"ssh://engine":                         "-- engine docker system dial-stdio",
		"ssh://ann@engine:2222":                "-l ann -p 2222 -- engine docker system dial-stdio",
		"ssh://ann@engine/run/user/7/docker.s": "-l ann -- engine docker --host unix:///run/user/7/docker.s system dial-stdio",
		"ssh://[::1]":                          "-- ::1 docker system dial-stdio",
		"ssh://":                               "",
		"ssh://ann@":                           "",
		"ssh://-oProxyCommand=x":               "",
		"ssh://-l@engine":                      "",
		"ssh://ann:secret@engine":              "",
		"ssh://engine/a;reboot":                "",
		"ssh://engine/a?b=c":                   "",
		"ssh://engine:x":                       "",
	} {
		args, err := sshCommand(host)
		got := strings.Join(args[min(len(args), slices.Index(args, "BatchMode=yes")+1):], " ")
		if (err != nil) != (want == "") || got != want || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", host, got, err)
		}
	}
}
