package tool

import (
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/plain"
	"github.com/glovebox-run/glovebox/sandbox"
)

// HitLimit is a limit that was hit: its name, its value as it was set ("" if
// it has none of its own), and both in words, as the model reads them.
type HitLimit struct {
	Name  sandbox.Limit
	Value string
	Words string
}

// Hits puts the limits that r names into words. The values are those that the
// host set; l.Timeout is the time that the command had. Output that was left
// out but kept is no news: a result says it where it is missing.
func Hits(r sandbox.Result, l sandbox.Limits) []HitLimit {
	var hits []HitLimit
	for _, name := range r.Hit {
		if name == sandbox.LimitOutput && r.Printed() <= sandbox.MaxSave {
			continue
		}
		hit := HitLimit{Name: name, Value: limitValue(name, l)}
		hit.Words = limitWords(hit)
		hits = append(hits, hit)
	}
	return hits
}

func limitValue(name sandbox.Limit, l sandbox.Limits) string {
	switch name {
	case sandbox.LimitMemory:
		return Size(l.Memory)
	case sandbox.LimitOutput:
		return Size(sandbox.MaxSave)
	case sandbox.LimitPIDs:
		return fmt.Sprint(l.PIDs)
	case sandbox.LimitFileSize, sandbox.LimitDisk, sandbox.LimitUnseen:
		return Size(l.Disk)
	case sandbox.LimitTemp:
		return Size(l.Temp())
	case sandbox.LimitShared:
		return Size(l.Shared())
	case sandbox.LimitFiles:
		return fmt.Sprint(l.Files())
	case sandbox.LimitTime:
		return whole(l.Timeout) + " s"
	default:
		return ""
	}
}

func limitWords(h HitLimit) string {
	switch h.Name {
	case sandbox.LimitHostMemory:
		return "killed for want of memory on the machine, below this box's limit"
	case sandbox.LimitTemp:
		return "/tmp limit " + h.Value + " hit"
	case sandbox.LimitShared:
		return "/dev/shm limit " + h.Value + " hit"
	case sandbox.LimitFiles:
		return "limit of " + h.Value + " files hit"
	case sandbox.LimitUnseen:
		return "disk limit " + h.Value + " hit"
	case sandbox.LimitFloor:
		return "the machine's disk is nearly full"
	case sandbox.LimitTime:
		return "timed out after " + h.Value
	default:
		return string(h.Name) + " limit " + h.Value + " hit"
	}
}

// Reasons is what the first line of a result says after how it ended: the
// limits that were hit. Where none was and the command got SIGKILL, which
// nothing in a box sends unasked, the limit that it may have been is stated as
// it is set.
func Reasons(r sandbox.Result, l sandbox.Limits) []string {
	var words []string
	explained := r.TimedOut
	for _, hit := range Hits(r, l) {
		explained = explained || hit.Name != sandbox.LimitOutput
		if hit.Name != sandbox.LimitTime { // the line begins with it
			words = append(words, hit.Words)
		}
	}
	if len(words) > 0 && r.Shared {
		words = append(words, "something else ran in the box too")
	}
	if explained || l.Memory <= 0 {
		return words
	}
	limit := "no limit was seen to be hit, memory limit as set " + Size(l.Memory)
	switch {
	case r.Signal == "SIGKILL":
		return append(words, limit)
	case r.ExitCode == 137: // how a shell says that its command got it
		return append(words, "SIGKILL", limit)
	}
	return words
}

// FullText says how much lies where when the disk is full, and what can be
// done. It is what the model is told; ended is what was ended by it.
func FullText(f *sandbox.Full, ended string) string {
	name := "E16"
	data := map[string]any{"Ended": ended, "Most": Size(f.Most), "Bytes": Size(f.Usage.Bytes), "Files": f.Usage.Files,
		"Partly": f.Usage.Cut || f.Usage.Unread > 0, "Largest": Largest(f)}
	switch f.Limit {
	case sandbox.LimitFiles:
		name, data["Most"] = "E16-files", f.Most
	case sandbox.LimitUnseen:
		name, data["Grown"], data["GrownFiles"] = "E16-unseen", Size(max(f.Grown, 0)), max(f.GrownFiles, 0)
	case sandbox.LimitFloor:
		name, data["Free"], data["FreeFiles"] = "E16-floor", Size(f.Free), f.FreeFiles
	}
	return prompts.Message(name, data)
}

// ProofFullText says the same of a command of the host's, which ran on a copy
// of the project that is gone.
func ProofFullText(r sandbox.Result, l sandbox.Limits) string {
	u := r.Full.Usage
	return prompts.Message("E16-proof", map[string]any{"Limit": strings.Join(Reasons(r, l), ", "),
		"Bytes": Size(u.Bytes), "Files": u.Files, "Largest": Largest(r.Full)})
}

// Holds is one line for people on a quota that is crossed.
func Holds(f *sandbox.Full) string {
	if f.Limit == sandbox.LimitFiles {
		return fmt.Sprintf("the project and its $HOME hold %d files, more than the limit of %d", f.Usage.Files, f.Most)
	}
	return fmt.Sprintf("the project and its $HOME hold %s, more than the disk limit of %s", Size(f.Usage.Bytes), Size(f.Most))
}

// Largest names the largest directories and files.
func Largest(f *sandbox.Full) string {
	var items []string
	for _, item := range f.Usage.Largest {
		text := plain.Line(item.Path, 120)
		if item.Dir {
			text += fmt.Sprintf("/ %s in %s", Size(item.Bytes), count(int(item.Files), "file"))
		} else {
			text += " " + Size(item.Bytes)
		}
		items = append(items, text)
	}
	return strings.Join(items, ", ")
}

// Size is a size in bytes without a fraction that says nothing: 2 GB, 1.5 GB.
func Size(n int64) string {
	return strings.Replace(size(n), ".0 ", " ", 1)
}
