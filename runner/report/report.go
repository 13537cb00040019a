// Package report tells what came of jobs: for people (one HTML file), for
// programs (JSON) and for CI servers (JUnit's XML).
//
// A [Builder] takes up the events of a job's ledger, one after the other, so a
// report can be made at any time, also while the job goes on. What it makes of
// them is a [Job]; a [Report] of one or several jobs is written by [HTML],
// [JSON] and [JUnit].
//
// Everything that a model, a box or a provider wrote is hostile. It is made
// harmless once, on its way into a Job ([cleaner]): bounded, without control
// characters and without what reorders or hides text. Each writer escapes it
// for its own form. Amounts are exact, as the ledger has them.
package report

import (
	"time"

	"github.com/shopspring/decimal"
)

// Version is the format of the JSON report; it rises when a reader of the old
// one would misread the new one. docs/report.schema.json describes it.
const Version = 1

// Report is one or several jobs as they stood when it was made.
type Report struct {
	Version  int       `json:"version"`
	Made     time.Time `json:"made"`
	Glovebox string    `json:"glovebox"` // version of the program that made it
	Totals   Totals    `json:"totals"`
	Jobs     []*Job    `json:"jobs"`
}

// Totals are sums over all jobs of a report.
type Totals struct {
	Jobs     int             `json:"jobs"`
	Done     int             `json:"done"` // all that they were asked for is proved
	Features int             `json:"features"`
	Proved   int             `json:"proved"`  // features
	Spent    decimal.Decimal `json:"spent"`   // USD
	Seconds  float64         `json:"seconds"` // worked, of all jobs together
	Tokens   Tokens          `json:"tokens"`
}

// New is a report of jobs by this version of the program.
func New(made time.Time, glovebox string, jobs ...*Job) *Report {
	r := &Report{Version: Version, Made: made.UTC(), Glovebox: glovebox, Jobs: orEmpty(jobs), Totals: Totals{Jobs: len(jobs)}}
	for _, j := range jobs {
		t := &r.Totals
		if j.Sound() {
			t.Done++
		}
		t.Features, t.Proved = t.Features+len(j.Features), t.Proved+j.Passing()
		t.Spent, t.Seconds = t.Spent.Add(j.Money.Spent), t.Seconds+j.Seconds
		t.Tokens.add(j.Tokens)
	}
	return r
}

// Job is one job.
type Job struct {
	Name string `json:"name,omitempty"` // in its batch
	ID   string `json:"id"`
	Dir  string `json:"dir"` // the project directory
	Spec Spec   `json:"spec"`

	State    string `json:"state"`     // waiting, running, an outcome, or "not ended": a process was killed
	ExitCode *int   `json:"exit_code"` // of the last process, null while it runs or if it was killed
	Reason   string `json:"reason,omitempty"`
	Hint     string `json:"hint,omitempty"`

	Begun     time.Time `json:"begun"`
	LastEvent time.Time `json:"last_event"`
	Seconds   float64   `json:"seconds"` // worked, over all processes, without waiting for a provider's limit

	Model    string `json:"model"`
	Image    string `json:"image"`
	ImageID  string `json:"image_id"`
	Scope    string `json:"scope"`
	Glovebox string `json:"glovebox"` // version of the program that worked last

	Money  Money  `json:"money"`
	Tokens Tokens `json:"tokens"`
	Counts Counts `json:"counts"`

	List      List        `json:"list"`
	Features  []*Feature  `json:"features"`
	Sessions  []*Session  `json:"sessions"`
	Boxes     []Boxes     `json:"boxes"`
	Commits   []Commit    `json:"commits"`
	Notes     []Note      `json:"notes"`
	Processes []Process   `json:"processes"`
	Isolation *Isolation  `json:"isolation"` // of the last process; null if the ledger does not say it
	Branch    *Branch     `json:"branch"`    // null if the job made the repository itself
	Proof     *Proof      `json:"proof"`     // the last one of everything at once; null if there was none
	Handover  *Handover   `json:"handover"`  // the last one; null if there was none
	LeftOut   LeftOut     `json:"left_out"`
	pictures  *recordings // for [HTML]
}

// Spec is what was asked for.
type Spec struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Text   string `json:"text"` // bounded
}

// Money is in USD, as ledger.Totals has it.
type Money struct {
	Budget    decimal.Decimal `json:"budget"`
	Spent     decimal.Decimal `json:"spent"`     // all that counts as spent: settled, lost and reserved
	Settled   decimal.Decimal `json:"settled"`   // what requests that were answered cost
	Lost      decimal.Decimal `json:"lost"`      // worst cases of requests whose answer a crash has lost
	Reserved  decimal.Decimal `json:"reserved"`  // worst case of the request that is under way
	Unsettled decimal.Decimal `json:"unsettled"` // part of settled: worst cases of replies that did not say what they cost
	Reported  decimal.Decimal `json:"reported"`  // of replies for which there are both: what the provider says that they cost,
	Computed  decimal.Decimal `json:"computed"`  // and what their tokens cost at the known price
	Deviates  bool            `json:"deviates"`  // the two differ by more than rounding explains
}

// Tokens are counted by the provider.
type Tokens struct {
	Prompt     int `json:"prompt"`
	Completion int `json:"completion"`
	Cached     int `json:"cached"` // part of prompt
}

// All is what was sent and what came back.
func (t Tokens) All() int { return t.Prompt + t.Completion }

// Counts of a job.
type Counts struct {
	Requests  int `json:"requests"`
	Processes int `json:"processes"`
	Sessions  int `json:"sessions"`
	Turns     int `json:"turns"`
	Calls     int `json:"calls"`
	Boxes     int `json:"boxes"`
	Commits   int `json:"commits"`
}

// List is the feature list as a whole.
type List struct {
	Hash      string `json:"hash"`
	Approved  string `json:"approved"`            // how it was accepted: yes-flag, person, file; "" is not yet
	By        string `json:"by,omitempty"`        // by whom
	Uncovered string `json:"uncovered,omitempty"` // what it does not cover, in the planner's words
}

// What became of a feature.
const (
	Proved  = "proved"
	Blocked = "blocked"
	Open    = "open"
)

// Feature is one feature, with what proves it or what is missing.
type Feature struct {
	ID          string          `json:"id"`
	Category    string          `json:"category"`
	Description string          `json:"description"`
	Steps       []string        `json:"steps"`
	Verify      string          `json:"verify"`
	Frozen      []string        `json:"frozen"` // files that the builder could not change
	State       string          `json:"state"`  // proved, blocked, open
	Why         string          `json:"why,omitempty"`
	Red         string          `json:"red,omitempty"` // how verify failed before the work
	Proof       *Verdict        `json:"proof"`         // the last verification; null if there was none
	Commit      string          `json:"commit,omitempty"`
	Sessions    int             `json:"sessions"` // that worked on it
	Tokens      Tokens          `json:"tokens"`   // in these
	Spent       decimal.Decimal `json:"spent"`    // in these, USD
	Marks       []Note          `json:"marks"`    // what else the ledger says of it: flaky, revised, disputed, …
}

// Verdict is a verification by the host.
type Verdict struct {
	Time    time.Time `json:"time"`
	Session int       `json:"session,omitempty"`
	Feature string    `json:"feature"`
	Why     string    `json:"why"` // as ledger.VerifyInfo has it: red-check, finish, final, …
	Passed  bool      `json:"passed"`
	Exit    int       `json:"exit"`
	How     string    `json:"how,omitempty"` // how the command ended, in words
	Output  string    `json:"output,omitempty"`
	Seconds float64   `json:"seconds"`
	Box     string    `json:"box,omitempty"`
	Tree    string    `json:"tree,omitempty"` // git's hash of the files it ran on
	Limits  []string  `json:"limits,omitempty"`
}

// Session is one conversation with the model.
type Session struct {
	Number    int             `json:"number"`
	Kind      string          `json:"kind"`
	Feature   string          `json:"feature,omitempty"`
	Attempt   int             `json:"attempt,omitempty"`
	Begun     time.Time       `json:"begun"`
	Seconds   float64         `json:"seconds"`          // first event to last
	Ending    string          `json:"ending,omitempty"` // "" is not ended, or the process was killed
	Status    string          `json:"status,omitempty"` // as the model said
	Note      string          `json:"note,omitempty"`   // the model's
	Limit     string          `json:"limit,omitempty"`
	Error     string          `json:"error,omitempty"`
	Tokens    Tokens          `json:"tokens"`
	Spent     decimal.Decimal `json:"spent"` // USD; worst cases of lost requests are in the job's sum alone
	TurnCount int             `json:"turn_count"`
	CallCount int             `json:"call_count"`
	Turns     []*Turn         `json:"turns"` // the oldest of a very long job are left out
	Verdicts  []*Verdict      `json:"verdicts"`
}

// Turn is a request and what came back.
type Turn struct {
	Number  int             `json:"number"`
	Time    time.Time       `json:"time"`
	Model   string          `json:"model,omitempty"` // that answered
	Finish  string          `json:"finish,omitempty"`
	Seconds float64         `json:"seconds"`
	Tokens  Tokens          `json:"tokens"`
	Spent   decimal.Decimal `json:"spent"`
	Text    string          `json:"text,omitempty"`  // what the model said
	Error   string          `json:"error,omitempty"` // the request failed
	Calls   []*Call         `json:"calls"`
}

// Call is one tool call and its result.
type Call struct {
	Number  int      `json:"number"`
	Tool    string   `json:"tool"`
	Summary string   `json:"summary"`
	Args    string   `json:"args,omitempty"`
	Done    bool     `json:"done"` // there is a result
	OK      bool     `json:"ok"`
	Result  string   `json:"result,omitempty"`
	Text    string   `json:"text,omitempty"` // what the model was told
	Seconds float64  `json:"seconds"`
	Box     string   `json:"box,omitempty"`
	Limits  []string `json:"limits,omitempty"`
	LeftOut bool     `json:"left_out,omitempty"` // arguments and text are left out, for the report's size
}

// Boxes are the boxes that were started for one purpose. Times are in
// milliseconds; Waited is how long calls waited for theirs.
type Boxes struct {
	Purpose string  `json:"purpose"`
	Count   int     `json:"count"`
	Median  float64 `json:"start_median_ms"`
	P95     float64 `json:"start_p95_ms"`
	Max     float64 `json:"start_max_ms"`
	Waited  float64 `json:"waited_max_ms"`
}

// Commit is one commit by the host.
type Commit struct {
	Time    time.Time `json:"time"`
	Hash    string    `json:"hash"`
	Tree    string    `json:"tree"`
	Message string    `json:"message"`
}

// Note is something that a person should know.
type Note struct {
	Time    time.Time `json:"time"`
	Session int       `json:"session,omitempty"`
	Kind    string    `json:"kind"` // of the event
	Text    string    `json:"text"`
}

// Process is one process that worked on the job.
type Process struct {
	Begun    time.Time `json:"begun"`
	Outcome  string    `json:"outcome"` // "" while it runs or if it was killed
	Reason   string    `json:"reason,omitempty"`
	Model    string    `json:"model"`
	Budget   string    `json:"budget"` // USD
	Glovebox string    `json:"glovebox"`
}

// Isolation is what the boxes were held by.
type Isolation struct {
	Engine         string   `json:"engine,omitempty"`
	System         string   `json:"system,omitempty"`
	Runtime        string   `json:"runtime,omitempty"`
	Kernel         string   `json:"kernel,omitempty"`
	Workspace      string   `json:"workspace"`
	Memory         int64    `json:"memory_bytes"`
	CPUs           float64  `json:"cpus"`
	PIDs           int64    `json:"pids"`
	Disk           int64    `json:"disk_bytes"`
	Files          int64    `json:"files"`
	TimeoutSeconds float64  `json:"timeout_seconds"`
	Flags          []string `json:"flags"` // what the engine was told of a box for a call
}

// LeftOut says what the report does not show, for its size. The ledger has it
// (`glovebox log DIR --json`).
type LeftOut struct {
	Sessions int `json:"sessions"` // the oldest
	Turns    int `json:"turns"`    // of sessions that are shown
	Verdicts int `json:"verdicts"` // of sessions that are shown
	Texts    int `json:"texts"`    // arguments and results of calls, the oldest
	Notes    int `json:"notes"`
}

// Passing counts the features that are proved.
func (j *Job) Passing() int { return j.count(Proved) }

// BlockedCount counts the features that are blocked.
func (j *Job) BlockedCount() int { return j.count(Blocked) }

func (j *Job) count(state string) int {
	n := 0
	for _, f := range j.Features {
		if f.State == state {
			n++
		}
	}
	return n
}
