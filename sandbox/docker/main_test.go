package docker

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/hashicorp/go-hclog"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/glovebox-run/glovebox/sandbox"
)

// holdVariable makes the test program hold boxes until it is killed, see TestI5OwnerKilled.
const holdVariable = "GLOVEBOX_TEST_HOLD"

// silenceVariable is how long the agents of those boxes let their owner be
// silent, if it is not "".
const silenceVariable = "GLOVEBOX_TEST_SILENCE"

func TestMain(m *testing.M) {
	if os.Getenv(holdVariable) != "" {
		holdBoxes()
	}
	os.Exit(run(m))
}

// cacheVariable names the directory in which it is remembered during the tests
// that the engine's limits bite: what is probed once holds for all of them.
const cacheVariable = "GLOVEBOX_TEST_CACHE"

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "glovebox-test")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv(cacheVariable, dir)
	return m.Run()
}

// testEngine is the real engine; without one the test fails, with -short it is left out.
func testEngine(t testing.TB) *Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker engine; -short leaves it out")
	}
	e, err := New(t.Context(), Options{Log: testLog(t), CacheDir: os.Getenv(cacheVariable)})
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
	return specWith(t, toolsImage(t, e))
}

func specWith(t testing.TB, image string) sandbox.Spec {
	t.Helper()
	s := sandbox.Spec{Image: image, Limits: sandbox.DefaultLimits(), Job: "test"}
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
	e, err := New(ctx, Options{CacheDir: os.Getenv(cacheVariable)})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if silence := os.Getenv(silenceVariable); silence != "" {
		e.api = impatient{e.api, silence}
	}
	s := sandbox.Spec{Image: os.Getenv(holdVariable), User: sandbox.User{UID: 10001, GID: 10001}, Limits: sandbox.DefaultLimits(), Job: "held"}
	for range 3 {
		b, err := sandbox.Open(ctx, e, s)
		if err == nil {
			_, err = b.Run(ctx, shell("trap '' HUP TERM; sleep 1000 >/dev/null 2>&1 & true"))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("box", b.ID())
		go func() { // an impatient box wants to hear something
			for range time.Tick(time.Second) {
				_, _ = b.Run(ctx, shell("true")) // one that is lost is what the test wants
			}
		}()
	}
	fmt.Println("holding")
	select {}
}

// impatient starts boxes whose agents have another idea of silence.
type impatient struct {
	api
	silence string
}

func (i impatient) ContainerCreate(ctx context.Context, c *container.Config, h *container.HostConfig, n *network.NetworkingConfig, p *ocispec.Platform, name string) (container.CreateResponse, error) {
	if c.Labels[Label] == kindBox {
		c.Cmd = []string{"-silence", i.silence}
	}
	return i.api.ContainerCreate(ctx, c, h, n, p, name)
}

// heldBoxes is a process that holds three boxes.
type heldBoxes struct {
	cmd   *exec.Cmd
	boxes []string
}

// startOwner starts a process that holds three boxes, and returns when it does.
func startOwner(t *testing.T, image string, environ ...string) heldBoxes {
	t.Helper()
	h := heldBoxes{cmd: exec.Command(os.Args[0])}
	h.cmd.Env = slices.Concat(os.Environ(), environ, []string{holdVariable + "=" + image})
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kill)
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "holding"; {
		id, ok := strings.CutPrefix(lines.Text(), "box ")
		if !ok {
			t.Fatal(lines.Text())
		}
		h.boxes = append(h.boxes, id)
	}
	if len(h.boxes) != 3 {
		t.Fatalf("boxes %v", h.boxes)
	}
	return h
}

// kill ends the process with no chance to clean up.
func (h heldBoxes) kill() {
	_ = h.cmd.Process.Kill() // one that has ended is as good
	_ = h.cmd.Wait()
}
