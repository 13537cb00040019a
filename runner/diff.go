package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Step is a commit of a job, with what changed since the one before it. Paths
// and Patch are as hostile as the project.
type Step struct {
	Features []string     `json:"features"` // that were proven on it; none: the plan, or notes
	Commit   string       `json:"commit"`
	From     string       `json:"from,omitempty"` // the commit before; "" is an empty project
	Message  string       `json:"message"`
	Files    []FileChange `json:"files"`
	Patch    string       `json:"patch,omitempty"`
	Cut      bool         `json:"cut,omitempty"`     // there are more files, or there is more of the patch
	Missing  string       `json:"missing,omitempty"` // why git can't compare the two
}

// FileChange is a file that a step changed.
type FileChange struct {
	Path    string `json:"path"`
	Added   int    `json:"added"` // lines
	Removed int    `json:"removed"`
	Binary  bool   `json:"binary,omitempty"` // git does not count its lines
}

// DiffOptions are what a diff needs besides the project.
type DiffOptions struct {
	Dir       string // the project directory, absolute
	Engine    sandbox.Engine
	Image     Image // the job's
	Limits    sandbox.Limits
	Workspace WorkspaceMode
	Patch     bool // also the changes themselves
	CacheDir  string
	Log       hclog.Logger
}

// Bounds of a diff.
const (
	patchMax   = 1 << 20   // bytes of a step's patch
	numstatMax = 256 << 10 // bytes of a step's list of files
)

// Steps are the commits that the job in dir has recorded, without what changed
// in them: Diff finds that out. Without a job the error wraps ErrNoJob.
func Steps(dir string) ([]Step, error) {
	events, err := ReadLedger(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return stepsOf(events), nil
}

// stepsOf takes each commit once: a process that was killed after one finds it
// made and records it again.
func stepsOf(events []ledger.Event) []Step {
	var steps []Step
	at := map[string]int{}
	last := ""
	for _, e := range events {
		switch {
		case e.Kind == ledger.Branched && e.Branch != nil && len(steps) == 0:
			last = e.Branch.Base
		case e.Kind == ledger.CommitEnd && e.Commit != nil:
			hash := e.Commit.Hash
			if _, again := at[hash]; again || !objectID.MatchString(hash) {
				continue
			}
			at[hash] = len(steps)
			steps = append(steps, Step{Commit: hash, From: last, Message: e.Commit.Message})
			last = hash
		case e.Kind == ledger.Passed && e.Commit != nil:
			if i, ok := at[e.Commit.Hash]; ok {
				steps[i].Features = append(steps[i].Features, e.Feature)
			}
		}
	}
	return steps
}

// Diff says what the job in o.Dir changed, commit by commit. git runs in a box.
// It changes nothing and is not recorded; while a process works on the job it
// is refused.
func Diff(ctx context.Context, o DiffOptions) ([]Step, error) {
	j, err := openToLook(o)
	if err != nil {
		return nil, outcomeOf(ctx, err)
	}
	defer j.close()
	steps, err := Steps(o.Dir)
	if err == nil {
		err = j.compareSteps(ctx, steps, o.Patch)
	}
	return steps, outcomeOf(ctx, err)
}

// openToLook opens the job in o.Dir for a command that starts boxes and changes
// nothing: it has the job's lock but no ledger.
func openToLook(o DiffOptions) (j *job, err error) {
	j = &job{log: o.Log, state: &state{}, o: Options{Dir: o.Dir, Engine: o.Engine, Image: o.Image, Limits: o.Limits, Workspace: o.Workspace, CacheDir: o.CacheDir}}
	if j.log == nil {
		j.log = hclog.NewNullLogger()
	}
	defer func() {
		if err != nil {
			j.close()
		}
	}()
	if j.state.project, err = os.OpenRoot(o.Dir); err != nil {
		return j, err
	}
	if j.state.root, err = openForReading(o.Dir); err != nil {
		return j, err
	}
	if j.state.lock, err = takeLock(j.state.root); err != nil {
		return j, err
	}
	if err := giveBack(j.state.project, j.state.root); err != nil {
		return j, err
	}
	j.state.job, err = readJob(j.state.root)
	return j, err
}

// compareSteps lets git compare each step with the one before.
func (j *job) compareSteps(ctx context.Context, steps []Step, patch bool) (err error) {
	defer func() { err = errors.Join(err, j.volumes.end()) }()
	if err := j.takeDirectory(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.returnDirectory()) }()
	if j.inventory, err = j.inspectImage(ctx); err != nil {
		return err
	}
	if !j.inventory.Git {
		return &Error{Outcome: Usage, Reason: "the image " + j.o.Image.Ref + " has no git", Hint: "give one that has it with --image, for example base"}
	}
	j.env = environment(j.o.Image)
	if err := j.settleWorkspace(ctx); err != nil {
		return err
	}
	return j.withBox(ctx, forProbe, j.boxSpec(false), func(box *sandbox.Box) error {
		for i := range steps {
			if err := j.compareStep(ctx, box, &steps[i], patch); err != nil {
				return err
			}
		}
		return nil
	})
}

// emptyTree is git's name for a tree with nothing in it, which every repository knows.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// Whatever the project's settings say: no colours, no programs, no file left
// out, and names that a terminal can show.
const diffScript = quietGit + `git -c core.quotepath=true -c core.attributesFile=/dev/null diff -O/dev/null --no-color --no-ext-diff --no-textconv \
	--no-renames --no-relative --submodule=short --ignore-submodules=none --src-prefix=a/ --dst-prefix=b/ "$@" -- 2>/dev/null`

func (j *job) compareStep(ctx context.Context, box *sandbox.Box, s *Step, patch bool) error {
	from := s.From
	if from == "" {
		from = emptyTree
	}
	run := func(limit int, form ...string) (sandbox.Result, error) {
		command := j.script(diffScript, append(form, from, s.Commit)...)
		command.Head, command.Tail = limit, 0
		result, err := box.Run(ctx, command)
		if err != nil {
			return result, boxError(ctx, err)
		}
		s.Cut = s.Cut || result.Elided > 0
		if !result.Success() && result.Elided == 0 {
			s.Missing = "git can't compare it with the commit before: one of them is not in the repository any more"
		}
		return result, nil
	}
	list, err := run(numstatMax, "--numstat", "-z")
	if err != nil || s.Missing != "" {
		return err
	}
	s.Files = parseNumstat(list.Head)
	if !patch {
		return nil
	}
	text, err := run(patchMax, "-U3")
	s.Patch = string(text.Head)
	return err
}

// parseNumstat reads git's "added TAB removed TAB path NUL". What is of another
// form, a last entry that was cut say, is left out.
func parseNumstat(data []byte) (files []FileChange) {
	whole := data[:bytes.LastIndexByte(data, 0)+1]
	for line := range bytes.SplitSeq(whole, []byte{0}) {
		parts := strings.SplitN(string(line), "\t", 3)
		if len(parts) < 3 || parts[2] == "" {
			continue
		}
		added, err1 := strconv.Atoi(parts[0])
		removed, err2 := strconv.Atoi(parts[1])
		binary := parts[0] == "-" && parts[1] == "-"
		if !binary && (err1 != nil || err2 != nil) {
			continue
		}
		files = append(files, FileChange{Path: parts[2], Added: added, Removed: removed, Binary: binary})
	}
	return files
}

// Title is what a step is for, in a word or a few.
func (s Step) Title() string {
	switch {
	case len(s.Features) > 0:
		return strings.Join(s.Features, ", ")
	case strings.HasPrefix(s.Message, "Plan "):
		return "plan"
	default:
		return "notes"
	}
}

// String is a file's change in numbers.
func (f FileChange) String() string {
	if f.Binary {
		return "binary"
	}
	return fmt.Sprintf("+%d -%d", f.Added, f.Removed)
}
