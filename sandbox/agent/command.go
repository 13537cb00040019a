//go:build linux

package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// Times of a command's end.
const (
	// quiet is how long a drain waits for more output of what was left behind,
	// draininging how long at most.
	quiet    = 25 * time.Millisecond
	draining = 100 * time.Millisecond
	// dying is how long killed processes may take until they are given up.
	dying = 2 * time.Second
)

// errKilled says that a command ended because another one's time was over.
var errKilled = errors.New("everything in the box was killed")

// commands answers wire.PathRun.
type commands struct {
	family   *family
	where    places
	counters *counters
	told     told // by the last result, or the last look at what is left
	company  company
	recent   recent // what commands left running has written
	// killed is set when a timeout has killed everything in the box. What the
	// other commands would say of themselves is not the truth any more.
	killed atomic.Bool
}

func (s *commands) run(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil { // or the answer would wait for the end of stdin
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	body := bufio.NewReaderSize(r.Body, 64<<10)
	var asked wire.Run
	if err := readCommand(body, &asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// In chunks each frame would go out in three writes, of which each wakes
	// everybody up to the host. The last frame says that it is the last.
	w.Header().Set("Transfer-Encoding", "identity")
	frames := wire.NewWriter(flusher{w, control})
	out := newOutput(frames, asked.Head, asked.Tail)
	if len(asked.Save) > 0 {
		out.save = create(s.where.path(string(asked.Save)))
	}
	res, err := s.observe(asked, body, out)
	if errors.Is(err, errKilled) {
		// The result of the command whose time was over must come first; with
		// it the host ends the box.
		<-r.Context().Done()
	}
	if err != nil {
		// Not a word about it is better than a wrong one: the host loses the box.
		panic(http.ErrAbortHandler)
	}
	out.end(&res)
	wire.NewWriter(w).Result(res) // sent with the end of the answer, in one go
}

// readCommand reads the line of JSON; what follows it is left in body.
func readCommand(body *bufio.Reader, c *wire.Run) error {
	var line []byte
	for {
		part, err := body.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > wire.MaxCommand+1 {
			return errors.New("the command is too long")
		}
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return err
		}
	}
	if err := json.Unmarshal(line, c); err != nil {
		return err
	}
	if len(c.Args) == 0 || c.TimeoutMS <= 0 || c.Head < 0 || c.Tail < 0 || c.Head > wire.MaxKeep || c.Tail > wire.MaxKeep {
		return errors.New("a command that can't be")
	}
	return nil
}

// observe executes the command and names the limits that the box met since the
// host was told last: what was left running may have met them before.
func (s *commands) observe(asked wire.Run, stdin io.Reader, out *output) (wire.Result, error) {
	left := !s.family.childless() // by earlier commands, or other commands
	leave := s.company.enter()
	before := s.told.get()
	full := s.where.full()
	earlier, _ := s.counters.since(before)
	res, err := s.execute(asked, stdin, out)
	limits, now := s.counters.since(before)
	s.told.set(now)
	res.Limits = limits
	res.Shared = leave() || left || len(earlier) > 0
	if hitFileSize(res, string(asked.Args[0])) {
		res.Limits = append(res.Limits, wire.LimitFileSize)
	}
	for _, limit := range s.where.full() {
		if res.Exit != 0 || !slices.Contains(full, limit) {
			res.Limits = append(res.Limits, limit)
		}
	}
	return res, err
}

// execute runs the command to its end and gathers its output. An error means
// that what happened to it can't be told.
func (s *commands) execute(asked wire.Run, stdin io.Reader, out *output) (wire.Result, error) {
	began := time.Now()
	child, err := s.launch(asked)
	var failed *execError
	if errors.As(err, &failed) {
		fmt.Fprintf(out, "glovebox: %s: %s\n", wire.Printable(string(asked.Args[0]), wire.MaxName), failed.message)
		return wire.Result{Exit: failed.exit, Nanos: int64(time.Since(began))}, nil
	}
	if err != nil {
		return wire.Result{}, err
	}
	if child.stdin != nil {
		go func() {
			io.Copy(child.stdin, stdin)
			child.stdin.Close()
		}()
		defer child.stdin.Close()
	}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		io.Copy(out, child.output) // to its end, or to the deadline that drain sets
	}()

	status, timedOut, err := s.wait(child, time.Duration(asked.TimeoutMS)*time.Millisecond)
	if err != nil {
		return wire.Result{}, err
	}
	s.drain(child.output, reading, out)
	if s.killed.Load() && !timedOut {
		return wire.Result{}, errKilled
	}
	res := wire.Result{TimedOut: timedOut, Nanos: int64(time.Since(began)), Exit: status.ExitStatus()}
	switch {
	case status.Signaled():
		res.Exit, res.Signal = -1, signalName(status.Signal())
	case timedOut && status == nowhere:
		res.Exit, res.Signal = -1, "SIGKILL"
	}
	if !timedOut {
		res.Left = s.family.left()
	}
	return res, nil
}

// nowhere is the status of a child that was killed and does not die.
const nowhere = syscall.WaitStatus(0x7f) // "stopped", which no reaped child is

// wait waits for the command's own process, and kills all of the box when its time is over.
func (s *commands) wait(c *child, timeout time.Duration) (status syscall.WaitStatus, timedOut bool, err error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case status = <-c.status:
		return status, false, nil
	case <-timer.C:
	}
	if s.killed.Swap(true) {
		return 0, false, errKilled
	}
	s.family.killAll()
	select {
	case status = <-c.status:
	case <-time.After(dying):
		status = nowhere
	}
	return status, true, nil
}

// drain reads what a command that has ended left in its pipe, and a little of
// what still comes from processes that it left. It never waits for them to
// close the pipe; of their output the end is kept from now on.
func (s *commands) drain(pipe *os.File, reading <-chan struct{}, out *output) {
	pipe.SetReadDeadline(time.Now())
	<-reading
	// What the command itself wrote and was not read yet is in the pipe: read
	// that however long it takes, then go by the clock.
	there, before := waiting(pipe), out.total()
	end := time.Now().Add(draining)
	buf := make([]byte, 64<<10)
	for {
		wait := time.Now().Add(quiet)
		if out.total()-before < there {
			wait = time.Time{}
		} else if wait.After(end) {
			wait = end
		}
		pipe.SetReadDeadline(wait)
		n, err := pipe.Read(buf)
		out.Write(buf[:n])
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			pipe.Close()
			return
		}
		pipe.SetReadDeadline(time.Time{})
		go func() {
			defer pipe.Close()
			io.Copy(&s.recent, pipe)
		}()
		return
	}
}

// waiting is how many bytes lie in a pipe.
func waiting(pipe *os.File) (n int64) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		if count, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ); err == nil {
			n = int64(count)
		}
	})
	return n
}

// left answers wire.PathLeft.
func (s *commands) left(w http.ResponseWriter, r *http.Request) {
	output, dropped := s.recent.end()
	limits, now := s.counters.since(s.told.get())
	s.told.set(now)
	answer(w, http.StatusOK, wire.LeftOver{Left: s.family.left(), Output: output, Dropped: dropped, Limits: limits})
}

// signalName is SIGKILL and so on; real-time signals are SIG34 to SIG64.
func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", int(s))
}

// flusher sends every frame at once.
type flusher struct {
	w       io.Writer
	control *http.ResponseController
}

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.control.Flush()
	}
	return n, err
}
