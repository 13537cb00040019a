//go:build linux

package boxtest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// processContract is about the processes of a box and the agent above them.
func processContract() map[string]func(*testing.T, contract) {
	return map[string]func(*testing.T, contract){
		"left":             leftProcesses,
		"left, many":       manyLeft,
		"left floods":      leftFloods,
		"parallel":         parallel,
		"zombies":          zombies,
		"signals":          signals,
		"inherited":        inherited,
		"oom score":        oomScore,
		"undumpable":       undumpable,
		"program from tmp": programFromTmp,
	}
}

// leftProcesses: a server that a call starts holds the call's pipe open; the
// call must end with its shell, and say what runs on.
func leftProcesses(t *testing.T, c contract) {
	b := c.open(t)
	began := time.Now()
	r := run(t, b, shell("sleep 1000 & echo started"))
	equal(t, "output", r.Output(), "started\n")
	equal(t, "success", r.Success(), true)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the call took %v", took)
	}
	if len(r.Left) != 1 || r.Left[0].Command != "sleep 1000" || r.Left[0].PID <= 1 {
		t.Fatalf("left: %v", r.Left)
	}
	// A shell ended in its own session; what hides in another is still named.
	r = run(t, b, shell("setsid sleep 1001 > /dev/null 2>&1 & while ! grep -qs sleep /proc/$!/cmdline; do :; done"))
	equal(t, "processes", len(r.Left), 2)
	output(t, b, "kill "+itoa(r.Left[0].PID)+" "+itoa(r.Left[1].PID))
	until(t, "processes that were killed are not named", func() bool { return len(run(t, b, shell("true")).Left) == 0 })
}

func manyLeft(t *testing.T, c contract) {
	b := c.open(t)
	r := run(t, b, shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do sleep 1000 & done"))
	equal(t, "processes", len(r.Left), 20)
	hostile := "a\033[2J\nb" + strings.Repeat("c", 1000)
	cmd := shell(`for p in ` + joinPIDs(r.Left) + `; do kill $p; done; sh -c 'sleep 1000; :' "$1" & while ! grep -qs ccc /proc/$!/cmdline; do :; done`)
	cmd.Args = append(cmd.Args, "sh", hostile)
	run(t, b, cmd)
	until(t, "the hostile name is found, once those that were killed are gone", func() bool {
		found := false
		for _, p := range run(t, b, shell("true")).Left {
			found = found || strings.Contains(p.Command, "ccc")
			if len(p.Command) > 200 || strings.ContainsAny(p.Command, "\033\n") {
				t.Errorf("name of a process: %q", p.Command)
			}
		}
		return found
	})
}

// leftFloods: what is left and writes without end holds up neither its call nor the next.
func leftFloods(t *testing.T, c contract) {
	b := c.open(t)
	cmd := shell("yes & echo started")
	cmd.Head, cmd.Tail = 100, 100
	r := run(t, b, cmd)
	if len(r.Left) != 1 || r.Left[0].Command != "yes" {
		t.Fatalf("left: %v", r.Left)
	}
	equal(t, "next", output(t, b, "echo next"), "next\n")
	output(t, b, "kill "+itoa(r.Left[0].PID))
}

func parallel(t *testing.T, c contract) {
	b := c.open(t)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			cmd := shell("cat; echo " + itoa(i) + "; sleep 0.05; exit " + itoa(i))
			cmd.Stdin = []byte("in " + itoa(i) + "\n")
			r, err := b.Run(context.Background(), cmd)
			if err != nil {
				t.Error(err)
				return
			}
			equal(t, "output", r.Output(), "in "+itoa(i)+"\n"+itoa(i)+"\n")
			equal(t, "exit code", r.ExitCode, i)
			equal(t, "left, of the others", len(r.Left), 0)
		})
	}
	all.Wait()
}

// zombies: a box of a long session would run out of process numbers.
func zombies(t *testing.T, c contract) {
	b := c.open(t)
	output(t, b, "for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.01 & ) ; done")
	mine := `for f in /proc/[0-9]*/stat; do read -r pid name state parent rest < $f && [ "$parent" = $PPID ] && [ $state = Z ] && echo $pid; done 2>/dev/null; true`
	until(t, "orphans are reaped", func() bool { return output(t, b, mine) == "" })
}

// signals: everything in a box has the agent's uid and may send it signals;
// none may end it, and none may be ignored by what it runs because of that.
func signals(t *testing.T, c contract) {
	if c.ownKernel {
		wantLost(t, killAgent(c.open(t)))
		return
	}
	b := c.open(t)
	// KILL and STOP, and the three real-time signals that C libraries keep for
	// themselves, can be kept from process 1 only.
	out := output(t, b, `round() { i=1; while [ $i -le 64 ]; do
		case $PPID,$i in 1,*) kill -$i 1;; *,9|*,19|*,32|*,33|*,34) ;; *) kill -$i $PPID;; esac
		i=$((i+1)); done; }
		n=0; while [ $n -lt 30 ]; do round; (:); n=$((n+1)); done 2>&1; echo alive`)
	equal(t, "last line", strings.HasSuffix(out, "alive\n"), true)
	equal(t, "after it", output(t, b, "echo on"), "on\n")
}

// killAgent is what becomes of a call that kills the agent.
func killAgent(b *sandbox.Box) error {
	_, err := b.Run(context.Background(), shell("kill -9 $PPID; sleep 60"))
	return err
}

// libcSignals are 32 to 34 in a mask: C libraries keep them for themselves and
// set them up anew, so it is no harm that the agent ignores them.
const libcSignals = 0b111 << 31

func inherited(t *testing.T, c contract) {
	b := c.open(t)
	status := run(t, b, sandbox.Command{Args: []string{"/bin/cat", "/proc/self/status"}, Timeout: patience, Head: 64 << 10}).Output()
	for _, line := range strings.Split(status, "\n") {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "SigIgn", "SigBlk":
			mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil || mask&^libcSignals != 0 {
				t.Errorf("%s of a child: %s, %v", name, value, err)
			}
		case "Umask":
			equal(t, name, strings.TrimSpace(value), "0022")
		}
	}
	stat := strings.Fields(output(t, b, "exec cat /proc/self/stat"))
	equal(t, "session", stat[5], stat[0])
}

// oomScore: the kernel must take what a box runs before it takes the agent,
// which alone can say what happened.
func oomScore(t *testing.T, c contract) {
	b := c.open(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			r, err := b.Run(context.Background(), shell("cat /proc/self/oom_score_adj"))
			if err != nil || r.Output() != "1000\n" {
				t.Errorf("oom_score_adj of a child: %q, %v", r.Output(), err)
			}
		})
	}
	all.Wait()
	if own, err := os.ReadFile("/proc/self/oom_score_adj"); err == nil && string(own) == "1000\n" {
		return // a fake box can't be better off than the test that started it
	}
	// Around a fork the agent has its children's score for an instant.
	until(t, "the agent has its own score", func() bool { return output(t, b, "cat /proc/$PPID/oom_score_adj") != "1000\n" })
}

// undumpable: an agent that can be looked into can be lied for.
func undumpable(t *testing.T, c contract) {
	b := c.open(t)
	got := output(t, b, `stat -c %u /proc/$PPID/environ; id -u`)
	owner, me, _ := strings.Cut(strings.TrimSpace(got), "\n")
	equal(t, "owner of the agent's environ", owner, "0")
	if me == "0" {
		return // root may read everything; no engine runs boxes as root
	}
	files := []string{"environ", "mem", "maps", "fd/0", "exe"}
	if c.ownKernel {
		files = []string{"mem"} // the environment holds nothing of the host, and the stream is sealed
	}
	for _, file := range files {
		if r := run(t, b, shell("cat /proc/$PPID/"+file+" > /dev/null 2>&1")); r.Success() {
			t.Errorf("%s of the agent can be read", file)
		}
	}
	r, err := b.Run(context.Background(), shell("echo x > /proc/$PPID/fd/1"))
	if c.ownKernel && errors.Is(err, sandbox.ErrBoxLost) {
		return
	}
	if err != nil || r.Success() && !c.ownKernel {
		t.Errorf("the agent's output can be written to (%v)", err)
	}
}

// programFromTmp: compilers run what they have just built there, and Docker's
// default for such a file system would forbid it.
func programFromTmp(t *testing.T, c contract) {
	b := c.open(t)
	equal(t, "output", output(t, b, `d=$(mktemp -d /tmp/box.XXXXXX) && cp "$(command -v cat)" $d/program && echo it runs | $d/program; rm -r $d`), "it runs\n")
}

func joinPIDs(ps []sandbox.Process) string {
	var all []string
	for _, p := range ps {
		all = append(all, itoa(p.PID))
	}
	return strings.Join(all, " ")
}
