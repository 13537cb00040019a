package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model/provider"
)

// onEndTime bounds the user's command of --on-end.
const onEndTime = time.Minute

// endVersion is the format of an ending; it rises when a reader of the old one
// would misread the new one.
const endVersion = 1

// ending is what the command of --on-end reads: how a run or a batch ended.
type ending struct {
	V       int            `json:"v"`
	Command string         `json:"command"` // run or batch
	Outcome runner.Outcome `json:"outcome"`
	Code    int            `json:"code"`
	Reason  string         `json:"reason,omitempty"`
	Hint    string         `json:"hint,omitempty"`
	Jobs    []endedJob     `json:"jobs"`
}

// endedJob is one job of an ending. Names and texts may be a model's.
type endedJob struct {
	Name     string          `json:"name"`
	Dir      string          `json:"dir"`
	Outcome  runner.Outcome  `json:"outcome"` // a batch's jobs that have not ended: waiting, running, interrupted
	Reason   string          `json:"reason,omitempty"`
	Features int             `json:"features"`
	Passing  int             `json:"passing"`
	Spent    decimal.Decimal `json:"spent_usd"`
	Seconds  float64         `json:"seconds"`
}

func endedOf(j ciJob) endedJob {
	return endedJob{Name: j.name, Dir: j.status.Dir, Outcome: j.end, Reason: j.reason, Features: len(j.status.Features),
		Passing: j.status.Passing(), Spent: j.status.Spent, Seconds: j.status.Seconds}
}

// checkOnEnd refuses a command that would be looked for among the files of a
// project, which a model may change: the host runs nothing from there.
func checkOnEnd(command string, dirs ...string) error {
	if command == "" {
		return nil
	}
	here, err := os.Getwd()
	if err != nil {
		return usage("run it from another directory", "--on-end: the working directory can't be found: %v", err)
	}
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(here, dir)
		}
		if inside(realPath(dir), realPath(here)) {
			return usage("run glovebox from outside of the project", "--on-end: this directory belongs to the project, where a model could change what the command runs")
		}
	}
	return nil
}

// onEnd lets the user's own command know how it ended. Whatever becomes of the
// command changes nothing of that.
func (a *app) onEnd(ctx context.Context, command, about string, jobs []ciJob, err error) {
	if command == "" {
		return
	}
	e := ending{V: endVersion, Command: about, Outcome: runner.Done, Jobs: []endedJob{}}
	if err != nil {
		known := explain(err)
		e.Outcome, e.Reason, e.Hint = known.Outcome, known.Error(), known.Hint
	}
	e.Code = e.Outcome.ExitCode()
	for _, j := range jobs {
		e.Jobs = append(e.Jobs, endedOf(j))
	}
	text, failed := json.Marshal(e)
	if failed == nil {
		failed = a.tell(ctx, command, a.redact.String(string(text))+"\n")
	}
	if failed != nil {
		a.screen.Print("glovebox: the command of --on-end: " + plain(failed.Error()) + "; it changes nothing of how this ended")
	}
}

// tell runs a command of the user with a text as its input. It gets the
// environment without the keys of providers, also after an interruption.
func (a *app) tell(ctx context.Context, command, text string) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), a.onEndTime, errors.New("stopped after "+shortDuration(a.onEndTime)))
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = withoutKeys(a.environ)
	cmd.Stdin = strings.NewReader(text)
	out := a.screen.lines("  ")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for what it left running with its output open
	err := cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, exec.ErrWaitDelay) {
		return nil // it did not read all, or went on by itself
	}
	return err
}

// withoutKeys is an environment without the providers' keys and the files that hold them.
func withoutKeys(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(provider.Keys(), strings.TrimSuffix(name, fileSuffix))
	})
}
