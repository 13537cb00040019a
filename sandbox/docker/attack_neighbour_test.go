package docker

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// openNeighbour starts a second box of the test's own with a server in it. It
// stands for the host where everything there is would be attacked.
func openNeighbour(t *testing.T, r *team, g *ground) {
	t.Helper()
	s := g.spec(r.image, modes()[0].user)
	s.Workspace, s.Home, s.Hidden = "", "", nil
	g.next = openBox(t, r.e, s)
	c := shell(`/bin/attacker listen >/tmp/listening 2>&1 & while ! grep -q ready /tmp/listening; do sleep 0.05; done`)
	c.Env = append(c.Env, g.variable(0))
	if r, err := g.next.Run(t.Context(), c); err != nil || !r.Success() {
		t.Fatalf("the neighbour's server: %s, %v", r.Output(), err)
	}
}

// neighbourDead: what the other box has running is gone.
func neighbourDead(g *ground, _ attempt) bool {
	if g.next == nil {
		return false // there is none for a box that has its walls
	}
	r, err := g.next.Run(context.Background(), shell(`grep -lsaz '^listen$' /proc/[0-9]*/cmdline`))
	return err != nil || r.ExitCode != 0
}

// neighbourSpoke: the other box's server has answered.
func neighbourSpoke(g *ground, a attempt) bool { return len(a.Got) > 0 && a.Got == g.facts.Marker+"\n" }

func pidsOf(g *ground) wall {
	return wall{name: "pid namespace", away: func(_ *container.Config, h *container.HostConfig) {
		h.PidMode = container.PidMode("container:" + g.next.ID())
	}}
}

func networkOf(g *ground) wall {
	return wall{name: "network namespace", away: func(c *container.Config, h *container.HostConfig) {
		h.NetworkMode = container.NetworkMode("container:" + g.next.ID())
		h.DNS, h.DNSSearch, h.DNSOptions, c.Hostname = nil, nil, nil, ""
	}}
}
