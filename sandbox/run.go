package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// grace is what the agent has on top of a command's time to kill what runs and
// to answer. Then the host destroys the box without it.
const grace = 3 * time.Second

// Run runs c and returns how it ended. A command that fails, that can't be
// found or that is stopped because its time was over is a [Result]; every
// error but a refusal of c itself means that the box is gone.
//
// After a timeout the box is gone too, and what the command had written until
// then is in the result. A cancelled ctx destroys the box; the error wraps
// ctx.Err() and [ErrBoxLost].
func (b *Box) Run(ctx context.Context, c Command) (Result, error) {
	if c.Timeout == 0 {
		c.Timeout = b.limits.Timeout
	}
	line, err := encodeCommand(c)
	if err != nil {
		return Result{}, fmt.Errorf("run a command in box %s: %w", b.ID(), err)
	}
	r := request{
		method: http.MethodPost, path: wire.PathRun,
		body:   io.MultiReader(bytes.NewReader(line), bytes.NewReader(c.Stdin)),
		length: int64(len(line) + len(c.Stdin)),
	}
	if b.fate.Load() != nil { // ended because of an earlier call: this one has done nothing
		return Result{}, b.lost("run a command in", nil)
	}
	began := time.Now()
	end := b.begin()
	var out wire.Output
	var res wire.Result
	err = b.ask(ctx, c.Timeout+b.grace, r, func(answer *http.Response) (err error) {
		res, err = wire.ReadFrames(answer.Body, c.Head, c.Tail, &out)
		return err
	})
	if err != nil || res.TimedOut {
		b.Close()
	}
	b.left.Store(len(res.Left) > 0)
	end()
	full, _ := b.ended()
	switch {
	case err != nil && ctx.Err() != nil:
		return Result{}, b.lost("run a command in", err)
	case full != nil:
		return crossed(full, err, res, out, time.Since(began)), nil
	case errors.Is(err, errHardDeadline):
		return Result{ExitCode: -1, Signal: "SIGKILL", TimedOut: true, Hit: []Limit{LimitTime},
			Head: out.Head, Tail: out.Tail, Duration: time.Since(began)}, nil
	case err != nil:
		return Result{}, b.lost("run a command in", err)
	}
	return result(res, out), nil
}

// crossed is the result of a command whose box was ended because of the disk:
// while it ran, if err is not nil, or when it had just ended.
func crossed(full *Full, err error, res wire.Result, out wire.Output, took time.Duration) Result {
	r := Result{ExitCode: -1, Signal: "SIGKILL", Head: out.Head, Tail: out.Tail, Duration: took}
	if err == nil {
		r = result(res, out)
	}
	r.Left, r.Full = nil, full
	r.Hit = append(r.Hit, full.Limit)
	return r
}

// encodeCommand makes the line that starts a command, and refuses what the
// agent would have to refuse.
func encodeCommand(c Command) ([]byte, error) {
	switch {
	case len(c.Args) == 0:
		return nil, errors.New("a command without a program")
	case c.Timeout <= 0:
		return nil, fmt.Errorf("a timeout of %v", c.Timeout)
	case c.Head < 0 || c.Tail < 0 || c.Head > wire.MaxKeep || c.Tail > wire.MaxKeep:
		return nil, fmt.Errorf("%d and %d bytes of output to keep: 0 to %d each", c.Head, c.Tail, wire.MaxKeep)
	}
	for _, s := range slices.Concat(c.Args, c.Env, []string{c.Dir, c.Save}) {
		if strings.ContainsRune(s, 0) {
			return nil, errors.New("a NUL byte in the command, its environment or a path")
		}
	}
	line, err := json.Marshal(wire.Run{
		Args: asBytes(c.Args), Env: asBytes(c.Env), Dir: []byte(c.Dir), Save: []byte(c.Save), Stdin: c.Stdin != nil,
		// Rounded up: a timeout of less than a millisecond must not become none.
		TimeoutMS: int64((c.Timeout + time.Millisecond - 1) / time.Millisecond),
		Head:      c.Head, Tail: c.Tail,
	})
	if err != nil {
		return nil, err
	}
	if len(line) > wire.MaxCommand {
		return nil, fmt.Errorf("arguments and environment of %d bytes: at most %d", len(line), wire.MaxCommand)
	}
	return append(line, '\n'), nil
}

func asBytes(ss []string) [][]byte {
	bs := make([][]byte, len(ss))
	for i, s := range ss {
		bs[i] = []byte(s)
	}
	return bs
}

func result(r wire.Result, out wire.Output) Result {
	return Result{
		ExitCode: r.Exit, Signal: r.Signal, TimedOut: r.TimedOut,
		Head: out.Head, Tail: out.Tail, Elided: r.Elided, Saved: r.Saved,
		Left: processes(r.Left), Hit: hits(r), Shared: r.Shared && len(r.Limits) > 0, Duration: time.Duration(r.Nanos),
	}
}
