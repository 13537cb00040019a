package tool

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/plain"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Script is the command line that runs script with shell, which is "bash" or "sh".
func Script(shell, script string) []string { return []string{shell, "-c", script} }

// runBash runs a script. What it printed, how it ended and what to do about
// it become the result; a script that fails is a result like any other.
func runBash(ctx context.Context, b Box, u Use, env *Env) (Result, error) {
	n := env.numbers()
	env.Saved++
	timeout, notes := env.timeout(u.Timeout)
	r, err := b.Run(ctx, sandbox.Command{
		Args: Script(env.shell(), u.Command), Env: env.Vars, Timeout: timeout,
		Head: n.Head, Tail: n.Tail, Save: path.Join(sandbox.Home, "out", fmt.Sprintf("%d.txt", env.Saved)),
	})
	if err != nil {
		return Result{}, fmt.Errorf("run bash: %w", err)
	}
	output := env.output(r, n)
	parts := []string{env.ending(r, timeout, output == "")}
	if output != "" {
		parts = append(parts, output)
	}
	parts = append(parts, env.hints(r, output, timeout)...)
	if left := env.left(b.ID(), r); left != "" {
		parts = append(parts, left)
	}
	limits := env.Limits
	limits.Timeout = timeout
	return Result{
		Text: strings.Join(append(parts, notes...), "\n"),
		OK:   r.Success() && r.Full == nil, TimedOut: r.TimedOut, Exit: r.ExitCode, Left: len(r.Left) > 0 && !r.TimedOut,
		Hits: Hits(r, limits), Full: r.Full,
	}, nil
}

func (env *Env) shell() string {
	if env.Shell == "sh" {
		return "sh"
	}
	return "bash"
}

// timeout is how long a call may take, and what the model is told if that is
// not what it asked for.
func (env *Env) timeout(asked time.Duration) (time.Duration, []string) {
	usual := env.Limits.Timeout
	if usual <= 0 {
		usual = defaultTimeout
	}
	if asked <= 0 {
		return usual, nil
	}
	if most := max(maxTimeout, usual); asked > most {
		return most, []string{fmt.Sprintf("[timeout: %s s is the most]", whole(most))}
	}
	return asked, nil
}

// ending is the first line: how the script ended.
func (env *Env) ending(r sandbox.Result, timeout time.Duration, silent bool) string {
	var parts []string
	switch {
	case r.TimedOut:
		parts = append(parts, "timed out after "+whole(timeout)+" s")
	case r.Full != nil && r.Signal == "SIGKILL":
		parts = append(parts, "ended", seconds(r.Duration))
	case r.Signal != "":
		parts = append(parts, "killed by "+plain.Line(r.Signal, 20), seconds(r.Duration))
	default:
		parts = append(parts, fmt.Sprintf("exit %d", r.ExitCode), seconds(r.Duration))
	}
	parts = append(parts, Reasons(r, env.Limits)...)
	if silent {
		parts = append(parts, "no output")
	}
	return strings.Join(parts, " · ")
}

// output is what the model sees of what was printed: both ends on whole lines,
// long lines cut, and where more of it lies.
func (env *Env) output(r sandbox.Result, n Numbers) string {
	head, tail, elided := string(r.Head), string(r.Tail), r.Elided
	if elided == 0 {
		head, tail = head+tail, ""
	} else {
		if i := strings.LastIndexByte(head, '\n'); i >= 0 {
			elided += int64(len(head) - i - 1)
			head = head[:i+1]
		}
		if i := strings.IndexByte(tail, '\n'); i >= 0 && i < len(tail)-1 {
			elided += int64(i + 1)
			tail = tail[i+1:]
		}
	}
	head = strings.TrimRight(boundLines(plain.Text(head), n.Line), "\n")
	if elided == 0 {
		return head
	}
	tail = strings.TrimRight(boundLines(plain.Text(tail), n.Line), "\n")
	return fmt.Sprintf("%s\n[%s left out here; %s]\n%s", head, size(elided), env.saved(r), tail)
}

// saved says where to find what is left out, as far as it was kept.
func (env *Env) saved(r sandbox.Result) string {
	part := "all of it is"
	switch {
	case !r.Saved:
		return "it could not be saved: print less, or write to a file of your own"
	case r.Printed() > sandbox.MaxSave:
		part = "only its first " + Size(sandbox.MaxSave) + " are"
	}
	return fmt.Sprintf("%s in $HOME/out/%d.txt: grep it or read it in parts", part, env.Saved)
}

// hints say what the model could not know, most important last.
func (env *Env) hints(r sandbox.Result, output string, timeout time.Duration) []string {
	var hints []string
	if env.Shell == "sh" && !env.saidShell {
		env.saidShell = true
		hints = append(hints, "[This image has no bash: scripts run with sh.]")
	}
	if p := lostTmp(output); p != "" && !r.Success() && env.Scope != sandbox.ScopeSession {
		hints = append(hints, prompts.Message("E7", map[string]any{"Path": p}))
	}
	if noNetwork().MatchString(output) {
		hints = append(hints, prompts.Message("E12", map[string]any{"Installed": env.Installed}))
	}
	if r.Full != nil {
		hints = append(hints, FullText(r.Full, "This command, and its box, were ended"))
	}
	if r.TimedOut && r.Full == nil { // one explanation is enough
		hints = append(hints, prompts.Message("E13", map[string]any{"Seconds": whole(timeout)}))
	}
	return hints
}

// lostTmp is the first path below /tmp that the output says is missing, or "".
func lostTmp(output string) string {
	tmp := regexp.MustCompile(`/tmp/[\w./+-]*\w`)
	for line := range strings.SplitSeq(output, "\n") {
		if !strings.Contains(line, "No such file or directory") && !strings.Contains(line, "ENOENT") && !strings.Contains(line, "not found") {
			continue
		}
		if m := tmp.FindString(line); m != "" {
			return plain.Line(m, 100)
		}
	}
	return ""
}

// noNetwork matches what tools print when a name can't be resolved or no
// network is there.
func noNetwork() *regexp.Regexp {
	return regexp.MustCompile(`getaddrinfo|EAI_AGAIN|ENOTFOUND|ENETUNREACH|` +
		`Temporary failure (in name resolution|resolving)|Could not resolve host|Name or service not known|` +
		`Network is unreachable|dial tcp: lookup|module lookup disabled by GOPROXY=off`)
}
