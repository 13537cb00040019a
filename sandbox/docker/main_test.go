package docker

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/sandbox"
)

// holdVariable makes the test program hold boxes until it is killed, see TestI5OwnerKilled.
const holdVariable = "GLOVEBOX_TEST_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(holdVariable) != "" {
		holdBoxes()
	}
	os.Exit(m.Run())
}

// testEngine is the real engine; without one the test fails, with -short it is left out.
func testEngine(t testing.TB) *Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker engine; -short leaves it out")
	}
	e, err := New(t.Context(), Options{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func testLog(t testing.TB) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: logWriter{t}, Level: hclog.Info, DisableTime: true})
}

type logWriter struct{ t testing.TB }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// testSpec is a box with the tests' image, a workspace and a home.
func testSpec(t testing.TB, e *Engine) sandbox.Spec {
	t.Helper()
	s := sandbox.Spec{Image: toolsImage(t, e), Limits: sandbox.DefaultLimits(), Job: "test"}
	s.User = sandbox.User{UID: os.Getuid(), GID: os.Getgid()}
	if s.User.UID == 0 {
		s.User = sandbox.User{UID: 10001, GID: 10001}
	}
	s.Workspace, s.Home = dirOf(t, s.User), dirOf(t, s.User)
	return s
}

// dirOf is a new directory that belongs to u.
func dirOf(t testing.TB, u sandbox.User) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chown(dir, u.UID, u.GID); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openBox(t testing.TB, e sandbox.Engine, s sandbox.Spec) *sandbox.Box {
	t.Helper()
	b, err := sandbox.Open(t.Context(), e, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// shell is the command that runs a script in a box.
func shell(script string) sandbox.Command {
	return sandbox.Command{
		Args: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/bin"},
		Timeout: 30 * time.Second, Head: 1 << 20, Tail: 1 << 10,
	}
}

// output runs a script in a box and returns what it wrote; the script must succeed.
func output(t testing.TB, b *sandbox.Box, script string) string {
	t.Helper()
	r, err := b.Run(t.Context(), shell(script))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Success() {
		t.Fatalf("%s: exit code %d: %s", script, r.ExitCode, r.Output())
	}
	return r.Output()
}

// holdBoxes is the process that TestI5OwnerKilled kills: it starts boxes with
// something running in them, says so, and waits for its end.
func holdBoxes() {
	ctx := context.Background()
	e, err := New(ctx, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	s := sandbox.Spec{Image: os.Getenv(holdVariable), User: sandbox.User{UID: 10001, GID: 10001}, Limits: sandbox.DefaultLimits(), Job: "held"}
	for range 3 {
		b, err := sandbox.Open(ctx, e, s)
		if err == nil {
			_, err = b.Run(ctx, shell("trap '' HUP TERM; setsid sleep 1000 >/dev/null 2>&1 & true"))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("box", b.ID())
	}
	fmt.Println("holding")
	select {}
}
