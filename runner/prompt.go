package runner

import (
	"context"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Files of the host in the workspace.
const (
	publicList      = "feature_list.json"
	specInWorkspace = "app_spec.txt"
	notesName       = "progress.md"
)

// hostFiles are what a session can't change for good.
func (j *job) hostFiles(kind string, now feature.Feature) []string {
	if kind == initializer && j.o.SignedOff == nil {
		return []string{specInWorkspace, notesName}
	}
	names := []string{specInWorkspace, notesName}
	if kind != revision {
		names = append(names, publicList)
	}
	for _, f := range j.list.Features {
		if kind == revision && f.ID == now.ID {
			continue
		}
		names = append(names, f.Frozen...)
	}
	return names
}

// systemPrompt is the same for every session of a job, so that providers can
// cache it: no dates, no counters.
func (j *job) systemPrompt() (string, error) {
	tokens := firstCap(j.o.MaxTokens, j.o.ModelInfo)
	shown := tool.NumbersFor(j.o.ModelInfo.Context)
	return j.o.Prompts.Render("system", map[string]any{
		"Installed": j.inventory.InstalledLine(),
		"Missing":   j.inventory.MissingLine(),
		"OutputKB":  (shown.Head + shown.Tail) >> 10,
		"Text":      j.text,
		"Timeout":   j.o.Limits.Timeout,
		"Memory":    tool.Size(j.o.Limits.Memory),
		"CPUs":      j.o.Limits.CPUs,
		"PIDs":      j.o.Limits.PIDs,
		"Disk":      tool.Size(j.o.Limits.Disk),
		"MaxTokens": tokens,
		"MaxLines":  linesFor(tokens),
	})
}

// planTask is the initializer's part of the conversation.
func (j *job) planTask() (string, error) {
	return j.o.Prompts.Render("initializer", map[string]any{
		"Spec":      headOf(j.o.Spec.Text, specInPlan),
		"Count":     j.countAsked(),
		"Remark":    j.list.Remark,
		"SignedOff": j.o.SignedOff != nil,
		"Old":       len(j.old),
	})
}

// countAsked is how many features the initializer is asked for.
func (j *job) countAsked() string {
	switch n := j.wanted(); {
	case n != feature.AnyNumber:
		return fmt.Sprintf("exactly %d", n)
	case j.list.Remark != "":
		return fmt.Sprintf("%d, or as many as the remark below asks for", len(j.list.Features))
	default:
		return fmt.Sprintf("the %d that are there", len(j.old))
	}
}

// headOf is the part of a spec that a prompt carries; the whole lies in the workspace.
func headOf(spec string, limit int) string {
	spec = strings.TrimSpace(spec)
	if len(spec) <= limit {
		return spec
	}
	return clip(spec, limit) + fmt.Sprintf("\n[%d of %d KB; read the rest in %s]", limit>>10, len(spec)>>10, specInWorkspace)
}

// listed is a feature as a coding prompt shows it.
type listed struct{ ID, State, Description string }

// lastAttempt is what a feature's earlier session left behind.
type lastAttempt struct{ Ending, Note string }

// codingTask is a coding session's part of the conversation: all that a
// builder without memory needs, so that no turn is spent finding bearings.
func (j *job) codingTask(ctx context.Context, f feature.Feature, red verdict) (string, error) {
	data := map[string]any{
		"Spec":    headOf(j.o.Spec.Text, specInCoding),
		"List":    j.listStates(f.ID),
		"Feature": f,
		"Last":    j.past.last[f.ID],
		"Red":     clipEnds(strings.TrimSpace(red.output), verifyPrompt),
		"Broke":   j.past.broken[f.ID],
		"Accept":  "",
	}
	if j.o.AcceptEach {
		data["Accept"] = j.acceptanceSaid()
	}
	if err := j.bearings(ctx, data); err != nil {
		return "", err
	}
	return j.o.Prompts.Render("coding", data)
}

// acceptanceTask is the part of the conversation of a session for the user's own test.
func (j *job) acceptanceTask(ctx context.Context) (string, error) {
	data := map[string]any{
		"Spec":   headOf(j.o.Spec.Text, specInCoding),
		"List":   j.listStates(""),
		"Accept": j.acceptanceSaid(),
	}
	if err := j.bearings(ctx, data); err != nil {
		return "", err
	}
	return j.o.Prompts.Render("acceptance", data)
}

// bearings adds what saves a session the turns to look around.
func (j *job) bearings(ctx context.Context, data map[string]any) error {
	data["Notes"] = tailOf(j.past.notes(), notesShown)
	return j.withBox(ctx, forInit, j.boxSpec(true), func(box *sandbox.Box) error {
		var err error
		if data["Init"], _, err = j.runInit(ctx, box); err != nil {
			return boxError(ctx, err)
		}
		if data["Commits"], err = j.recentCommits(ctx, box); err != nil {
			return boxError(ctx, err)
		}
		data["Tree"], err = treeAtAGlance(ctx, box)
		return err
	})
}

// listStates shows every feature; of many each gets less room.
func (j *job) listStates(now string) []listed {
	var all []listed
	room := listShown / max(1, len(j.list.Features))
	for _, f := range j.list.Features {
		state := "todo"
		switch {
		case f.ID == now:
			state = "now"
		case f.Passes:
			state = "passes"
		case f.Blocked:
			state = "blocked"
		}
		all = append(all, listed{f.ID, state, clip(f.Description, max(room-len(f.ID), 0))})
	}
	return all
}

// runInit runs the project's init.sh, if it has one, and says how it went: ""
// is well and without a word.
func (j *job) runInit(ctx context.Context, box *sandbox.Box) (said string, ok bool, err error) {
	c := j.script(`[ -f init.sh ] || exit 0; exec ` + j.shell() + ` ./init.sh`)
	c.Timeout, c.Head, c.Tail = initTimeout, 0, 1<<10
	result, err := box.Run(ctx, c)
	if err != nil {
		return "", false, err
	}
	if out := strings.TrimSpace(string(result.Tail)); out != "" || !result.Success() {
		limits := j.o.Limits
		limits.Timeout = c.Timeout
		said = howEnded(result, limits) + ": " + out
	}
	return said, result.Success(), nil
}

// treeAtAGlance lists the workspace two levels deep.
func treeAtAGlance(ctx context.Context, box *sandbox.Box) (string, error) {
	entries, more, err := box.List(ctx, ".", 2, treeShown)
	if err != nil {
		return "", boxError(ctx, err)
	}
	var b strings.Builder
	for _, e := range entries {
		if strings.HasPrefix(e.Path, ".git/") || e.Path == ".git" || e.Path == stateDir {
			continue
		}
		fmt.Fprintf(&b, "%s (%s)\n", clip(e.Path, 200), sizeOf(e))
	}
	if more {
		b.WriteString("…\n")
	}
	return strings.TrimRight(b.String(), "\n"), nil
}

func sizeOf(e sandbox.File) string {
	if e.Kind == sandbox.KindFile {
		return tool.Size(e.Size)
	}
	return string(e.Kind)
}

// tailOf is the end of a text, from the beginning of a line.
func tailOf(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		return rest
	}
	return strings.ToValidUTF8(s, "")
}
