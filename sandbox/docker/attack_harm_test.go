package docker

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// harmed says what of the host is not as it was: nothing, after any attack.
func (g *ground) harmed(t testing.TB, e *Engine) (harm []string) {
	t.Helper()
	note := func(bad bool, format string, args ...any) {
		if bad {
			harm = append(harm, fmt.Sprintf(format, args...))
		}
	}
	note(!g.quiet(), "the secret's file was opened")
	note(contentOf(g.facts.Secret) != g.secret, "the secret's file has changed")
	note(contentOf(g.facts.Writable) != "harmless", "the writable file has changed")
	note(contentOf("/dev/shm/"+g.facts.ShmFile) != g.secret, "the shared memory has changed")
	note(contentOf(filepath.Join(g.facts.Workspace, ".glovebox", "secret")) != g.secret, "the state has changed")
	g.quiet() // that was us
	entries, err := os.ReadDir(g.facts.Dir)
	note(err != nil || len(entries) != 3, "the directory holds %v", entries)
	for kind := range g.hits {
		n := g.hits[kind].Load()
		note(n > 0, "listener %d was reached %d times", kind, n)
	}
	if g.victimLives() {
		limit, nice := g.stateOfVictim()
		note(limit != g.limit || nice != g.nice, "the process has limits %v and priority %d", limit, nice)
	} else {
		note(true, "the process is dead")
	}
	note(!maps.Equal(kernelSettings(), g.kernel), "the kernel's settings are %v, they were %v", kernelSettings(), g.kernel)
	note(g.typed() != "", "typed into the terminal: %q", g.typed())
	_, err = e.api.Ping(t.Context())
	note(err != nil, "the engine does not answer: %v", err)
	return harm
}

func contentOf(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// typed is what came out of the ground's terminal since the last time.
func (g *ground) typed() string {
	b := make([]byte, 256)
	fds := []unix.PollFd{{Fd: int32(g.master.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 0); err != nil || n == 0 || fds[0].Revents&unix.POLLIN == 0 {
		return ""
	}
	n, _ := unix.Read(int(g.master.Fd()), b)
	return string(b[:max(n, 0)])
}
