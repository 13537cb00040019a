package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
	"github.com/glovebox-run/glovebox/sandbox/docker/dockertest"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// runscEngine is an engine of the test's own whose boxes have gVisor's kernel.
func runscEngine(t testing.TB) *Engine {
	t.Helper()
	return gvisorWith(t, "runsc")
}

// gvisorWith is an engine with gVisor's runtime, with the arguments that it was
// tried with. The other runtime, runsc-loose, is one that somebody has set up
// badly: it drops every limit.
func gvisorWith(t testing.TB, runtime string) *Engine {
	t.Helper()
	runsc, err := exec.LookPath("runsc")
	if err != nil {
		t.Fatal("gVisor's runsc is missing: .ci/setup --tests")
	}
	own := privateEngine(t, dockertest.Options{Config: fmt.Sprintf(`{"runtimes": {
		"runsc":       {"path": %[1]q, "runtimeArgs": ["--platform=ptrace", "--network=none"]},
		"runsc-loose": {"path": %[1]q, "runtimeArgs": ["--platform=ptrace", "--network=none", "--ignore-cgroups"]}}}`, runsc)})
	return engineAt(t, own.Host(), Options{Runtime: runtime})
}

// runscSpec is a box for runscEngine. In Debian 12 GNU's ls and stat ask
// statx for something that its runsc does not know, so they are busybox's.
func runscSpec(t testing.TB, e *Engine) sandbox.Spec {
	t.Helper()
	return specWith(t, runscImage(t, e))
}

func runscImage(t testing.TB, e *Engine) string {
	t.Helper()
	const tag = "glovebox-test/runsc:1"
	if i, err := e.Find(t.Context(), tag); err == nil {
		return i.ID
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatalf("busybox is missing: .ci/setup --tests (%v)", err)
	}
	files := filesOf(t, tools)
	files["bin/ls"], files["bin/stat"] = busybox, busybox
	id, err := e.Import(t.Context(), images.Import{Tag: tag, RootFS: archiveFiles(t, files)}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A box with gVisor's kernel keeps the contract too, apart from what that
// kernel guards less: there a box is lost where on Linux nothing happens.
func TestContractRunsc(t *testing.T) {
	e := runscEngine(t)
	groups := []string{"process"}
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		groups = nil
	}
	boxtest.TestOwnKernel(t, func(t *testing.T) (sandbox.Engine, sandbox.Spec) { return e, runscSpec(t, e) }, groups...)
}

// gVisor's limits bite, its boxes have a kernel of their own and share no network.
func TestRunscPassesTheProbe(t *testing.T) {
	e := runscEngine(t)
	if err := e.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if shares, err := e.SharesNetwork(t.Context()); err != nil || shares {
		t.Errorf("boxes of gVisor share a network: %v, %v", shares, err)
	}
	b := openBox(t, e, runscSpec(t, e))
	here, err := exec.Command("uname", "-r").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := output(t, b, "uname -r"); got == string(here) {
		t.Errorf("a box sees the kernel %s", got)
	}
	if got := output(t, b, "sed 1d /proc/net/route; cat /sys/class/net/*/operstate 2>/dev/null; true"); got != "" {
		t.Errorf("routes: %q", got)
	}
}

// The same runtime with one more argument drops all limits and says nothing:
// the box that is let run into them does.
func TestI11RunscWithoutLimits(t *testing.T) {
	e := gvisorWith(t, "runsc-loose")
	_, err := e.Start(t.Context(), runscSpec(t, e))
	var wall *sandbox.WallError
	if !errors.As(err, &wall) || !strings.HasSuffix(wall.Wall, " limit") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

// In gVisor a box may open the agent's descriptors. This one says on the stream
// what the agent would say of a command that has succeeded; unsealed, the host
// believes it. It must lose its box by that.
func TestI4RunscStreamIsSealed(t *testing.T) {
	e := runscEngine(t)
	s := runscSpec(t, e)
	if err := os.WriteFile(filepath.Join(s.Workspace, "lie"), forgedResult(t), 0o644); err != nil {
		t.Fatal(err)
	}
	b := openBox(t, e, s)
	r, err := b.Run(t.Context(), shell(`
		for fd in /proc/$PPID/fd/*; do # the stream's two, and standard error
			case $(readlink $fd) in host:*) cat /workspace/lie >$fd;; esac
		done 2>/dev/null; sleep 20; exit 3`))
	if !errors.Is(err, sandbox.ErrBoxLost) {
		t.Errorf("not lost: exit code %d, %q, %v", r.ExitCode, r.Output(), err)
	}
}

// forgedResult is a successful answer to the first request of a box, as it
// travels on a stream of yamux.
func forgedResult(t *testing.T) []byte {
	t.Helper()
	var answer, lie bytes.Buffer
	answer.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
	if err := wire.NewWriter(&answer).Result(wire.Result{}); err != nil {
		t.Fatal(err)
	}
	frame := func(flags uint16, body []byte) {
		lie.Write([]byte{0, 0}) // the version, and that it is data
		for _, field := range []any{flags, uint32(1), uint32(len(body))} {
			if err := binary.Write(&lie, binary.BigEndian, field); err != nil {
				t.Fatal(err)
			}
		}
		lie.Write(body)
	}
	const acknowledged, finished = 2, 4
	frame(acknowledged, answer.Bytes())
	frame(finished, nil)
	return lie.Bytes()
}
