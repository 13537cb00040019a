package runner

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/modeltest"
	"github.com/glovebox-run/glovebox/runner/model/provider"
	"github.com/glovebox-run/glovebox/sandbox/boxtest"
)

// Variables of the processes that are killed.
const (
	killedDir   = "GLOVEBOX_TEST_KILLED_DIR"   // the project directory
	killedModel = "GLOVEBOX_TEST_KILLED_MODEL" // the address of the model's server
	killSeed    = "GLOVEBOX_TEST_SEED"         // of the points at which they are killed
)

// TestKilledJob is the process that is killed; by itself it does nothing. It
// tells its parent of each event by a line with its kind.
func TestKilledJob(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		return
	}
	m, info, err := provider.Resolve(t.Context(), "custom/my-own", func(string) string { return "" },
		provider.Options{BaseURL: os.Getenv(killedModel), Price: "1/2"})
	must(t, err)
	events := os.NewFile(3, "events")
	w := newWorld(t, nil)
	w.o.Dir, w.o.Model, w.o.ModelName, w.o.ModelInfo = dir, m, "custom/my-own", info
	w.o.CacheDir = filepath.Join(dir, "..", "cache")
	w.on = func(e ledger.Event) { fmt.Fprintln(events, e.Kind) }
	w.done()
}

// victim is a job over all its processes, most of which are killed.
type victim struct {
	t      *testing.T
	dir    string
	server *modeltest.Server
	env    []string
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	agent, err := boxtest.Inherited()
	must(t, err)
	v := &victim{t: t, dir: filepath.Join(t.TempDir(), "app"), server: modeltest.New(t, modeltest.Local, asScript(greeter),
		modeltest.Model{ID: "my-own", Price: modeltest.PerMillion("1", "2")})}
	must(t, os.Mkdir(v.dir, 0o755))
	v.env = append(os.Environ(), agent, killedDir+"="+v.dir, killedModel+"="+v.server.URL)
	return v
}

// asScript has a server's model think as an actor.
func asScript(a actor) modeltest.Script {
	return func(r modeltest.Request) modeltest.Turn {
		var asked model.Request
		for _, m := range r.Messages {
			asked.Messages = append(asked.Messages, model.Message{Role: model.Role(m.Role), Content: m.Text})
		}
		reply := a(asked)
		turn := modeltest.Turn{Say: reply.Content}
		for _, c := range reply.Calls {
			turn.Calls = append(turn.Calls, modeltest.Call{Name: c.Name, Arguments: c.Arguments})
		}
		return turn
	}
}

// live runs one process of the job. After the event of that number, and some
// time, it is killed; last is the event before its end, "" if it ended by itself.
func (v *victim) live(after int, wait time.Duration) (last string) {
	v.t.Helper()
	events, theirs, err := os.Pipe()
	must(v.t, err)
	defer events.Close()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledJob$")
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = v.env, &out, &out, []*os.File{theirs}
	must(v.t, cmd.Start())
	theirs.Close()
	kinds := lines(events)
	for range after {
		kind, more := <-kinds
		if !more {
			break
		}
		last = kind
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
wait:
	for {
		select {
		case kind, more := <-kinds:
			if !more {
				break wait
			}
			last = kind
		case <-timer.C:
			must(v.t, cmd.Process.Kill())
			break wait
		}
	}
	for kind := range kinds {
		last = kind
	}
	switch err := cmd.Wait(); {
	case cmd.ProcessState.ExitCode() == -1:
	case err != nil:
		v.t.Fatalf("the job did not end done: %v\n%s", err, out.String())
	default:
		last = ""
	}
	return last
}

// lines are the lines of f, until it ends.
func lines(f *os.File) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		var buf [4096]byte
		rest := ""
		for {
			n, err := f.Read(buf[:])
			rest += string(buf[:n])
			for {
				line, more, found := strings.Cut(rest, "\n")
				if !found {
					break
				}
				out <- line
				rest = more
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// alone waits until nothing works in the project directory any more: its boxes
// end by themselves when their owner is dead.
func (v *victim) alone() {
	v.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		found := processesWith(v.dir)
		if len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("10 s after the kill there still are %v", found)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// processesWith are the processes of this machine with a word on their command line.
func processesWith(word string) (found []string) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err == nil && bytes.Contains(line, []byte(word)) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// commits are the project's commits and what they made, without the notes: how
// often those are recorded is a matter of how many sessions there were.
func commits(w *world) string {
	log := slices.DeleteFunc(strings.Split(w.git("log", "--format=%s"), "\n"), func(title string) bool { return strings.HasPrefix(title, "Record ") })
	return strings.Join(log, "\n") + "\n" + w.git("ls-tree", "-r", "HEAD", "--", "hello.sh", "bye.sh", "tests", "README.md", "feature_list.json")
}

// A process that is killed with kill -9, again and again, at points drawn by
// chance: the same command always ends with the same verified features and the
// same commits, what was billed is booked, and no box is left.
func TestKilledAtAnyPoint(t *testing.T) {
	t.Parallel()
	kills := 16
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		kills = 240
	}
	seed, err := strconv.ParseUint(first(os.Getenv(killSeed), "1"), 10, 64)
	must(t, err)
	chance := rand.New(rand.NewPCG(seed, 0))
	whole := newWorld(t, greeter)
	whole.done()
	want, events := commits(whole), len(whole.events)
	killed, processes, jobs := map[string]int{}, 0, 0
	for n := 0; n < kills; jobs++ {
		v := newVictim(t)
		for range 1 + chance.IntN(8) {
			last := v.live(1+chance.IntN(events/2), time.Duration(chance.IntN(40_000))*time.Microsecond)
			processes++
			v.alone()
			if last != "" {
				killed[last]++
				n++
			}
		}
		v.live(1, time.Hour)
		v.check(want)
	}
	t.Logf("seed %d: %d jobs in %d processes, %d of them killed, after the event\n%s", seed, jobs, processes, sum(killed), table(killed))
}

// check is what holds when the job has ended by itself.
func (v *victim) check(want string) {
	v.t.Helper()
	v.alone()
	w := &world{t: v.t, o: Options{Dir: v.dir}}
	status, err := ReadStatus(v.dir)
	if err != nil || status.Outcome != Done || status.Passing() != 2 || status.Lent {
		v.t.Errorf("status: %+v, %v", status, err)
	}
	if got := commits(w); got != want {
		v.t.Errorf("commits:\n%s\nwant\n%s", got, want)
	}
	if dirty := w.git("status", "--porcelain"); dirty != "" {
		v.t.Errorf("left uncommitted:\n%s", dirty)
	}
	if billed, booked := v.server.Billed(), booked(v.t, w); booked.LessThan(billed) {
		v.t.Errorf("billed were %s, but booked are %s", billed, booked)
	}
}

func sum(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

func table(counts map[string]int) string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%-16s %4d\n", kind, counts[kind])
	}
	return b.String()
}

// A machine that loses power may lose the end of what was written. Wherever
// the ledger ends, in a job at any point, the same command goes on to the same
// features and commits: the state and the history say what is done already.
func TestLedgerCutAnywhere(t *testing.T) {
	t.Parallel()
	cuts := 6
	if os.Getenv("GLOVEBOX_PROOF") == "full" {
		cuts = 120
	}
	seed, err := strconv.ParseUint(first(os.Getenv(killSeed), "1"), 10, 64)
	must(t, err)
	chance := rand.New(rand.NewPCG(seed, 1))
	whole := newWorld(t, greeter)
	points := map[int]string{} // copies of the project, by the event that they were made after
	for range cuts {
		points[1+chance.IntN(70)] = ""
	}
	whole.on = func(ledger.Event) {
		if _, wanted := points[len(whole.events)]; wanted {
			points[len(whole.events)] = copyOf(t, whole.o.Dir)
		}
	}
	whole.done()
	points[len(whole.events)] = copyOf(t, whole.o.Dir)
	want := commits(whole)
	for _, n := range slices.Sorted(maps.Keys(points)) {
		if points[n] == "" { // the job had fewer events
			continue
		}
		w := newWorld(t, greeter)
		w.o.Dir = points[n]
		file := w.path(".glovebox/ledger.jsonl")
		info, err := os.Stat(file)
		must(t, err)
		at := chance.Int64N(info.Size() + 1)
		must(t, os.Truncate(file, at))
		status, err := w.run()
		if err != nil || status.Passing() != 2 {
			t.Errorf("after event %d, ledger cut at byte %d of %d: %v\n%s", n, at, info.Size(), err, w.history())
			continue
		}
		if got := commits(w); got != want {
			t.Errorf("after event %d, ledger cut at byte %d of %d: commits\n%s\nwant\n%s", n, at, info.Size(), got, want)
		}
	}
}

// copyOf is a copy of a project as it is on the disk.
func copyOf(t *testing.T, dir string) string {
	to := t.TempDir()
	if out, err := exec.Command("cp", "-a", dir+"/.", to).CombinedOutput(); err != nil {
		t.Errorf("copy the project: %v: %s", err, out)
	}
	return to
}

// Any other damage ends the job before anything is done, and says what is safe.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	whole := newWorld(t, greeter)
	whole.done()
	inTheMiddle := func(file string) func(*world) error {
		return func(w *world) error {
			data, err := os.ReadFile(w.path(file))
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 0x80
			return os.WriteFile(w.path(file), data, 0o600)
		}
	}
	gone := func(file string) func(*world) error {
		return func(w *world) error { return os.Remove(w.path(file)) }
	}
	for name, c := range map[string]struct {
		do   func(*world) error
		says string
	}{
		"ledger":       {inTheMiddle(".glovebox/ledger.jsonl"), "ledger.jsonl is damaged in line"},
		"list":         {inTheMiddle(".glovebox/features.json"), "features.json is damaged"},
		"job":          {inTheMiddle(".glovebox/job.json"), "job.json is damaged"},
		"list is gone": {gone(".glovebox/features.json"), "features.json is missing, but ledger.jsonl knows of a list"},
		"job is gone":  {gone(".glovebox/job.json"), "job.json is missing, but ledger.jsonl is there"},
		"list is a link": {func(w *world) error {
			file := w.path(".glovebox/features.json")
			must(t, os.Rename(file, file+".old"))
			return os.Symlink(file+".old", file)
		}, "features.json"},
	} {
		w := newWorld(t, greeter)
		w.o.Dir = copyOf(t, whole.o.Dir)
		must(t, c.do(w))
		e := w.ends(FailedRun)
		if !strings.Contains(e.Error(), c.says) || !strings.Contains(e.Hint, "the program and its history are safe") {
			t.Errorf("%s: %v; %s", name, e, e.Hint)
		}
		if n := w.engine.Starts(); n != 0 {
			t.Errorf("%s: %d boxes were started", name, n)
		}
	}
}
