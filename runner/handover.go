package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/handover"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// asideDir is where the handover keeps what it moves out of the project.
const asideDir = "handover"

// Handover looks at what in the project of the job in dir would run by itself
// on a person's machine, and makes its git harmless. It needs neither an
// engine nor a model. Without a job the error wraps ErrNoJob.
func Handover(ctx context.Context, dir string) (handover.Report, error) {
	root, err := openForReading(dir)
	if err != nil {
		return handover.Report{}, err
	}
	defer root.Close()
	// Who has written what is said to be a person's own?
	if brought, err := StateIsTracked(dir); brought || err != nil {
		return handover.Report{}, trackedState(err)
	}
	lock, err := takeLock(root)
	if err != nil {
		return handover.Report{}, err
	}
	defer lock.Close()
	project, err := os.OpenRoot(dir)
	if err != nil {
		return handover.Report{}, err
	}
	defer project.Close()
	if err := giveBack(project, root); err != nil {
		return handover.Report{}, err
	}
	return lookOver(ctx, project, root)
}

func lookOver(ctx context.Context, project, state *os.Root) (handover.Report, error) {
	own, err := readHooks(state)
	if err != nil {
		return handover.Report{}, err
	}
	return handover.Check(ctx, project, handover.Options{
		Skip: stateDir, Aside: stateDir + "/" + asideDir,
		Own: func(path string, content []byte) bool {
			hash, had := own[path]
			return had && hash == hashOf(content)
		},
	})
}

// handOver is the handover at the end of a process's work, if a box has run.
// What keeps it from looking is noted; it does not change how the job ended.
func (j *job) handOver(ctx context.Context) *handover.Report {
	if j.ledger.Totals().Boxes == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	report, err := lookOver(ctx, j.state.project, j.state.root)
	if err != nil {
		err = errors.Join(err, j.note(j.clip("handover: can't look at the whole project: "+err.Error(), errorKept)))
	} else {
		err = j.record(ledger.Event{Kind: ledger.HandedOver, Text: handoverLine(report), Handover: j.handoverInfo(report)})
	}
	if err != nil {
		j.log.Warn("handover", "error", err)
		return nil
	}
	return &report
}

// findingsKept bounds the findings that the ledger keeps; `glovebox handover`
// finds them all again.
const findingsKept = 50

// handoverInfo is what was found as the ledger keeps it.
func (j *job) handoverInfo(r handover.Report) *ledger.HandoverInfo {
	info := &ledger.HandoverInfo{Mended: r.Mended, Left: map[string]int{}}
	for severity, n := range r.Left {
		info.Left[string(severity)] = n
	}
	for _, n := range r.More {
		info.More += n
	}
	for i, f := range r.Findings {
		if i == findingsKept {
			info.More += len(r.Findings) - i
			break
		}
		info.Findings = append(info.Findings, ledger.FindingInfo{Severity: string(f.Severity), Kind: f.Kind,
			Path: j.clip(f.Path, findingText), Detail: j.clip(f.Detail, findingText), Aside: j.clip(f.Aside, findingText)})
	}
	return info
}

// findingText bounds a finding's texts in bytes.
const findingText = 300

func handoverLine(r handover.Report) string {
	if len(r.Findings) == 0 {
		return "nothing runs by itself"
	}
	return fmt.Sprintf("%d made harmless; left are %d that run on entering, %d on building, %d to look at",
		r.Mended, r.Left[handover.Enter], r.Left[handover.Build], r.Left[handover.Look])
}

// hooksFile holds the SHA-256 of each git hook that was there before the first
// box of the job: they are a person's own.
const hooksFile = "hooks.json"

// hooksMax bounds the record of hooks, and hookMax one of them, in bytes.
const (
	hooksMax = 64 << 10
	hookMax  = 1 << 20
)

// noteHooks remembers the hooks of a project before anything has worked on it.
func noteHooks(project, state *os.Root) error {
	hashes := map[string]string{}
	git, err := sandbox.Descend(project, ".git")
	if err == nil {
		defer git.Close()
		hashes, err = hashHooks(git)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(hashes) == 0 {
		return nil
	}
	data, err := json.Marshal(hashes)
	if err != nil {
		return err
	}
	return atomicfile.Write(state, hooksFile, data, 0o600)
}

func hashHooks(git *os.Root) (map[string]string, error) {
	hooks, err := sandbox.Descend(git, "hooks")
	if err != nil {
		return nil, err
	}
	defer hooks.Close()
	list, err := hooks.Open(".")
	if err != nil {
		return nil, err
	}
	defer list.Close()
	names, err := list.Readdirnames(namesAtOnce)
	hashes := map[string]string{}
	for _, name := range names {
		if data, err := atomicfile.Read(hooks, name, hookMax); err == nil {
			hashes[".git/hooks/"+name] = hashOf(data)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return hashes, err
}

func readHooks(state *os.Root) (map[string]string, error) {
	data, err := atomicfile.Read(state, hooksFile, hooksMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	hashes := map[string]string{}
	if err := json.Unmarshal(data, &hashes); err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", stateDir, hooksFile, err)
	}
	return hashes, nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
