package report

import (
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// State is what a job's state says besides its ledger.
type State struct {
	ID       string
	Dir      string
	Spec     string // file name
	SpecHash string
	SpecText string
	List     feature.State
	Running  bool // a process works on it
}

// Job is the job as it stands after the events that were added. It shares
// memory with b: write it before the next Add.
func (b *Builder) Job(s State) *Job {
	t := b.totals
	job := &Job{
		ID: b.clean.line(s.ID), Dir: b.clean.line(s.Dir),
		Spec:  Spec{Name: b.clean.line(s.Spec), SHA256: b.clean.line(s.SpecHash), Text: b.clean.text(s.SpecText, max(b.o.keep(specMax), textMax))},
		Begun: t.First, LastEvent: t.LastEvent, Seconds: t.Worked.Seconds(),
		Money:  moneyOf(t),
		Tokens: Tokens{Prompt: t.Prompt, Completion: t.Completion, Cached: t.Cached},
		Counts: Counts{Requests: t.Requests, Processes: t.Processes, Sessions: t.Sessions, Turns: t.Turns,
			Calls: t.Calls, Boxes: t.Boxes, Commits: t.Commits},
		List:     List{Hash: b.clean.line(s.List.Hash), Approved: b.clean.line(s.List.Approved), By: b.clean.line(s.List.By), Uncovered: b.clean.text(s.List.Note, textMax)},
		Features: []*Feature{}, Sessions: orEmpty(b.sessions), Boxes: b.pictures.boxes(), Commits: orEmpty(b.commits),
		Notes: orEmpty(b.notes), Processes: orEmpty(b.processes), LeftOut: b.out, pictures: b.pictures,
		Branch: b.branch, Proof: b.proof, Handover: b.handover,
	}
	job.LeftOut.Texts = b.texts.dropped
	b.origin(job)
	b.ending(job, s.Running)
	for _, f := range s.List.Features {
		job.Features = append(job.Features, b.featureOf(f, s.List))
	}
	return job
}

func moneyOf(t ledger.Totals) Money {
	m := Money{Spent: t.Spent(), Settled: t.Settled, Lost: t.Lost, Reserved: t.Reserved, Unsettled: t.Unsettled(),
		Reported: t.Reported, Computed: t.Computed, Deviates: t.Deviates}
	if t.Job != nil {
		m.Budget, _ = decimal.NewFromString(t.Job.Budget) // written by us from a decimal; zero if not
	}
	return m
}

// origin says what the last process worked with.
func (b *Builder) origin(job *Job) {
	info := b.job
	if info == nil {
		return
	}
	job.Model, job.Image, job.ImageID = b.clean.line(info.Model), b.clean.line(info.Image), b.clean.line(info.ImageID)
	job.Scope, job.Glovebox = b.clean.line(info.Scope), b.clean.line(info.Version)
	if i := info.Isolation; i != nil {
		job.Isolation = &Isolation{
			Engine: b.clean.line(i.Engine), System: b.clean.line(i.System), Runtime: b.clean.line(i.Runtime), Kernel: b.clean.line(i.Kernel),
			Workspace: b.clean.line(i.Workspace), Memory: i.Memory, CPUs: i.CPUs, PIDs: i.PIDs, Disk: i.Disk, Files: i.Files,
			TimeoutSeconds: i.Timeout.Seconds(), Flags: b.clean.lines(i.Flags, 100),
		}
	}
}

// Waiting is a job that has not begun.
func Waiting(s State) *Job {
	j := NewBuilder(Options{}).Job(s)
	j.State, j.Reason, j.Hint = waiting, "", "the same command begins it"
	return j
}

// What a job without an ending is.
const (
	waiting  = "waiting"
	running  = "running"
	notEnded = "not ended"
)

func (b *Builder) ending(job *Job, isRunning bool) {
	switch end := b.totals.End; {
	case isRunning:
		job.State = running
	case end == nil:
		job.State = notEnded
		job.Reason = "no process works on it, and the last one did not say how it ended: it was killed, or the machine went down"
		job.Hint = "the same command goes on"
	default:
		code := end.Code
		job.State, job.ExitCode = shorten(b.clean.line(end.Outcome), 20), &code
		job.Reason, job.Hint = b.clean.line(end.Reason), b.clean.line(end.Hint)
	}
}

// most bounds lists within a feature.
const most = 100

func (b *Builder) featureOf(f feature.Feature, list feature.State) *Feature {
	p := b.features[f.ID]
	if p == nil {
		p = &progress{}
	}
	out := &Feature{
		ID: b.clean.line(f.ID), Category: b.clean.line(f.Category), Description: b.clean.text(f.Description, textMax),
		Steps: b.clean.lines(f.Steps, most), Verify: b.clean.text(f.Verify, textMax), Frozen: b.clean.lines(f.Frozen, most),
		State: Open, Why: p.why, Red: b.clean.line(list.Red[f.ID]), Proof: p.proof, Commit: p.commit,
		Sessions: p.sessions, Tokens: p.tokens, Spent: p.spent, Marks: orEmpty(p.marks),
	}
	switch {
	case f.Passes && p.disproved != "":
		out.Why = "the last proof of everything failed: " + p.disproved
	case f.Passes:
		out.State, out.Why = Proved, ""
		if p.green != nil {
			out.Proof = p.green
		}
	case f.Blocked:
		out.State = Blocked
	}
	if out.State == Open && out.Why == "" && p.proof == nil {
		out.Why = "no session has worked on it yet"
	}
	if out.Proof == nil {
		out.Proof = p.red
	}
	return out
}

// orEmpty is a list that JSON writes as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
