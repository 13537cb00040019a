package report

import (
	"cmp"
	"time"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// Proof is the last proof of everything at once, in a state of the program that
// a commit holds.
type Proof struct {
	Time       time.Time     `json:"time"`
	Commit     string        `json:"commit,omitempty"`
	Tree       string        `json:"tree,omitempty"`
	Where      string        `json:"where"` // in words
	Clone      bool          `json:"clone"` // in a fresh clone of the commit
	Dirty      bool          `json:"dirty"` // files of the commit are others in the workspace
	Passed     bool          `json:"passed"`
	Features   []ProofResult `json:"features"`
	Acceptance *ProofResult  `json:"acceptance"`       // the user's own test; null if there is none, or a feature failed before it
	Reason     string        `json:"reason,omitempty"` // why nothing could be proved
}

// ProofResult is what came of one feature, or of the user's own test.
type ProofResult struct {
	ID      string  `json:"id"`
	Passed  bool    `json:"passed"`
	Flaky   bool    `json:"flaky"`
	How     string  `json:"how,omitempty"`
	Output  string  `json:"output,omitempty"` // of one that failed
	Seconds float64 `json:"seconds"`
}

// Branch is where the job's commits go, in a repository that was there before.
type Branch struct {
	Name string `json:"name"` // "" is a detached HEAD
	From string `json:"from"` // the branch before, "" if there was none
	Base string `json:"base"` // the commit that the job begins at
}

// Handover is what would run by itself on a person's machine, as it was when
// the last process that ran a box ended.
type Handover struct {
	Time     time.Time `json:"time"`
	Mended   int       `json:"mended"` // made harmless
	Enter    int       `json:"enter"`  // left, and run on entering the directory
	Build    int       `json:"build"`  // left, and run on installing, building, testing
	Look     int       `json:"look"`   // left, to look at
	Findings []Finding `json:"findings"`
	More     int       `json:"more"` // that are only counted
}

// Finding is one thing that would run, or did until it was made harmless.
type Finding struct {
	Severity string `json:"severity"` // enter, build, look
	Kind     string `json:"kind"`
	Path     string `json:"path"`
	Detail   string `json:"detail,omitempty"`
	Aside    string `json:"aside,omitempty"` // where it was moved to
}

func (b *Builder) prove(e ledger.Event) {
	if e.Proof == nil {
		return
	}
	b.proof = &Proof{Time: e.Time, Commit: b.clean.line(e.Proof.Commit), Tree: b.clean.line(e.Proof.Tree), Where: b.clean.line(e.Proof.Where()),
		Clone: e.Proof.Clone, Dirty: e.Proof.Dirty, Passed: e.Proof.Passed(), Features: []ProofResult{}, Reason: b.clean.text(e.Proof.Reason, textMax)}
	for _, r := range e.Proof.Features {
		p := b.feature(r.ID)
		if p.disproved = ""; !r.Passed {
			p.disproved = b.clean.line(cmp.Or(e.Proof.Reason, r.How, "it was not seen green"))
		}
		if len(b.proof.Features) < most {
			b.proof.Features = append(b.proof.Features, b.result(r))
		}
	}
	if a := e.Proof.Acceptance; a != nil {
		r := b.result(*a)
		b.proof.Acceptance = &r
	}
}

func (b *Builder) result(r ledger.ProofResult) ProofResult {
	return ProofResult{ID: b.clean.line(r.ID), Passed: r.Passed, Flaky: r.Flaky, How: b.clean.line(r.How),
		Output: b.clean.text(r.Output, textMax), Seconds: r.Took.Seconds()}
}

func (b *Builder) branchOff(e ledger.Event) {
	if e.Branch != nil {
		b.branch = &Branch{Name: b.clean.line(e.Branch.Name), From: b.clean.line(e.Branch.From), Base: b.clean.line(e.Branch.Base)}
	}
}

func (b *Builder) handOver(e ledger.Event) {
	h := e.Handover
	if h == nil {
		return
	}
	b.handover = &Handover{Time: e.Time, Mended: h.Mended, Enter: h.Left["enter"], Build: h.Left["build"], Look: h.Left["look"],
		Findings: []Finding{}, More: h.More}
	for i, f := range h.Findings {
		if i == most {
			b.handover.More += len(h.Findings) - i
			break
		}
		b.handover.Findings = append(b.handover.Findings, Finding{Severity: b.clean.line(f.Severity), Kind: b.clean.line(f.Kind),
			Path: b.clean.line(f.Path), Detail: b.clean.line(f.Detail), Aside: b.clean.line(f.Aside)})
	}
}

// Sound says that the job is done, and that nothing since has shown otherwise.
func (j *Job) Sound() bool {
	return j.State == "done" && len(j.Missing()) == 0 && (j.Proof == nil || j.Proof.Passed)
}

// Words is what the handover found, in one line.
func (h *Handover) Words() string {
	return cmp.Or(counts([]amount{
		{h.Mended, "thing of git made harmless", "things of git made harmless"},
		{h.Enter, "thing that runs when you enter it, open it or type git", "things that run when you enter it, open it or type git"},
		{h.Build, "thing that runs when you install, build, test or push", "things that run when you install, build, test or push"},
		{h.Look, "thing to look at", "things to look at"},
	}), "nothing here runs by itself")
}

// When says when a finding runs, or that it no longer does.
func (f Finding) When() string {
	switch {
	case f.Aside != "":
		return "made harmless"
	case f.Severity == "enter":
		return "on entering"
	case f.Severity == "build":
		return "on building"
	default:
		return "look at it"
	}
}
