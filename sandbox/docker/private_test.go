//go:build linux

package docker

import (
	"testing"

	"github.com/docker/docker/client"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/docker/dockertest"
)

// privateEngine starts a Docker engine that only this test has, for what no
// test may do to the one that others use. It takes about a second; images are
// not there until the test makes them (testSpec does).
func privateEngine(t testing.TB, o dockertest.Options) *dockertest.Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Docker engine; -short leaves it out")
	}
	return dockertest.Start(t, o)
}

// engineAt is the engine that listens at an address, as in DOCKER_HOST.
func engineAt(t testing.TB, host string, o Options) *Engine {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	if o.Log == nil {
		o.Log = testLog(t)
	}
	e := newEngine(c, o)
	t.Cleanup(func() { e.Close() })
	return e
}

// fewSpec is testSpec with an image that is made in no time, for engines that
// have none yet.
func fewSpec(t testing.TB, e *Engine) sandbox.Spec {
	t.Helper()
	s := sandbox.Spec{Image: testImage(t, e, "glovebox-test/few:1", []string{"sh", "sleep", "test", "rm", "true", "cat", "head", "yes"}), Limits: sandbox.DefaultLimits(), Job: "few-" + word()}
	s.User = sandbox.User{UID: 10001, GID: 10001}
	s.Workspace, s.Home = dirOf(t, s.User), dirOf(t, s.User)
	return s
}
