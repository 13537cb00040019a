package holder

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the process that holds a lock: it says so, and ends when it
// is asked to, but for one that won't.
func TestMain(m *testing.M) {
	file := os.Getenv("HOLD")
	if file == "" {
		os.Exit(m.Run())
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = Lock(f)
	}
	fmt.Println("holds", err)
	for range asked {
		if os.Getenv("STUBBORN") == "" {
			os.Exit(0)
		}
	}
}

// hold starts such a process and returns when it holds the lock.
func hold(t *testing.T, file string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "HOLD="+file)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "holds <nil>\n" {
		t.Fatalf("it says %q", line)
	}
	return cmd
}

func place(t *testing.T) (root *os.Root, file string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, filepath.Join(dir, "lock")
}

// Whoever holds the lock is found, asked to end, and gone when Stop returns.
func TestStop(t *testing.T) {
	root, file := place(t)
	cmd := hold(t, file)
	p, err := Of(root, "lock")
	if err != nil || p == nil || p.ID != cmd.Process.Pid || !Held(root, "lock") {
		t.Fatalf("%+v, %v", p, err)
	}
	defer p.Close()
	if err := p.Stop(context.Background()); err != nil || Held(root, "lock") {
		t.Errorf("Stop = %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended by %v, not by itself", err)
	}
	if p, err := Of(root, "lock"); p != nil || err != nil {
		t.Errorf("afterwards: %+v, %v", p, err)
	}
}

// A process that does not end is waited for only so long.
func TestStopIsBounded(t *testing.T) {
	root, file := place(t)
	hold(t, file, "STUBBORN=1")
	p, err := Of(root, "lock")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop = %v", err)
	}
}

// A file that names another process, whatever it is, harms nobody.
func TestNobodyElseIsAsked(t *testing.T) {
	root, file := place(t)
	holding := hold(t, file)
	_, other := place(t)
	innocent := hold(t, other)
	stranger := exec.Command("sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	for name, c := range map[string]struct{ says, want string }{
		"another glovebox":   {fmt.Sprint(innocent.Process.Pid), "does not hold it"},
		"some other program": {fmt.Sprint(stranger.Process.Pid), "is no glovebox"},
		"init":               {"1", "process 1 is"},
		"nobody":             {"4194304", "process 4194304"},
		"everybody":          {"-1", "does not say its id"},
		"a word":             {"x", "does not say its id"},
	} {
		if err := os.WriteFile(file, []byte(c.says+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Of(root, "lock")
		if p != nil || !errors.Is(err, ErrUnsure) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for _, cmd := range []*exec.Cmd{holding, innocent, stranger} {
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("%v: %v", cmd.Args, err)
		}
	}
}
